"""Film in the training device's memory, from which many crops are cut and converted to RGB at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vs_interp.datasets.planar import FrameFormat, PlanarFootage, to_rgb_matrix

from .film import Places

SHARE = 0.5
"""The share of a GPU's free memory that film may take."""


@dataclass(frozen=True)
class ResidentFilm:
    """The frames of a footage as 8-bit planes on a device.

    planes
        The bytes of all frames (:mod:`vs_interp.datasets.planar`), one sequence after the other.
    starts, heights, widths, formats
        For each sequence, its first byte, its size, and the index of its frame format in ``factors``.
    factors
        F×3×4 matrices from (Y, Cb, Cr, 1), with codes from 0 to 255, to RGB in [0, 1].
    """

    planes: Tensor
    starts: Tensor
    heights: Tensor
    widths: Tensor
    formats: Tensor
    factors: Tensor

    @classmethod
    def load(cls, footage: PlanarFootage, device: torch.device) -> ResidentFilm:
        """Copy all frames of a footage to a device."""
        kinds = [sequence.frame_format for sequence in footage.sequences]
        sizes = [length * kind.bytes for length, kind in zip(footage.lengths, kinds, strict=True)]
        starts = np.cumsum(sizes) - sizes
        planes = torch.empty(sum(sizes), dtype=torch.uint8, device=device)
        for number, (start, size) in enumerate(zip(starts.tolist(), sizes, strict=True)):
            planes[start : start + size].copy_(torch.from_numpy(np.array(footage.planes(number)).reshape(-1)))
        known: dict[FrameFormat, int] = {}
        formats = [known.setdefault(kind, len(known)) for kind in kinds]
        heights, widths = [kind.height for kind in kinds], [kind.width for kind in kinds]
        offsets, rows, columns, numbers = (
            torch.tensor(each, device=device) for each in (starts.tolist(), heights, widths, formats)
        )
        factors = torch.from_numpy(np.stack([_factors(kind) for kind in known])).to(device)
        return cls(planes, offsets, rows, columns, numbers, factors)

    def read(self, places: Places, size: tuple[int, int], inputs: int) -> tuple[Tensor, Tensor]:
        """Return samples (K×T×3×H×W in [0, 1]), each from the one of its places with most motion, and their times (K).

        ``size`` is (H, W); ``inputs`` is the number of frames of a window.
        """
        device = self.planes.device
        whole = np.stack((places.sequences, places.tops, places.lefts), -1)
        table = torch.from_numpy(np.concatenate((whole, places.numbers), -1)).to(device)
        times = torch.from_numpy(places.times.astype(np.float32)).to(device)
        best = self._most_motion(table, size, inputs)
        sample = torch.arange(len(table), device=device)
        table = table[sample, best]
        return self._rgb(table[:, 0], table[:, 1], table[:, 2], table[:, 3:], size), times[sample, best]

    def _most_motion(self, table: Tensor, size: tuple[int, int], inputs: int) -> Tensor:
        """Return for each sample the place whose luma differs most between the first and the last input."""
        count, choices, _ = table.shape
        if choices == 1:
            return torch.zeros(count, dtype=torch.int64, device=table.device)
        sequence, top, left, *numbers = table.flatten(0, 1).unbind(-1)
        ends = torch.stack((numbers[0], numbers[inputs - 1]), -1)
        rows, columns = (torch.arange(0, length, 4, device=table.device) for length in size)
        first, last = self._luma(sequence, ends, top[:, None] + rows, left[:, None] + columns).short().unbind(1)
        motion = (last - first).abs_().float().mean((-2, -1)) * self.factors[self.formats[sequence], 0, 0]
        return motion.view(count, choices).argmax(1)

    def _rgb(self, sequence: Tensor, top: Tensor, left: Tensor, numbers: Tensor, size: tuple[int, int]) -> Tensor:
        """Return crops as RGB: K×T×3×H×W.

        Chroma is sited left, and interpolated as :mod:`vs_interp.datasets.planar` does it on the host.
        """
        rows, columns = (torch.arange(length, device=top.device) for length in size)
        rows, columns = top[:, None] + rows, left[:, None] + columns
        luma = self._luma(sequence, numbers, rows, columns).float()
        across, down = columns // 2, rows // 2
        other = down + 2 * (rows % 2) - 1
        chroma = self._chroma(sequence, numbers, down, across, columns) * 0.75
        chroma = chroma.add_(self._chroma(sequence, numbers, other, across, columns), alpha=0.25)
        by = self.factors[self.formats[sequence]]
        colours = torch.einsum("kij,ktjhw->ktihw", by[:, :, 1:3], chroma)
        return colours.add_(luma[:, :, None] * by[:, None, :, :1, None]).add_(by[:, None, :, 3:, None]).clamp_(0, 1)

    def _luma(self, sequence: Tensor, numbers: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        """Return the luma at rows (K×h) and columns (K×w): K×T×h×w."""
        width = self.widths[sequence, None]
        lines = self._frames(sequence, numbers)[:, :, None] + (rows * width)[:, None]
        return self.planes[lines[..., None] + columns[:, None, None]]

    def _chroma(self, sequence: Tensor, numbers: Tensor, rows: Tensor, across: Tensor, columns: Tensor) -> Tensor:
        """Return the chroma of rows (K×h), at luma's columns (K×w): K×T×2×h×w.

        At odd columns it is the mean of two neighbours; edge samples are repeated.
        """
        height, width = self.heights[sequence, None] // 2, self.widths[sequence, None] // 2
        rows = torch.minimum(rows.clamp(min=0), height - 1)
        right = torch.minimum(across + columns % 2, width - 1)
        first = self._frames(sequence, numbers) + 4 * (height * width)
        plane = torch.stack((first, first + height * width), -1)
        lines = plane[..., None] + (rows * width)[:, None, None]
        left, right = (self.planes[lines[..., None] + at[:, None, None, None]] for at in (across, right))
        return (left.float() + right).mul_(0.5)

    def _frames(self, sequence: Tensor, numbers: Tensor) -> Tensor:
        """Return the position of the first byte of frames (K×T)."""
        size = self.heights[sequence, None] * self.widths[sequence, None] * 3 // 2
        return self.starts[sequence, None] + numbers * size


def _factors(kind: FrameFormat) -> NDArray[np.float32]:
    matrix = to_rgb_matrix(kind)
    added = matrix @ (-float(kind.black), -128.0, -128.0)
    return (np.column_stack((matrix, added)) / 255).astype(np.float32)


def fits(footages: Sequence[PlanarFootage], device: torch.device) -> bool:
    """Return whether a device is a GPU with memory for all frames."""
    if device.type != "cuda":
        return False
    wanted = sum(
        length * sequence.frame_format.bytes
        for footage in footages
        for length, sequence in zip(footage.lengths, footage.sequences, strict=True)
    )
    return wanted <= SHARE * torch.cuda.mem_get_info(device)[0]
