"""Frames kept as 8-bit 4:2:0 planes, half of what RGB takes, and brought to RGB where a crop of them is read."""

from __future__ import annotations

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
    """Return a box of some frames as RGB; chroma stands as in MPEG-2, left and between lines, and is interpolated."""
    top, left, rows, columns = box
    chosen = np.asarray(numbers, np.intp)
    luma, chroma = split(planes, layout)
    ycc = np.empty((3, len(chosen), rows, columns), np.float32)
    ycc[0] = luma[chosen, top : top + rows, left : left + columns]
    for plane in (0, 1):
        np.multiply(_enlarge(chroma[:, plane], chosen, box), np.float32(1 / 8), out=ycc[1 + plane])
    return _convert(ycc, layout)


def thumbnail(frame: NDArray[np.uint8], layout: Layout) -> NDArray[np.int16]:
    """Return every fourth pixel of every fourth line of one frame as RGB, to tell frames apart by."""
    luma, chroma = split(frame[None], layout)
    ycc = np.stack((luma[0, ::4, ::4], *chroma[0, :, ::2, ::2]))
    seen: NDArray[np.int16] = _convert(ycc[:, None].astype(np.float32), layout)[0].astype(np.int16)
    return seen


def split(planes: Planes, layout: Layout) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return views of the luma (frames × lines × columns) and the chroma (frames × 2 × lines × columns)."""
    area, height, width = layout.height * layout.width, layout.height, layout.width
    return planes[:, :area].reshape(-1, height, width), planes[:, area:].reshape(-1, 2, height // 2, width // 2)


def _convert(ycc: NDArray[np.float32], layout: Layout) -> Frames:
    """Return 3×N×H×W luma and chroma as N×H×W×3 RGB (ITU-T H.273, equations 20 to 52)."""
    red, blue = WEIGHTS[layout.matrix]
    green = 1 - red - blue
    luma, chroma, black = (1.0, 1.0, 0) if layout.full else (255 / 219, 255 / 224, 16)
    to_red, to_blue = 2 * (1 - red) * chroma, 2 * (1 - blue) * chroma
    matrix = np.array(
        ((luma, 0, to_red), (luma, -to_blue * blue / green, -to_red * red / green), (luma, to_blue, 0)), np.float32
    )
    rounded = 0.5 - matrix @ np.array((black, 128, 128), np.float32)
    rgb = matrix @ ycc.reshape(3, -1)
    rgb += rounded[:, None]
    frames = np.empty((*ycc.shape[1:], 3), np.uint8)
    np.clip(rgb, 0, 255, out=rgb)
    for channel in range(3):
        frames[..., channel] = rgb[channel].reshape(ycc.shape[1:])
    return frames


def _enlarge(plane: NDArray[np.uint8], chosen: NDArray[np.intp], box: Box) -> NDArray[np.uint16]:
    """Return a box of a chroma plane of some frames, brought to the size of luma, in eighths."""
    top, left, rows, columns = box
    above = np.arange(top // 2 - 1, (top + rows - 1) // 2 + 2).clip(0, plane.shape[1] - 1)
    beside = np.arange(left // 2, (left + columns - 1) // 2 + 2).clip(0, plane.shape[2] - 1)
    known = plane[chosen[:, None, None], above[:, None], beside].astype(np.uint16)
    near = 3 * known[:, 1:-1]
    tall = np.empty((len(chosen), 2 * near.shape[1], known.shape[2]), np.uint16)
    np.add(near, known[:, :-2], out=tall[:, 0::2])
    np.add(near, known[:, 2:], out=tall[:, 1::2])
    wide = np.empty((*tall.shape[:2], 2 * (tall.shape[2] - 1)), np.uint16)
    np.multiply(tall[..., :-1], 2, out=wide[..., 0::2])
    np.add(tall[..., :-1], tall[..., 1:], out=wide[..., 1::2])
    return wide[:, top % 2 : top % 2 + rows, left % 2 : left % 2 + columns]
