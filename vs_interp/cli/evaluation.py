"""What ``vs-interp evaluate`` measures: pictures of a data set as a network sees them, rivals side by side, scores."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ..errors import ArgumentError
from ..spec import NetworkSpec
from ..training.footage import Footage
from ..training.metrics import interpolation_error, luma, psnr, ssim
from ..training.windows import Window

Picture = NDArray[np.uint8]
"""Height × width × 3 (RGB), or height × width (luma in the full range) for networks of luma."""

KEPT = 16
"""Pictures that are kept in memory: methods side by side ask for the same ones."""

EQUAL = 100.0
"""Decibels that stand for pictures that are equal, so that there is a mean."""


def interpolates(spec: NetworkSpec) -> bool:
    """Whether a network makes frames between frames; else it enlarges or refines frame 0."""
    return spec.takes_time or 0.0 not in (spec.output.times or ())


class Material:
    """The pictures of a data set: as inputs, and as the truth they are to be made into.

    Frames above ``height`` lines are shrunk.  A network of scale S gets the data set's own small frames, or the true
    ones S times smaller by antialiased bicubic shrinking, in 8 bits; a network of luma gets BT.601 luma.  May be asked
    by several threads.  Raises :class:`ArgumentError` where ``height`` is given and the data set has small frames.
    """

    def __init__(self, footage: Footage, spec: NetworkSpec, height: int | None) -> None:
        if height is not None and footage.small is not None and spec.output.scale > 1:
            raise ArgumentError(f"the data set has small frames of its own, which --height {height} would not fit")
        _check_scale(footage, spec)
        self.footage, self.scale, self.height = footage, spec.output.scale, height
        self.grey = spec.window.channels == 1
        self._kept: OrderedDict[tuple[bool, int, int], Picture] = OrderedDict()
        self._lock = threading.RLock()

    def truth(self, sequence: int, number: int) -> Picture:
        """Return a frame as it should be."""
        return self._keep((True, sequence, number), self._truth)

    def input(self, sequence: int, number: int) -> Picture:
        """Return a frame as networks get it.  It has the size of the truth where the network does not enlarge."""
        if self.scale == 1:
            return self.truth(sequence, number)
        return self._keep((False, sequence, number), self._small)

    def _keep(self, key: tuple[bool, int, int], read: Callable[[int, int], Picture]) -> Picture:
        with self._lock:
            if key not in self._kept:
                self._kept[key] = read(*key[1:])
                if len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(key)
            return self._kept[key]

    def _truth(self, sequence: int, number: int) -> Picture:
        frame: Picture = self.footage.frames(sequence, [number])[0]
        if self.height is not None and frame.shape[0] > self.height:
            width = round(frame.shape[1] * self.height / frame.shape[0] / 2) * 2
            frame = resized(frame, (self.height, width))
        height, width = (length // self.scale * self.scale for length in frame.shape[:2])
        return self._coloured(frame[:height, :width])

    def _small(self, sequence: int, number: int) -> Picture:
        if self.footage.small is not None:
            return self._coloured(self.footage.small.frames(sequence, [number])[0])
        large = self.truth(sequence, number)
        return resized(large, (large.shape[0] // self.scale, large.shape[1] // self.scale))

    def _coloured(self, frame: Picture) -> Picture:
        if not self.grey:
            return frame
        grey: Picture = np.round(frame @ np.array((0.299, 0.587, 0.114))).astype(np.uint8)
        return grey


def _check_scale(footage: Footage, spec: NetworkSpec) -> None:
    """Raise :class:`ArgumentError` where the data set's own small frames are not those that the model enlarges."""
    if footage.small is None or spec.output.scale == 1:
        return
    (height, width), (lines, columns) = footage.size(0), footage.small.size(0)
    if (lines * spec.output.scale, columns * spec.output.scale) != (height, width):
        raise ArgumentError(
            f"the data set's small frames are {columns}x{lines} and the others {width}x{height}, and {spec.name} "
            f"enlarges {spec.output.scale} times: name a model that fits"
        )


def resized(picture: Picture, size: tuple[int, int], kernel: str = "BICUBIC") -> Picture:
    """Return a picture at another height and width by one of Pillow's kernels, antialiased where it shrinks."""
    from PIL import Image

    planes = [picture] if picture.ndim == 2 else list(np.moveaxis(picture, 2, 0))
    how = Image.Resampling[kernel]
    made = [np.asarray(Image.fromarray(plane.astype(np.float32)).resize(size[::-1], how)) for plane in planes]
    whole = made[0] if picture.ndim == 2 else np.stack(made, 2)
    return np.round(whole.clip(0, 255)).astype(np.uint8)


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
    def size(self) -> tuple[int, int]:
        """Height and width of the inputs."""
        height, width = self.picture(0).shape[:2]
        return height, width


Method = Callable[[Stretch], Generator[list[Picture], None, None]]
"""Makes the pictures of a stretch, window after window."""


def stretches(material: Material, spec: NetworkSpec, windows: Sequence[Window]) -> Iterator[Stretch]:
    """Group windows, in order, into stretches."""
    zero = spec.window.offsets.index(0)
    after = spec.window.offsets.index(1) if interpolates(spec) else zero
    group: list[Window] = []
    for window in windows:
        joins = group and window.sequence == group[-1].sequence
        if joins and interpolates(spec):
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
    and those between are made, as when a film at a lower rate is brought back to its own.
    """
    if interpolates(spec):
        zero, after = spec.window.offsets.index(0), spec.window.offsets.index(1)
        windows = (w for w in windows if w.inputs[zero] % (w.inputs[after] - w.inputs[zero]) == 0)
    return sorted(windows, key=lambda window: (window.sequence, window.inputs, window.time or 0))[:limit]


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
    """One picture of one method, and its scores."""

    method: str
    sequence: str
    frame: int
    scores: Mapping[str, float]


Watcher = Callable[[Row, Stretch, int, Picture, Picture], None]
"""Is shown each picture: its row, the stretch, the number of the window in it, what was made, and the truth."""


def compare(film: Sequence[Stretch], methods: Mapping[str, Method], border: int, watch: Watcher) -> list[Row]:
    """Score every picture of every method; methods work side by side, so that only a few pictures are in memory."""
    rows = []
    for stretch in film:
        material, name = stretch.material, stretch.material.footage.name(stretch.sequence)
        with ExitStack() as stack:
            rivals = [stack.enter_context(closing(method(stretch))) for method in methods.values()]
            for index, made in enumerate(zip(*rivals, strict=True)):
                for place, frame in enumerate(stretch.windows[index].truths):
                    truth = material.truth(stretch.sequence, frame)
                    for method, shown in zip(methods, made, strict=True):
                        row = Row(method, name, frame, scores(shown[place], truth, border))
                        rows.append(row)
                        watch(row, stretch, index, shown[place], truth)
    return rows


def means(rows: Sequence[Row]) -> dict[str, float]:
    """Return the mean of each score over rows; every picture counts the same."""
    return {name: math.fsum(row.scores[name] for row in rows) / len(rows) for name in rows[0].scores}


def by(rows: Sequence[Row], key: Callable[[Row], str]) -> dict[str, list[Row]]:
    """Return the rows by method or by sequence, in the order in which these first appear."""
    names = dict.fromkeys(map(key, rows))
    return {name: [row for row in rows if key(row) == name] for name in names}
