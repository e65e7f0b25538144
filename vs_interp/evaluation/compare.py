"""Run methods side by side on stretches of a film, and score their pictures."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby, repeat, zip_longest

from vs_interp.datasets.windows import Window
from vs_interp.errors import DatasetError
from vs_interp.size import Size
from vs_interp.spec import NetworkSpec, reflect
from vs_interp.spec import Window as NetworkWindow

from .material import Material
from .tasks import Judged, Made, Picture


@dataclass(frozen=True)
class Stretch:
    """Consecutive windows of one sequence, which a method gets together.

    frames
        Numbers of the given frames, ascending; for interpolation, frames are to be made between them.
    places
        For each window, the index in ``frames`` of its frame 0.
    times
        For each window, the times of its pictures relative to its frame 0: in (0, 1), from 1 up, or 0.
    gap
        The distance in frames between the inputs of a network.
    """

    material: Material
    sequence: int
    windows: tuple[Window, ...]
    frames: tuple[int, ...]
    places: tuple[int, ...]
    times: tuple[tuple[Fraction, ...], ...]
    gap: int

    def picture(self, place: int) -> Picture:
        """Return an input by its index in ``frames``."""
        return self.material.input(self.sequence, self.frames[place])

    def inputs(self, index: int, window: NetworkWindow) -> list[int]:
        """Return the numbers of the frames that a network with this window gets, for the pictures of a window here."""
        place = self.frames[self.places[index]] // self.gap
        count = (self.material.length(self.sequence) - 1) // self.gap + 1
        return [self.gap * reflect(place + offset, count, window.edge) for offset in window.offsets]

    @property
    def size(self) -> Size:
        """The size of the inputs."""
        return Size.of(self.picture(0).shape)


Method = Callable[[Stretch], Generator[list[Made], None, None]]
"""Yields the pictures of each window of a stretch."""


def stretches(material: Material, spec: NetworkSpec, windows: Sequence[Window]) -> Iterator[Stretch]:
    """Group windows, which must be in order, into stretches of consecutive ones."""
    zero = spec.window.offsets.index(0)
    after = spec.window.offsets.index(1) if spec.between else zero
    group: list[Window] = []
    for window in windows:
        joins = group and window.sequence == group[-1].sequence
        if joins and spec.between:
            joins = window.inputs[zero] in (group[-1].inputs[zero], group[-1].inputs[after])
        if group and not joins:
            yield _stretch(material, spec, group, zero, after)
            group = []
        group.append(window)
    if group:
        yield _stretch(material, spec, group, zero, after)


def _stretch(material: Material, spec: NetworkSpec, group: list[Window], zero: int, after: int) -> Stretch:
    frames = sorted({window.inputs[end] for window in group for end in (zero, after)})
    fixed = tuple(Fraction(time).limit_denominator(64) for time in spec.output.times or ())
    return Stretch(
        material,
        group[0].sequence,
        tuple(group),
        tuple(frames),
        tuple(frames.index(window.inputs[zero]) for window in group),
        tuple(fixed if window.time is None else (window.time,) for window in group),
        group[0].inputs[after] - group[0].inputs[zero] or 1,
    )


def chosen(windows: Iterable[Window], spec: NetworkSpec, limit: int | None) -> list[Window]:
    """Return the windows to measure, in the order of the film: at most ``limit``, spread evenly over the sequences.

    For interpolation, windows do not overlap: with a gap g, frames 0, g, 2 g, … of every sequence are given and those
    in between are made, as when a film of a lower frame rate is brought back to its own.  A truth is listed once even
    if it has two pictures, as flow has.  Raises :class:`DatasetError` if no window is left.
    """
    if spec.between:
        zero, after = spec.window.offsets.index(0), spec.window.offsets.index(1)
        windows = (w for w in windows if w.inputs[zero] % (w.inputs[after] - w.inputs[zero]) == 0)
    found = sorted(windows, key=lambda window: (window.sequence, window.inputs, window.time or 0))
    if not found:
        raise DatasetError(f"no window of {spec.name} fits the grid of its inputs: give longer sequences")
    if limit is not None:
        groups = [list(group) for _, group in groupby(found, key=lambda window: window.sequence)]
        in_turn = [window for rank in zip_longest(*groups) for window in rank if window is not None]
        found = sorted(in_turn[:limit], key=found.index)
    return [window._replace(truths=tuple(dict.fromkeys(window.truths))) for window in found]


@dataclass(frozen=True)
class Row:
    """The scores of one picture of one method; ``lead`` is its number within the window, from 1 up."""

    method: str
    dataset: str
    sequence: str
    frame: int
    judged: Judged
    lead: int = 1


@dataclass(frozen=True)
class Shown:
    """One picture as made by all methods: their rows and pictures, the truth, and the window's index in the stretch."""

    rows: Sequence[Row]
    pictures: Sequence[Made]
    truth: Made
    stretch: Stretch
    index: int


Watcher = Callable[[Shown], None]


def compare(film: Iterable[Stretch], methods: Mapping[str, Method], border: int, watch: Watcher) -> list[Row]:
    """Score every picture of every method.

    ``border`` pixels at the edges do not count; ``watch`` is called with every picture.  Methods run side by side, so
    that only few pictures are in memory.
    """
    rows: list[Row] = []
    with ThreadPoolExecutor() as pool:
        for stretch in film:
            dataset, name = stretch.material.address, stretch.material.name(stretch.sequence)
            for index, made in enumerate(_side_by_side(stretch, methods.values())):
                for place, frame in enumerate(stretch.windows[index].truths):
                    truth = stretch.material.truth(stretch.sequence, frame)
                    pictures = [each[place] for each in made]
                    judge = stretch.material.task.judge
                    judged = pool.map(judge, pictures, repeat(truth), repeat(border))
                    found = [
                        Row(method, dataset, name, frame, each, place + 1)
                        for method, each in zip(methods, judged, strict=True)
                    ]
                    rows += found
                    watch(Shown(found, pictures, truth, stretch, index))
    return rows


def _side_by_side(stretch: Stretch, methods: Iterable[Method]) -> Iterator[tuple[list[Made], ...]]:
    """Yield the pictures of all methods for each window; all methods are closed if one fails."""
    with ExitStack() as stack:
        yield from zip(*(stack.enter_context(closing(method(stretch))) for method in methods), strict=True)


def by(rows: Iterable[Row], key: Callable[[Row], str]) -> dict[str, list[Row]]:
    """Group rows by a key, in the order in which the keys first appear."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return found
