"""Runs: consecutive frames of a video without cuts and without repeated frames."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FEWEST = 3
"""Frames of the shortest run that is used: two, and one between them."""


_FROM = ", from frame "


class Frame(NamedTuple):
    """A frame of a video.

    number
        Its number in the file, from 0.
    planes
        Its bytes, see :data:`~vs_interp.datasets.planar.Planes`.
    difference
        Mean absolute difference (0–255) to the previous frame; ``None`` for the first frame of a run.
    """

    number: int
    planes: NDArray[np.uint8]
    difference: float | None


def run_name(video: str, number: int) -> str:
    """Return the name of the run that begins with a frame of a video."""
    return f"{video}{_FROM}{number}"


def frame_name(sequence: str, number: int) -> str:
    """Return the name of a frame of a sequence; in a run, with its number in the video."""
    video, run, first = sequence.rpartition(_FROM)
    return f"{video}, frame {int(first) + number}" if run and first.isdecimal() else f"{sequence}, frame {number}"
