"""Pictures of different sizes in one tensor, from which many parts are cut at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vs_interp.datasets.pictures import list_pictures, read_picture
from vs_interp.errors import DatasetError

type Numbers = NDArray[np.int64]
"""Indices of pictures, or numbers of pixels."""

COLOUR = 0x00FFFFFF
"""The bits of a pixel that hold red, green and blue; the upper ones hold coverage."""


@dataclass(frozen=True)
class Textures:
    """Pictures with coverage (alpha).

    pixels
        The pixels of all pictures, row by row: red, green, blue and coverage as the four bytes of an int32.
    starts, heights, widths
        The first pixel of each picture, and its size.
    """

    pixels: Tensor
    starts: Numbers
    heights: Numbers
    widths: Numbers

    @classmethod
    def of(cls, pictures: Sequence[NDArray[np.uint8]]) -> Textures:
        """Return pictures (each h×w×4 bytes) as textures."""
        heights, widths = (np.array([picture.shape[axis] for picture in pictures], np.int64) for axis in (0, 1))
        pixels = np.concatenate([picture.reshape(-1, 4) for picture in pictures]).view(np.int32)[:, 0]
        areas = heights * widths
        return cls(torch.from_numpy(pixels), np.cumsum(areas) - areas, heights, widths)

    def to(self, device: torch.device) -> Textures:
        """Return the same textures on ``device``."""
        return replace(self, pixels=self.pixels.to(device))

    def mirrored(self, pictures: Numbers, tops: Numbers, lefts: Numbers, size: tuple[int, int]) -> Tensor:
        """Return parts of K pictures as K×3×h×w in [0, 1], mirrored beyond the edges."""
        rows, columns = self._places(tops, lefts, size)
        rows, columns = (
            self._reflected(places, lengths[pictures])
            for places, lengths in ((rows, self.heights), (columns, self.widths))
        )
        return _unpacked(self._read(pictures, rows, columns))[:, :3]

    def cut_out(
        self, colours: Numbers, covers: Numbers, tops: Numbers, lefts: Numbers, size: tuple[int, int]
    ) -> Tensor:
        """Return parts of K pictures as K×4×h×w in [0, 1], with the colours of one and the coverage of another.

        Pixels outside of either are 0.
        """
        rows, columns = self._places(tops, lefts, size)
        heights, widths = (self._column(lengths) for lengths in self.common(colours, covers).T)
        inside = ((rows >= 0) & (rows < heights))[:, :, None] & ((columns >= 0) & (columns < widths))[:, None]
        rows, columns = torch.minimum(rows.clamp(min=0), heights - 1), torch.minimum(columns.clamp(min=0), widths - 1)
        colour, cover = (self._read(pictures, rows, columns) for pictures in (colours, covers))
        return _unpacked(((colour & COLOUR) | (cover & ~COLOUR)) * inside)

    def common(self, first: Numbers, second: Numbers) -> Numbers:
        """Return the smaller height and the smaller width of pairs of pictures: K×2."""
        sides = (self.heights, self.widths)
        return np.stack([np.minimum(lengths[first], lengths[second]) for lengths in sides], -1)

    def _places(self, tops: Numbers, lefts: Numbers, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Return the row numbers (K×h) and column numbers (K×w) of the parts."""
        rows, columns = (torch.arange(length, device=self.pixels.device) for length in size)
        return rows + self._column(tops), columns + self._column(lefts)

    def _reflected(self, places: Tensor, lengths: Numbers) -> Tensor:
        """Return places reflected into 0 … length − 1."""
        length = self._column(lengths)
        places = places.remainder(2 * length)
        return torch.minimum(places, 2 * length - 1 - places)

    def _read(self, pictures: Numbers, rows: Tensor, columns: Tensor) -> Tensor:
        """Return the packed pixels at rows and columns of each picture: K×h×w."""
        lines = self._column(self.starts[pictures]) + rows * self._column(self.widths[pictures])
        return self.pixels[lines[:, :, None] + columns[:, None]]

    def _column(self, numbers: Numbers) -> Tensor:
        return torch.from_numpy(numbers).to(self.pixels.device)[:, None]


def _unpacked(pixels: Tensor) -> Tensor:
    """Return packed pixels (K×h×w) as K×4×h×w in [0, 1]."""
    four = pixels.view(torch.uint8).view(*pixels.shape, 4).permute(0, 3, 1, 2)
    return four.to(torch.float32, memory_format=torch.contiguous_format).mul_(1 / 255)


def read_pictures(folder: Path) -> list[NDArray[np.uint8]]:
    """Return the pictures of a folder, h×w×4 bytes each.

    Raises :class:`DatasetError` if there are none, or one cannot be read.
    """
    names = sorted(list_pictures(folder)) if folder.is_dir() else []  # the order that recorded runs depend on
    if not names:
        raise DatasetError(f"{folder} holds no pictures: give a folder of .png or .jpg files")
    return [read_picture(folder / name, "RGBA") for name in names]
