"""Measure what bfloat16 saves and loses on a CPU, against FP32.

    python benchmarks/bfloat.py rife-4.25 span-x2 --clips a.mp4,b.mp4 --sizes 1280x720,1920x1080

A row has the PSNR in dB of frames made in bfloat16 against those made in FP32, of the pair of frames where it is worst,
the largest error and the one that all but one sample in 10,000 keep within, in 8-bit codes, the milliseconds of
processor time of both on one thread (the least of ``--rounds`` in turn), and their ratio.  From every clip come two
windows in its middle: neighbouring frames, and frames three apart.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from trt_build.backends import OpenVINO, Session
from trt_build.model_file import ModelFile
from trt_build.profile import GRAYS, RGBS, Profile
from vs_interp.spec import NetworkSpec
from vs_interp.weights.catalogue import find

Frame = NDArray[np.float32]

FIRST = 20
"""The frame of a clip with which its windows begin."""

APART = 1, 3
"""Steps between the frames of a window."""


def windows(clip: Path, spec: NetworkSpec, profile: Profile) -> Iterator[list[Frame]]:
    """Yield a clip's windows, resized, as channels × height × width in [0, 1]."""
    count = len(spec.window.offsets)
    with av.open(str(clip)) as container:
        shown = list(islice(container.decode(video=0), FIRST, FIRST + 1 + (count - 1) * max(APART)))
    for step in APART if count > 1 else APART[:1]:
        chosen = [frame.reformat(profile.width, profile.height, "rgb24") for frame in shown[::step][:count]]
        frames = [np.moveaxis(frame.to_ndarray(), 2, 0).astype(np.float32) / np.float32(255) for frame in chosen]
        yield [frame.mean(0, keepdims=True) for frame in frames] if spec.window.channels == 1 else frames


class Runner:
    """A model in one precision; no two windows have the same keys, so that no state is kept."""

    def __init__(self, model: ModelFile, profile: Profile, precision: str) -> None:
        runtime = OpenVINO(threads=1, streams=1, precision=precision)  # type: ignore[arg-type]
        self.session: Session = runtime.open(model, profile)[0]
        self.spec, self.next = model.spec, 0
        size = model.spec.made_size(profile.height, profile.width)
        self.out = np.empty((model.spec.pictures, model.spec.output.channels, *size), np.float32)

    def __call__(self, window: Sequence[Frame]) -> float:
        """Run the window, into ``out``, and return the seconds of processor time that it took."""
        keys = range(self.next, self.next + len(window))
        self.next = keys.stop
        start = time.process_time()
        self.session.run([list(frame) for frame in window], keys, self.spec.output.times or [0.5],
                         [list(picture) for picture in self.out])  # fmt: skip
        return time.process_time() - start


def row(name: str, size: str, clips: Sequence[Path], rounds: int) -> str:
    """Return a row of the table."""
    model, (width, height) = ModelFile.load(find(name).model_file), map(int, size.split("x"))
    planes = GRAYS if model.spec.window.channels == 1 else RGBS
    profile = Profile(width=width, height=height, planes=planes)
    exact, rounded = (Runner(model, profile, precision) for precision in ("fp32", "bf16"))
    worst = (np.inf, 0.0, 0.0)
    for window in (window for clip in clips for window in windows(clip, model.spec, profile)):
        exact(window)
        rounded(window)
        error = 255 * np.abs(exact.out.clip(0, 1) - rounded.out.clip(0, 1))
        psnr = float(10 * np.log10(255**2 / np.square(error, dtype=np.float64).mean()))
        worst = min(worst, (psnr, float(error.max()), float(np.quantile(error, 1 - 1e-4))))
    spent = [[1000 * side(window) for side in (exact, rounded)] for _ in range(rounds)]
    slow, fast = map(min, zip(*spent, strict=True))
    psnr, most, usual = worst
    return (
        f"| {name} | {size} | {psnr:.1f} dB | {most:.1f} | {usual:.1f} | {slow:.0f} | {fast:.0f} | {fast / slow:.2f} |"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="+", help="entries of the catalogue whose model files are here")
    parser.add_argument("--clips", required=True, help="video files")
    parser.add_argument("--sizes", default="640x360,1280x720,1920x1080")
    parser.add_argument("--rounds", type=int, default=4)
    arguments = parser.parse_args()
    clips = [Path(clip) for clip in arguments.clips.split(",")]
    print("| network | size | PSNR | worst | all but one in 10,000 | FP32, ms | bfloat16, ms | ratio |")
    print("|---" * 8 + "|", flush=True)
    for name in arguments.names:
        for size in arguments.sizes.split(","):
            print(row(name, size, clips, arguments.rounds), flush=True)


if __name__ == "__main__":
    main()
