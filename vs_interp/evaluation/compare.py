"""What ``vs-interp evaluate`` does: methods side by side on stretches of a film, and their scores."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from fractions import Fraction

from vs_interp.datasets.windows import Window
from vs_interp.errors import DatasetError
from vs_interp.metrics import interpolation_error, jaccard, luma, psnr, ssim
from vs_interp.size import Size
from vs_interp.spec import NetworkSpec

from .material import Material, Picture

EQUAL = 100.0
"""Decibels that stand for pictures that are equal, so that there is a mean."""


@dataclass(frozen=True)
class Stretch:
    """Windows of one sequence, those of joining pairs in a row: what methods that follow a film are given whole.

    frames
        Numbers of the frames between which frames are to be made, or of those to be enlarged; ascending.
    places
        For each window, which of ``frames`` is its frame 0.
    times
        For each window, where its pictures lie after its frame 0, in (0, 1); 0 where frames are enlarged.
    """

    material: Material
    sequence: int
    windows: tuple[Window, ...]
    frames: tuple[int, ...]
    places: tuple[int, ...]
    times: tuple[tuple[Fraction, ...], ...]

    def picture(self, place: int) -> Picture:
        """Return an input by its place in ``frames``."""
        return self.material.input(self.sequence, self.frames[place])

    @property
    def size(self) -> Size:
        """That of the inputs."""
        return Size.of(self.picture(0).shape)


Method = Callable[[Stretch], Generator[list[Picture], None, None]]
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
    )


def chosen(windows: Iterable[Window], spec: NetworkSpec, limit: int | None) -> list[Window]:
    """Return the windows to measure, in the order of the film, at most ``limit``.

    Where frames are interpolated these do not overlap: of every sequence the frames 0, g, 2 g, … are given, g the gap,
    and those between are made, as when a film at a lower rate is brought back to its own.  Raises
    :class:`DatasetError` where that leaves none.
    """
    if spec.between:
        zero, after = spec.window.offsets.index(0), spec.window.offsets.index(1)
        windows = (w for w in windows if w.inputs[zero] % (w.inputs[after] - w.inputs[zero]) == 0)
    found = sorted(windows, key=lambda window: (window.sequence, window.inputs, window.time or 0))[:limit]
    if not found:
        raise DatasetError(f"no window of {spec.name} begins on the grid of its inputs: give longer sequences")
    return found


def label_scores(made: Picture, truth: Picture, border: int = 0) -> dict[str, float]:
    """Return the share of labels that are equal, and the mean intersection over union of the classes there are."""
    return {"equal": float((made == truth).mean()), "iou": jaccard(made, truth, 256)}


def scores(made: Picture, truth: Picture, border: int = 0) -> dict[str, float]:
    """Return PSNR (dB), SSIM and IE of colours, and PSNR and SSIM of luma, without a border of so many pixels."""
    inner = (slice(border, -border or None),) * 2
    made, truth = made[inner], truth[inner]
    grey = luma(made), luma(truth)
    found = {"psnr_luma": min(psnr(*grey), EQUAL), "ssim_luma": ssim(*grey)}
    if truth.ndim == 2:
        return found
    colours = {"psnr": min(psnr(made, truth), EQUAL), "ssim": ssim(made, truth)}
    return {**colours, "ie": interpolation_error(made, truth), **found}


@dataclass(frozen=True)
class Row:
    """One picture of one method, and its scores; ``lead`` is which picture of its window it is, from 1 up."""

    method: str
    dataset: str
    sequence: str
    frame: int
    scores: Mapping[str, float]
    lead: int = 1


Watcher = Callable[[Row, Stretch, int, Picture, Picture], None]
"""Is shown each picture: its row, the stretch, the number of the window in it, what was made, and the truth."""


def compare(
    film: Sequence[Stretch], methods: Mapping[str, Method], spec: NetworkSpec, border: int, watch: Watcher
) -> list[Row]:
    """Score every picture of every method; methods work side by side, so that only a few pictures are in memory."""
    rows, judge = [], label_scores if spec.output.kind == "labels" else scores
    with ThreadPoolExecutor() as pool:
        for stretch in film:
            dataset, name = stretch.material.address, stretch.material.footage.name(stretch.sequence)
            for index, made in enumerate(_side_by_side(stretch, methods.values())):
                for place, frame in enumerate(stretch.windows[index].truths):
                    truth = stretch.material.truth(stretch.sequence, frame)
                    shown = [pictures[place] for pictures in made]
                    judged = pool.map(functools.partial(judge, truth=truth, border=border), shown)
                    for method, picture, found in zip(methods, shown, judged, strict=True):
                        rows.append(Row(method, dataset, name, frame, found, place + 1))
                        watch(rows[-1], stretch, index, picture, truth)
    return rows


def _side_by_side(stretch: Stretch, methods: Iterable[Method]) -> Iterator[tuple[list[Picture], ...]]:
    """Yield, window after window, what each method makes; all are ended when one fails."""
    with ExitStack() as stack:
        yield from zip(*(stack.enter_context(closing(method(stretch))) for method in methods), strict=True)


def means(rows: Sequence[Row]) -> dict[str, float]:
    """Return the mean of each score over rows; every picture counts the same."""
    return {name: math.fsum(row.scores[name] for row in rows) / len(rows) for name in rows[0].scores}


def by(rows: Iterable[Row], key: Callable[[Row], str]) -> dict[str, list[Row]]:
    """Return the rows by method, data set or sequence, in the order in which these first appear."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return found
