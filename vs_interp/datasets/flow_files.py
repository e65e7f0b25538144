"""True optical flow in ``.flo`` files, the format of Middlebury, Sintel and FlyingChairs."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vs_interp.errors import DatasetError

from .pictures import Clip, Pictures

MAGIC, UNKNOWN = 202021.25, 1e9
"""The float with which every file begins, and the size beyond which a component stands for unknown motion."""


_HEADER = struct.Struct("<fii")
"""The magic number, width and height."""


class PicturesWithFlow(Pictures):
    """Picture files with a file of the flow to the next picture for each but the last of a sequence.

    ``flows`` are the paths of these files by sequence, relative to ``root``.
    """

    def __init__(self, root: Path, clips: Sequence[Clip], flows: Sequence[Sequence[str]]) -> None:
        super().__init__(root, clips)
        self.flows = tuple(flows)

    def flow(self, sequence: int, number: int) -> NDArray[np.float32] | None:
        path = self.root / self.flows[sequence][number]
        found, size = read_flow(path), self.frame_size(sequence)
        if found.shape[:2] != (size.height, size.width):
            raise DatasetError(
                f"{path} has a flow of {found.shape[1]}x{found.shape[0]} pixels, but its picture has {size}"
            )
        return found


def read_flow(path: Path) -> NDArray[np.float32]:
    """Return the flow of a ``.flo`` file as H×W×2 (right, down) in pixels, NaN where it is unknown.

    Raises :class:`DatasetError` if the file cannot be read, is not a ``.flo`` file or is truncated.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path} cannot be read ({error.strerror}), and the flow was expected there") from error
    magic, width, height = _HEADER.unpack_from(content) if len(content) >= _HEADER.size else (0.0, 0, 0)
    if magic != MAGIC or min(width, height) < 1 or len(content) != _HEADER.size + 8 * width * height:
        raise DatasetError(f"{path} is not a .flo file, or it is truncated: fetch it again")
    flow = np.frombuffer(content, "<f4", offset=_HEADER.size).reshape(height, width, 2).astype(np.float32)
    flow[(np.abs(flow) > UNKNOWN).any(2) | np.isnan(flow).any(2)] = np.nan
    return flow
