"""Frames kept as 8-bit 4:2:0 planes, half of what RGB takes, and brought to RGB where a crop of them is read."""

from __future__ import annotations

import functools
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .footage import Box, Footage, Frames

Planes = NDArray[np.uint8]
"""Frames × bytes: a frame is its luma, then Cb, then Cr, line by line without gaps."""

WEIGHTS = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593)}
"""Kr and Kb of the matrices (ITU-T H.273, table 4)."""

PAIR = np.arange(2)[:, None, None]
"""Both chroma planes, as an index."""


@dataclass(frozen=True)
class Layout:
    """What the bytes of a frame are: even height and width, a matrix of :data:`WEIGHTS`, full or limited range."""

    height: int
    width: int
    matrix: str
    full: bool

    @property
    def bytes(self) -> int:
        """Bytes of a frame."""
        return self.height * self.width * 3 // 2


class Sequence420(NamedTuple):
    """A sequence's name, the layout of its frames, and how much each differs from the one before."""

    name: str
    layout: Layout
    differences: NDArray[np.float64]


class PlanarFootage(Footage):
    """Footage whose frames are planes."""

    def __init__(self, sequences: Sequence[Sequence420]) -> None:
        self.sequences = tuple(sequences)
        self.lengths = tuple(len(sequence.differences) + 1 for sequence in self.sequences)

    def name(self, sequence: int) -> str:
        return self.sequences[sequence].name

    def size(self, sequence: int) -> tuple[int, int]:
        layout = self.sequences[sequence].layout
        return layout.height, layout.width

    def differences(self, sequence: int) -> NDArray[np.float64]:
        return self.sequences[sequence].differences

    @abstractmethod
    def planes(self, sequence: int) -> Planes:
        """Return the frames of a sequence as they are kept."""

    def _read(self, sequence: int, numbers: Sequence[int], box: Box) -> Frames:
        return to_rgb(self.planes(sequence), self.sequences[sequence].layout, numbers, box)


def to_rgb(planes: Planes, layout: Layout, numbers: Sequence[int], box: Box) -> Frames:
    """Return a box of some frames as RGB; chroma stands as in MPEG-2, left and between lines, and is interpolated.

    The result is laid out plane by plane, as PyTorch wants it.
    """
    top, left, rows, columns = box
    chosen = np.asarray(numbers, np.intp)
    luma, chroma = split(planes, layout)
    above = np.arange(top // 2 - 1, (top + rows - 1) // 2 + 2).clip(0, layout.height // 2 - 1)
    beside = np.arange(left // 2, (left + columns - 1) // 2 + 2).clip(0, layout.width // 2 - 1)
    colours = _colours(chroma[chosen[:, None, None, None], PAIR, above[:, None], beside], layout)
    wide = _enlarge(colours)[..., top % 2 : top % 2 + rows, left % 2 : left % 2 + columns]
    wide += _tables(layout)[0][luma[chosen, top : top + rows, left : left + columns]][:, None]
    return _rounded(wide).transpose(0, 2, 3, 1)


def thumbnail(frame: NDArray[np.uint8], layout: Layout) -> NDArray[np.int16]:
    """Return every fourth pixel of every fourth line of one frame as 3×H×W RGB, to tell frames apart by."""
    luma, chroma = split(frame[None], layout)
    colours = _colours(chroma[..., ::2, ::2], layout)[0]
    return _rounded(_tables(layout)[0][luma[0, ::4, ::4]] + 8 * colours).astype(np.int16)


def split(planes: Planes, layout: Layout) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return views of the luma (frames × lines × columns) and the chroma (frames × 2 × lines × columns)."""
    area, height, width = layout.height * layout.width, layout.height, layout.width
    return planes[:, :area].reshape(-1, height, width), planes[:, area:].reshape(-1, 2, height // 2, width // 2)


@functools.cache
def _tables(layout: Layout) -> tuple[NDArray[np.int16], NDArray[np.float32]]:
    """Return what each value of luma adds to R, G and B, in 1/32, and what Cb and Cr add (3×2), in 1/4 (ITU-T H.273).

    The matrix is applied to chroma before it is enlarged, which leaves sixteen-bit sums for each pixel.
    """
    red, blue = WEIGHTS[layout.matrix]
    green = 1 - red - blue
    gain, black, chroma = (1.0, 0, 1.0) if layout.full else (255 / 219, 16, 255 / 224)
    to_red, to_blue = 2 * (1 - red) * chroma, 2 * (1 - blue) * chroma
    mixed = np.array(((0, to_red), (-to_blue * blue / green, -to_red * red / green), (to_blue, 0)), np.float32)
    return np.rint((np.arange(256) - black) * gain * 32).astype(np.int16), 4 * mixed


def _colours(chroma: NDArray[np.uint8], layout: Layout) -> NDArray[np.int16]:
    """Return what N×2×H×W chroma adds to R, G and B (N×3×H×W), in 1/4."""
    count, _, lines, columns = chroma.shape
    mixed = _tables(layout)[1] @ (chroma.astype(np.float32) - 128).reshape(count, 2, -1)
    return np.rint(mixed, out=mixed).astype(np.int16).reshape(count, 3, lines, columns)


def _enlarge(known: NDArray[np.int16]) -> NDArray[np.int16]:
    """Return planes with twice the lines and columns, times eight; one line more above and below and one column
    more to the right are given than come out.
    """
    *count, lines, columns = known.shape
    near = 3 * known[..., 1:-1, :]
    tall = np.empty((*count, lines - 2, 2, columns), np.int16)
    np.add(near, known[..., :-2, :], out=tall[..., 0, :])
    np.add(near, known[..., 2:, :], out=tall[..., 1, :])
    wide = np.empty((*count, lines - 2, 2, columns - 1, 2), np.int16)
    np.left_shift(tall[..., :-1], 1, out=wide[..., 0])
    np.add(tall[..., :-1], tall[..., 1:], out=wide[..., 1])
    return wide.reshape(*count, 2 * (lines - 2), 2 * (columns - 1))


def _rounded(values: NDArray[np.int16]) -> NDArray[np.uint8]:
    """Return values in 1/32 as 8 bits; they are overwritten."""
    values += 16
    values >>= 5
    return np.clip(values, 0, 255, out=values).astype(np.uint8)
