"""What ``vs-interp evaluate`` does: methods side by side on stretches of a film, and their scores."""

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
from vs_interp.spec import Window as Seen

from .material import Material
from .tasks import Judged, Made, Picture


@dataclass(frozen=True)
class Stretch:
    """Windows of one sequence, those of joining pairs in a row: what methods that follow a film are given whole.

    frames
        Numbers of the frames between which frames are to be made, or of those that are given; ascending.
    places
        For each window, which of ``frames`` is its frame 0.
    times
        For each window, where its pictures lie after its frame 0: in (0, 1), from 1 up, or 0 upon it.
    gap
        Frames from one that a network is shown to the next.
    """

    material: Material
    sequence: int
    windows: tuple[Window, ...]
    frames: tuple[int, ...]
    places: tuple[int, ...]
    times: tuple[tuple[Fraction, ...], ...]
    gap: int

    def picture(self, place: int) -> Picture:
        """Return an input by its place in ``frames``."""
        return self.material.input(self.sequence, self.frames[place])

    def inputs(self, index: int, seen: Seen) -> list[int]:
        """Return the numbers of the frames that a network of any window is shown to make a window's pictures."""
        at, length = self.frames[self.places[index]] // self.gap, self.material.length(self.sequence)
        whole = (length - 1) // self.gap + 1
        return [self.gap * reflect(at + offset, whole, seen.edge) for offset in seen.offsets]

    @property
    def size(self) -> Size:
        """That of the inputs."""
        return Size.of(self.picture(0).shape)


Method = Callable[[Stretch], Generator[list[Made], None, None]]
"""Makes the pictures of a stretch, window after window."""


def stretches(material: Material, spec: NetworkSpec, windows: Sequence[Window]) -> Iterator[Stretch]:
    """Group windows, in order, into stretches."""
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
    """Return the windows to measure, in the order of the film: at most ``limit``, of all sequences alike.

    Where frames are interpolated these do not overlap: of every sequence the frames 0, g, 2 g, … are given, g the gap,
    and those between are made, as when a film at a lower rate is brought back to its own.  A truth is there once: both
    components of a flow are one.  Raises :class:`DatasetError` where that leaves no window.
    """
    if spec.between:
        zero, after = spec.window.offsets.index(0), spec.window.offsets.index(1)
        windows = (w for w in windows if w.inputs[zero] % (w.inputs[after] - w.inputs[zero]) == 0)
    found = sorted(windows, key=lambda window: (window.sequence, window.inputs, window.time or 0))
    if not found:
        raise DatasetError(f"no window of {spec.name} begins on the grid of its inputs: give longer sequences")
    if limit is not None:
        groups = [list(group) for _, group in groupby(found, key=lambda window: window.sequence)]
        in_turn = [window for rank in zip_longest(*groups) for window in rank if window is not None]
        found = sorted(in_turn[:limit], key=found.index)
    return [window._replace(truths=tuple(dict.fromkeys(window.truths))) for window in found]


@dataclass(frozen=True)
class Row:
    """One picture of one method, and how good it is; ``lead`` is which picture of its window it is, from 1 up."""

    method: str
    dataset: str
    sequence: str
    frame: int
    judged: Judged
    lead: int = 1


@dataclass(frozen=True)
class Shown:
    """One picture as all methods made it: their rows, their pictures, the truth, and the window's place."""

    rows: Sequence[Row]
    pictures: Sequence[Made]
    truth: Made
    stretch: Stretch
    index: int


Watcher = Callable[[Shown], None]


def compare(film: Iterable[Stretch], methods: Mapping[str, Method], border: int, watch: Watcher) -> list[Row]:
    """Score every picture of every method; methods work side by side, so that only a few pictures are in memory."""
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
    """Yield, window after window, what each method makes; all are ended when one fails."""
    with ExitStack() as stack:
        yield from zip(*(stack.enter_context(closing(method(stretch))) for method in methods), strict=True)


def by(rows: Iterable[Row], key: Callable[[Row], str]) -> dict[str, list[Row]]:
    """Return the rows by method, data set or sequence, in the order in which these first appear."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return found
