"""Chunks of arrays as footage: the ``frames`` of each row, grey or colour, are a sequence."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from pathlib import Path

import numpy as np

from vs_interp.errors import DatasetError
from vs_interp.size import Size

from .chunks import Chunks
from .footage import Box, Footage, Frames

SHIFT = 2
"""Bits that 10-bit counts (such as Meteosat's) lose when they become bytes."""


class ChunkedFootage(Footage):
    """The sequences of a folder of chunks whose rows have ``frames``: T×H×W or T×H×W×3, bytes or 10-bit counts.

    Raises :class:`DatasetError` if the folder does not hold such chunks.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.chunks = folder, Chunks(folder)
        first = self.chunks[0].get("frames")
        if first is None or first.dtype not in (np.uint8, np.uint16) or first.ndim not in (3, 4):
            raise DatasetError(f"{folder} has no array frames of T×H×W or T×H×W×3 bytes or 10-bit counts: write that")
        self.lengths = (len(first),) * len(self.chunks)
        self._size = Size.of(first.shape[1:3])

    def __reduce__(self) -> tuple[type[ChunkedFootage], tuple[Path]]:
        return ChunkedFootage, (self.folder,)

    def name(self, sequence: int) -> str:
        return f"{self.folder.name}-{sequence}"

    def frame_size(self, sequence: int) -> Size:
        return self._size

    def origin(self, sequence: int) -> Hashable:
        return str(self.folder.resolve()), sequence

    def fingerprint(self) -> str:
        return self.chunks.digest

    def _read(self, sequence: int, numbers: Sequence[int], box: Box) -> Frames:
        top, left, height, width = box
        frames = self.chunks[sequence]["frames"][list(numbers), top : top + height, left : left + width]
        codes = (frames >> SHIFT).clip(0, 255).astype(np.uint8) if frames.dtype == np.uint16 else np.array(frames)
        return codes if codes.ndim == 4 else np.repeat(codes[..., None], 3, 3)

    def check(self) -> Iterator[str | None]:
        """Compare every file with its SHA-256; see :meth:`Chunks.check`."""
        return self.chunks.check()
