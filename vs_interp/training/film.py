"""Windows of consecutive frames from a film, held as one memory-mapped file of RGB frames beside an index."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import DatasetError
from ..ffmpeg import find_ffmpeg

FRAMES, INDEX = "frames.rgb", "index.json"

CUT = 24.0
"""Mean absolute difference of two frames (0–255) above which a cut lies between them."""

STILL = 0.35
"""Mean absolute difference below which two frames count as the same picture."""


@dataclass(frozen=True)
class Film:
    """Frames as T×H×W×3 bytes, and the mean absolute difference of each frame to the next (T − 1 values)."""

    frames: NDArray[np.uint8]
    differences: NDArray[np.float64]

    @classmethod
    def open(cls, folder: Path) -> Film:
        """Map a folder that :func:`make_film` wrote.  Raises :class:`DatasetError` where it is missing or short."""
        try:
            index = json.loads((folder / INDEX).read_text())
        except FileNotFoundError as error:
            raise DatasetError(
                f"{folder} holds no {INDEX}: make the film first (python -m vs_interp.training.film)"
            ) from error
        shape = (index["frames"], index["height"], index["width"], 3)
        size = (folder / FRAMES).stat().st_size
        if size != np.prod(shape):
            raise DatasetError(
                f"{folder / FRAMES} has {size} bytes where {np.prod(shape)} were expected: make it again"
            )
        frames = np.memmap(folder / FRAMES, np.uint8, "r", shape=shape)
        return cls(frames, np.asarray(index["differences"], np.float64))

    def windows(self, gap: int) -> NDArray[np.int64]:
        """Return the first frames of all windows of ``gap`` + 1 frames that hold no cut and no still frame."""
        bad = (self.differences > CUT) | (self.differences < STILL)
        running = np.concatenate(([0], np.cumsum(bad)))
        return np.flatnonzero(running[gap:] == running[:-gap])


def make_film(video: Path, folder: Path, width: int, height: int) -> Film:
    """Decode ``video`` with ffmpeg to ``width``×``height`` RGB frames in ``folder``, and note how frames differ."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [
        find_ffmpeg(), "-v", "error", "-nostdin", "-i", str(video), "-vf", f"scale={width}:{height}:flags=bicubic",
        "-f", "rawvideo", "-pix_fmt", "rgb24", "-y", str(folder / FRAMES),
    ]  # fmt: skip
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise DatasetError(f"ffmpeg could not decode {video}: {result.stderr.strip().splitlines()[-1]}")
    count = (folder / FRAMES).stat().st_size // (width * height * 3)
    frames = np.memmap(folder / FRAMES, np.uint8, "r", shape=(count, height, width, 3))
    differences, previous = [], frames[0, ::4, ::4].astype(np.int16)
    for frame in frames[1:]:
        current = frame[::4, ::4].astype(np.int16)
        differences.append(round(float(np.abs(current - previous).mean()), 3))
        previous = current
    index = {"frames": count, "width": width, "height": height, "differences": differences}
    (folder / INDEX).write_text(json.dumps(index))
    return Film.open(folder)


if __name__ == "__main__":
    import argparse

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("video", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", default="640x360", help="frames are scaled to it (default: %(default)s)")
    arguments = parser.parse_args()
    columns, lines = map(int, arguments.size.split("x"))
    film = make_film(arguments.video, arguments.folder, columns, lines)
    print(f"{len(film.frames)} frames, {len(film.windows(2))} windows of 3 without cuts and still frames")
