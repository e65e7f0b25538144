"""A small film with cuts and still frames, of which it is known what is kept to train on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .video import ffmpeg

HEIGHT, WIDTH = 48, 64
RUNS = {0: 6, 6: 4, 12: 5}
"""First frame and length of the runs in :func:`film_frames`."""


def picture(scene: int, moment: int) -> NDArray[np.uint8]:
    """Return the planes of waves that move by two pixels a moment; scenes differ in brightness and in colour."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    luma = 90 + 100 * (scene % 2) + 30 * np.sin((columns + 2 * moment) / 6 + rows / 9)
    chroma = np.full((2, HEIGHT // 2, WIDTH // 2), 110 + 40 * (scene % 2)) + np.arange(WIDTH // 2) / 4
    return np.concatenate((luma.ravel(), chroma.ravel())).astype(np.uint8)


def film_frames() -> list[NDArray[np.uint8]]:
    """Six frames that move, the last of them again and three that move on, a cut, two alone, a cut, five that move."""
    first = [(0, moment) for moment in (0, 1, 2, 3, 4, 5, 5, 6, 7, 8)]
    return [picture(*moment) for moment in [*first, (1, 0), (1, 1), *((2, moment) for moment in range(5))]]


def write_video(path: Path, frames: Sequence[NDArray[np.uint8]], *arguments: str) -> Path:
    """Write planes without loss."""
    raw = path.with_suffix(".raw")
    raw.write_bytes(b"".join(frame.tobytes() for frame in frames))
    ffmpeg("-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{WIDTH}x{HEIGHT}", "-r", "24", "-i", raw,
           "-c:v", "ffv1", *arguments, path)  # fmt: skip
    raw.unlink()
    return path
