"""Optical flow whose truth lies in ``.flo`` files, the format of Middlebury, Sintel and FlyingChairs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vs_interp.errors import DatasetError

from .pictures import Clip, Pictures

MAGIC, UNKNOWN = 202021.25, 1e9
"""What every file begins with, and the length from which on a vector stands for "not known"."""


class PicturesWithFlow(Pictures):
    """Picture files of which each, but a sequence's last, has a file with the flow to the next.

    ``flows`` are those files by sequence, below ``root``.
    """

    def __init__(self, root: Path, clips: Sequence[Clip], flows: Sequence[Sequence[str]]) -> None:
        super().__init__(root, clips)
        self.flows = tuple(flows)

    def flow(self, sequence: int, number: int) -> NDArray[np.float32] | None:
        path = self.root / self.flows[sequence][number]
        found, size = read_flow(path), self.frame_size(sequence)
        if found.shape[:2] != (size.height, size.width):
            raise DatasetError(
                f"{path} has the flow of {found.shape[1]}x{found.shape[0]} pixels, its picture has {size}"
            )
        return found


def read_flow(path: Path) -> NDArray[np.float32]:
    """Return a ``.flo`` file as H×W×2 (right, down), NaN where it is not known.  Raises :class:`DatasetError`."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path} cannot be read ({error.strerror}), and the flow was expected there") from error
    magic = np.frombuffer(content[:4], "<f4")
    width, height = np.frombuffer(content[4:12], "<i4").tolist() if len(content) >= 12 else (0, 0)
    if magic.tolist() != [MAGIC] or min(width, height) < 1 or len(content) != 12 + 8 * width * height:
        raise DatasetError(f"{path} is no .flo file, or not a whole one: fetch it again")
    flow = np.frombuffer(content, "<f4", offset=12).reshape(height, width, 2).astype(np.float32)
    flow[(np.abs(flow) > UNKNOWN).any(2) | np.isnan(flow).any(2)] = np.nan
    return flow
