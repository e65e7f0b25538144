"""Resident memory while a film is converted: it must not grow with the number of frames.

    python benchmarks/memory.py --size 320x180 --frames 20000
    python benchmarks/memory.py --size 320x180 --frames 20000 --variable --fps 60
    python benchmarks/memory.py --size 1920x1080 --frames 3000
    python benchmarks/memory.py --size 320x180 --frames 2000 --network super-slomo

A film is generated and converted as by ``vs-interp convert --whole``.  By default the mean of two frames stands in for
the network: it costs next to nothing, and VapourSynth does the same work.  A row is printed for some numbers of frames:
the peak of this process's resident memory in MB over the last :data:`LOOKS` frames.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from trt_build.backends import Backend, Session
from trt_build.backends.base import Check, Picture
from trt_build.model_file import ModelFile
from trt_build.profile import Profile
from vs_interp.films.codecs import Choice
from vs_interp.films.encoding import Encoding
from vs_interp.films.ffmpeg import find_ffmpeg, keep_time_stamps
from vs_interp.films.render import render
from vs_interp.films.source import open_source
from vs_interp.host import resident_memory
from vs_interp.jobs.steps import Interpolation
from vs_interp.memory import restart_with_tuned_malloc

ROWS = (100, 500, 1000, 2000, 3000, 5000, 10000, 15000, 20000)
LOOKS = 50
"""Number of frames before a row at which memory is measured."""


@dataclass(frozen=True, kw_only=True)
class Blend(Backend):
    """A backend that blends both frames, weighted by the time."""

    name = "blend"
    native_planes = False

    @classmethod
    def missing(cls) -> None:
        return None

    def open(self, model: ModelFile, profile: Profile, check: Check | None = None) -> Sequence[Session]:
        return [_Blending(), _Blending()]


class _Blending:
    def run(
        self, window: Sequence[Picture], keys: Sequence[int], times: Sequence[float], out: Sequence[Picture]
    ) -> None:
        for time, picture in zip(times, out, strict=True):
            for first, second, plane in zip(*window, picture, strict=True):
                np.multiply(first, 1 - time, out=plane)
                np.add(plane, second * np.float32(time), out=plane)


def make_film(path: Path, size: str, frames: int, *, variable: bool) -> None:
    """Write a film of constant or variable frame rate."""
    chosen = ["-vf", "select='mod(n,3)+not(mod(n,5))'"] if variable else []
    subprocess.run(
        [find_ffmpeg(), "-v", "error", "-f", "lavfi", "-i", f"testsrc2=s={size}:r=30", *chosen, "-frames:v",
         str(frames), *keep_time_stamps(find_ffmpeg()), "-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset",
         "ultrafast", path],
        check=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip


class Table:
    """Prints the rows; it is called after each frame."""

    def __init__(self) -> None:
        self._done, self._most = 0, 0

    def __call__(self) -> None:
        self._done += 1
        row = next((row for row in ROWS if row >= self._done), None)
        if row is None or self._done <= row - LOOKS:
            return
        self._most = max(self._most, resident_memory() or 0)
        if self._done == row:
            print(f"{row:>8} {self._most / 1e6:>8.1f}", flush=True)
            self._most = 0


def main() -> None:
    restart_with_tuned_malloc()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="320x180")
    parser.add_argument("--frames", type=int, default=20000, help="of the output")
    parser.add_argument("--variable", action="store_true", help="a source of variable rate")
    parser.add_argument("--fps", type=Fraction, help="the wanted rate, instead of twice the source's")
    parser.add_argument("--network", help="what interpolates, instead of the mean of both frames")
    given = parser.parse_args()
    rate: dict[str, Any] = {"factor": Fraction(2)} if given.fps is None else {"fps": given.fps}
    backend: Any = Blend() if given.network is None else None
    step = Interpolation(network=given.network or "super-slomo", backend=backend, **rate)
    with tempfile.TemporaryDirectory(prefix="vs-interp-memory-") as folder:
        source, output = Path(folder) / "in.mkv", Path(folder) / "out.mkv"
        make_film(source, given.size, given.frames // 2 + 100, variable=given.variable)
        film = open_source(source)
        encoding = Encoding.prepare(film, step.apply(film.stream), output, Choice(codec="h264", preset="ultrafast"))
        print(f"{'frames':>8} {'MB':>8}   {given}")
        render(encoding, output, overwrite=False, ahead=8, advance=Table())


if __name__ == "__main__":
    main()
