"""Frames kept as 8-bit 4:2:0 planes, half of what RGB takes, and brought to RGB where a crop of them is read."""

from __future__ import annotations

import functools
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vs_interp.matrices import RED_AND_BLUE, Matrix
from vs_interp.size import Size

from .footage import Box, Footage, Frames

Planes = NDArray[np.uint8]
"""Frames × bytes: a frame is its luma, then Cb, then Cr, line by line without gaps."""

MATRICES: dict[str, Matrix] = {"bt601": "601", "bt709": "709", "bt2020": "2020"}
"""The matrices by the names that an index has of them."""


@dataclass(frozen=True)
class FrameFormat:
    """What the bytes of a frame are: even height and width, a matrix of :data:`MATRICES`, full or limited range."""

    height: int
    width: int
    matrix: str
    full: bool

    @property
    def bytes(self) -> int:
        """Bytes of a frame."""
        return self.height * self.width * 3 // 2

    @property
    def black(self) -> int:
        """The code of black in luma."""
        return 0 if self.full else 16


class Sequence420(NamedTuple):
    """A sequence's name, the format of its frames, and how much each differs from the one before."""

    name: str
    frame_format: FrameFormat
    differences: NDArray[np.float64]


class PlanarFootage(Footage):
    """Footage whose frames are planes."""

    def __init__(self, sequences: Sequence[Sequence420]) -> None:
        self.sequences = tuple(sequences)
        self.lengths = tuple(len(sequence.differences) + 1 for sequence in self.sequences)

    def name(self, sequence: int) -> str:
        return self.sequences[sequence].name

    def frame_size(self, sequence: int) -> Size:
        frame_format = self.sequences[sequence].frame_format
        return Size(frame_format.width, frame_format.height)

    def differences(self, sequence: int) -> NDArray[np.float64]:
        return self.sequences[sequence].differences

    @abstractmethod
    def planes(self, sequence: int) -> Planes:
        """Return the frames of a sequence as they are kept."""

    def _read(self, sequence: int, numbers: Sequence[int], box: Box) -> Frames:
        return to_rgb(self.planes(sequence), self.sequences[sequence].frame_format, numbers, box)


def to_rgb(planes: Planes, frame_format: FrameFormat, numbers: Sequence[int], box: Box) -> Frames:
    """Return a box of some frames as RGB; chroma stands as in MPEG-2, left and between lines, and is interpolated.

    The result is laid out plane by plane, as PyTorch wants it.
    """
    top, left, rows, columns = box
    luma, chroma = split(planes, frame_format)
    y = luma[list(numbers), top : top + rows, left : left + columns]
    colours = _colours(_around(chroma, numbers, box), frame_format)
    rgb = _enlarge(colours)[..., top % 2 : top % 2 + rows, left % 2 : left % 2 + columns]
    return _joined(y[:, None], rgb, frame_format).transpose(0, 2, 3, 1)


def thumbnail(frame: NDArray[np.uint8], frame_format: FrameFormat) -> NDArray[np.int16]:
    """Return every fourth pixel of every fourth line of one frame as 3×H×W RGB, to tell frames apart by."""
    luma, chroma = split(frame[None], frame_format)
    return _joined(luma[0, ::4, ::4], 8 * _colours(chroma[..., ::2, ::2], frame_format)[0], frame_format).astype(
        np.int16
    )


def split(planes: Planes, frame_format: FrameFormat) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return views of the luma (frames × lines × columns) and the chroma (frames × 2 × lines × columns)."""
    area, height, width = frame_format.height * frame_format.width, frame_format.height, frame_format.width
    return planes[:, :area].reshape(-1, height, width), planes[:, area:].reshape(-1, 2, height // 2, width // 2)


def to_rgb_matrix(frame_format: FrameFormat) -> NDArray[np.float64]:
    """Return what luma, Cb, Cr (each less its zero, in codes) add to R, G and B, in codes of the full range: 3×3.

    These are ITU-T H.273's.
    """
    red, blue = RED_AND_BLUE[MATRICES[frame_format.matrix]]
    green = 1 - red - blue
    gain, chroma = (1.0, 1.0) if frame_format.full else (255 / 219, 255 / 224)
    to_red, to_blue = 2 * (1 - red) * chroma, 2 * (1 - blue) * chroma
    return np.array(
        (
            (gain, 0, to_red),
            (gain, -to_blue * blue / green, -to_red * red / green),
            (gain, to_blue, 0),
        )
    )


@functools.cache
def _factors(frame_format: FrameFormat) -> tuple[np.uint16, NDArray[np.float32], float]:
    """Return what luma is multiplied by (in 1/128), Cb and Cr (3×2, in 1/4), and what is added (in 1/4).

    The matrix is applied to chroma before that is enlarged, so that sixteen bits suffice for the sums at every pixel.
    """
    matrix = to_rgb_matrix(frame_format)
    gain = float(matrix[0, 0])
    return np.uint16(round(128 * gain)), (4 * matrix[:, 1:]).astype(np.float32), 4 * (0.5 - frame_format.black * gain)


def _around(chroma: NDArray[np.uint8], numbers: Sequence[int], box: Box) -> NDArray[np.uint8]:
    """Return the chroma of a box, a line more above and below and a column more to the right; edges are repeated."""
    top, left, rows, columns = box
    first, last = top // 2 - 1, (top + rows - 1) // 2 + 2
    end = (left + columns - 1) // 2 + 2
    known = chroma[list(numbers), :, max(first, 0) : last, left // 2 : end]
    missing = (max(-first, 0), max(last - chroma.shape[2], 0)), (0, max(end - chroma.shape[3], 0))
    return np.pad(known, ((0, 0), (0, 0), *missing), "edge") if any(map(any, missing)) else known


def _colours(chroma: NDArray[np.uint8], frame_format: FrameFormat) -> NDArray[np.int16]:
    """Return what N×2×H×W chroma, and rounding, add to R, G and B (N×3×H×W), in 1/4."""
    count, _, lines, columns = chroma.shape
    _, factors, added = _factors(frame_format)
    mixed = factors @ (chroma.astype(np.float32) - 128).reshape(count, 2, -1)
    mixed += added
    return np.rint(mixed, out=mixed).astype(np.int16).reshape(count, 3, lines, columns)


def _enlarge(known: NDArray[np.int16]) -> NDArray[np.int16]:
    """Return planes with twice the lines and columns, times eight; one line more above and below and one column
    more to the right are given than come out.
    """
    *count, lines, columns = known.shape
    wide = np.empty((*count, lines, columns - 1, 2), np.int16)
    np.left_shift(known[..., :-1], 1, out=wide[..., 0])
    np.add(known[..., :-1], known[..., 1:], out=wide[..., 1])
    wide = wide.reshape(*count, lines, -1)
    near = 3 * wide[..., 1:-1, :]
    tall = np.empty((*count, lines - 2, 2, wide.shape[-1]), np.int16)
    np.add(near, wide[..., :-2, :], out=tall[..., 0, :])
    np.add(near, wide[..., 2:, :], out=tall[..., 1, :])
    return tall.reshape(*count, 2 * (lines - 2), -1)


def _joined(luma: NDArray[np.uint8], colours: NDArray[np.int16], frame_format: FrameFormat) -> NDArray[np.uint8]:
    """Return luma and colours (in 1/32, overwritten) as 8-bit R, G and B."""
    bright = luma * _factors(frame_format)[0]
    bright >>= 2
    colours += bright.view(np.int16)
    colours >>= 5
    return np.clip(colours, 0, 255, out=colours).astype(np.uint8)
