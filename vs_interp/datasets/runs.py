"""Runs: consecutive frames of a video without a cut or a still pair between them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FEWEST = 3
"""Frames of the shortest run that is kept: two, and one to make between them."""


class Frame(NamedTuple):
    """A frame of a video.

    ``number``: counted from 0 in the file; ``planes``: see :class:`~vs_interp.datasets.planar.FrameFormat`;
    ``difference``: mean absolute difference (0–255) to the frame before, ``None`` where a run begins.
    """

    number: int
    planes: NDArray[np.uint8]
    difference: float | None


def run_name(video: str, number: int) -> str:
    """Return what a run that begins with a frame of a video is called."""
    return f"{video}, from frame {number}"
