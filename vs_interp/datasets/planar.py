"""Frames stored as 8-bit 4:2:0 planes, half the size of RGB, and converted to RGB when a crop of them is read.

The conversion is fixed-point arithmetic in 16 bits, for speed.  The matrix is applied to chroma before that is
enlarged.  Chroma's part of R, G and B is in units of 1/4 code before and 1/32 after enlarging; luma's part is in 1/128,
and then in 1/32.
"""

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
"""Frames × bytes: each frame is its luma, then Cb, then Cr, row by row without gaps."""

MATRICES: dict[str, Matrix] = {"bt601": "601", "bt709": "709", "bt2020": "2020"}
"""Name of a matrix in the index of shards → the matrix."""


@dataclass(frozen=True)
class FrameFormat:
    """The format of a frame: height and width (even), a matrix of :data:`MATRICES`, and full or limited range."""

    height: int
    width: int
    matrix: str
    full: bool

    @property
    def bytes(self) -> int:
        """The size of a frame in bytes."""
        return self.height * self.width * 3 // 2

    @property
    def black(self) -> int:
        """The luma code of black."""
        return 0 if self.full else 16


class Sequence420(NamedTuple):
    """A sequence's name, the format of its frames, and the difference (0–255) of each to the next."""

    name: str
    frame_format: FrameFormat
    differences: NDArray[np.float64]


class PlanarFootage(Footage):
    """Footage whose frames are stored as planes."""

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
        """Return the frames of a sequence as they are stored."""

    def _read(self, sequence: int, numbers: Sequence[int], box: Box) -> Frames:
        return to_rgb(self.planes(sequence), self.sequences[sequence].frame_format, numbers, box)


def to_rgb(planes: Planes, frame_format: FrameFormat, numbers: Sequence[int], box: Box) -> Frames:
    """Return a box of some frames as RGB, N×H×W×3.

    Chroma is sited as in MPEG-2, left and between lines, and interpolated linearly.  In memory the result is planar, as
    PyTorch wants it.
    """
    top, left, rows, columns = box
    luma, chroma = split(planes, frame_format)
    cropped_luma = luma[list(numbers), top : top + rows, left : left + columns]
    small = _chroma_part(_chroma_around(chroma, numbers, box), frame_format)
    chroma_part = _enlarged(small)[..., top % 2 : top % 2 + rows, left % 2 : left % 2 + columns]
    return _sum(cropped_luma[:, None], chroma_part, frame_format).transpose(0, 2, 3, 1)


def thumbnail(frame: NDArray[np.uint8], frame_format: FrameFormat) -> NDArray[np.int16]:
    """Return every fourth pixel of every fourth row of one frame as 3×H×W RGB, for comparing frames."""
    luma, chroma = split(frame[None], frame_format)
    chroma_part = 8 * _chroma_part(chroma[..., ::2, ::2], frame_format)[0]
    return _sum(luma[0, ::4, ::4], chroma_part, frame_format).astype(np.int16)


def split(planes: Planes, frame_format: FrameFormat) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return views of the luma (frames × height × width) and the chroma (frames × 2 × height/2 × width/2)."""
    area, height, width = frame_format.height * frame_format.width, frame_format.height, frame_format.width
    return planes[:, :area].reshape(-1, height, width), planes[:, area:].reshape(-1, 2, height // 2, width // 2)


def to_rgb_matrix(frame_format: FrameFormat) -> NDArray[np.float64]:
    """Return the 3×3 matrix from Y, Cb and Cr, in codes above their zero, to R, G and B in codes of the full range.

    By ITU-T H.273.
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
    """Return the factor of luma (in 1/128), the matrix of Cb and Cr (3×2, in 1/4), and the offset (in 1/4).

    The offset subtracts black, and adds 1/2 for rounding.
    """
    matrix = to_rgb_matrix(frame_format)
    gain = float(matrix[0, 0])
    return np.uint16(round(128 * gain)), (4 * matrix[:, 1:]).astype(np.float32), 4 * (0.5 - frame_format.black * gain)


def _chroma_around(chroma: NDArray[np.uint8], numbers: Sequence[int], box: Box) -> NDArray[np.uint8]:
    """Return the chroma of a box with one more row above and below and one more column to the right.

    Beyond the picture its edges are repeated.
    """
    top, left, rows, columns = box
    first, last = top // 2 - 1, (top + rows - 1) // 2 + 2
    end = (left + columns - 1) // 2 + 2
    known = chroma[list(numbers), :, max(first, 0) : last, left // 2 : end]
    missing = (max(-first, 0), max(last - chroma.shape[2], 0)), (0, max(end - chroma.shape[3], 0))
    return np.pad(known, ((0, 0), (0, 0), *missing), "edge") if any(map(any, missing)) else known


def _chroma_part(chroma: NDArray[np.uint8], frame_format: FrameFormat) -> NDArray[np.int16]:
    """Return the part of R, G and B (N×3×H×W, in 1/4) that comes from chroma (N×2×H×W) and the offset."""
    count, _, lines, columns = chroma.shape
    _, factors, added = _factors(frame_format)
    mixed = factors @ (chroma.astype(np.float32) - 128).reshape(count, 2, -1)
    mixed += added
    return np.rint(mixed, out=mixed).astype(np.int16).reshape(count, 3, lines, columns)


def _enlarged(known: NDArray[np.int16]) -> NDArray[np.int16]:
    """Return planes enlarged linearly to twice the height and width, with values eight times as large.

    The outer rows and the last column of ``known`` only serve to interpolate.
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


def _sum(luma: NDArray[np.uint8], chroma_part: NDArray[np.int16], frame_format: FrameFormat) -> NDArray[np.uint8]:
    """Return 8-bit R, G and B from luma and the part of chroma (in 1/32), which is overwritten."""
    luma_part = luma * _factors(frame_format)[0]
    luma_part >>= 2  # from 1/128 to 1/32
    chroma_part += luma_part.view(np.int16)
    chroma_part >>= 5
    return np.clip(chroma_part, 0, 255, out=chroma_part).astype(np.uint8)
