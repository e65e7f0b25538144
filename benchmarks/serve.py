"""What serving costs, and what the shared state gains: two ratios, each measured side by side in one run.

    python benchmarks/serve.py
    python benchmarks/serve.py --size 1280x720 --threads 8 --streams 4 --rounds 9

Pipeline over bare loop: frames made a second by ``super_slomo`` in VapourSynth at factor 2, over those of a loop that
feeds the same sessions from memory.

Shared over separate: pairs of frames a second that ``super_slomo`` works through at factor 8, where what does not
depend on the time is worked out once a pair, over those of the loop where each of the eight frames between one source
frame and the next would be a run of the whole network (the pipeline passes the first of them through).  What can be
gained depends on the model: flow at full size, as published, is 48 % of the arithmetic, the two coarser steps of the
bundled model 31 %, and half of its synthesis network's first layer another 10 %.

Both sides of a ratio work on the same number of windows with the same sessions, in turn, round after round; printed are
the median of the rounds' ratios, and the lowest and highest.  Run it on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import vapoursynth as vs

from trt_build.backends import Backend, OpenVINO, Session
from trt_build.backends.base import Check
from trt_build.model_file import ModelFile
from trt_build.profile import Profile
from vs_interp import super_slomo
from vs_interp.cli.loops import SOURCES, endless_clip, noise
from vs_interp.size import Size
from vs_interp.weights.catalogue import resolve


@dataclass(frozen=True, kw_only=True)
class Kept(OpenVINO):
    """OpenVINO that compiles once: pipelines get the sessions that the bare loop has, and work at other times."""

    sessions: list[Session] = field(default_factory=list)

    def open(self, model: ModelFile, profile: Profile, check: Check | None = None) -> Sequence[Session]:
        if not self.sessions:
            self.sessions.extend(super().open(model, profile, check))
        return self.sessions


class Pipeline:
    """``super_slomo`` on a clip in memory; every call asks for windows that no call asked for before."""

    def __init__(self, clip: vs.VideoNode, factor: int, backend: Backend) -> None:
        self.made = super_slomo(clip, factor=factor, backend=backend, scene_threshold=None)
        self.factor, self.next = factor, 0

    def __call__(self, windows: int) -> None:
        first, self.next = self.next, self.next + windows * self.factor
        for _ in self.made[first : self.next].frames(close=True):
            pass


class Bare:
    """A loop over sessions with a thread each, fed from memory: ``runs`` of some times each for every window."""

    def __init__(self, sessions: Sequence[Session], profile: Profile, runs: Sequence[Sequence[float]]) -> None:
        self.sessions, self.runs, self.frames, self.next = sessions, runs, noise(profile), 0
        most = max(map(len, runs))
        self.out = [[[np.empty_like(p) for p in self.frames[0]] for _ in range(most)] for _ in sessions]

    def __call__(self, windows: int) -> None:
        numbers = range(self.next, self.next + windows)
        self.next += windows
        slots = len(self.sessions)
        with ThreadPoolExecutor(slots) as pool:
            list(pool.map(lambda slot: self._work(slot, numbers[slot::slots]), range(slots)))

    def _work(self, slot: int, numbers: Sequence[int]) -> None:
        for number in numbers:
            keys = number, number + 1
            window = [self.frames[key % SOURCES] for key in keys]
            for times in self.runs:
                self.sessions[slot].run(window, keys, times, self.out[slot][: len(times)])


def main() -> None:
    """Print both ratios."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", default="640x360", help="width and height of the clip (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=OpenVINO().threads, help="threads of OpenVINO (default: all)")
    parser.add_argument("--streams", type=int, help="windows worked on at the same time (default: one a thread)")
    parser.add_argument("--rounds", type=int, default=7, help="rounds of both sides (default: %(default)s)")
    parser.add_argument("--windows", type=int, default=24, help="pairs of frames a round (default: %(default)s)")
    parser.add_argument("--model", help="a model file or a name (default: the bundled one)")
    arguments = parser.parse_args()
    width, height = map(int, arguments.size.split("x"))
    backend = Kept(threads=arguments.threads, streams=arguments.streams or "auto")
    profile = Profile(width=width, height=height)
    sessions = backend.open(ModelFile.load(resolve(arguments.model, network="super-slomo")), profile)
    clip = endless_clip(Size(width, height))
    work = f"{len(sessions)} streams, {arguments.rounds} rounds of {arguments.windows} pairs"
    print(f"{arguments.size}, OpenVINO on {backend.threads} threads, {work}")

    pairs = compare(Pipeline(clip, 2, backend), Bare(sessions, profile, [[1 / 2]]), arguments.rounds, arguments.windows)
    show("pipeline over bare loop, factor 2", pairs, arguments.windows)
    eighths = [[(index + 0.5) / 8] for index in range(8)]
    fewer = max(1, arguments.windows // 4 // len(sessions)) * len(sessions)  # every slot works on as many
    pairs = compare(Pipeline(clip, 8, backend), Bare(sessions, profile, eighths), arguments.rounds, fewer)
    show("shared state in the pipeline at factor 8 over eight whole runs a pair", pairs, fewer)


def compare(
    first: Callable[[int], None], second: Callable[[int], None], rounds: int, windows: int
) -> list[tuple[float, float]]:
    """Return the seconds of both sides, round by round; a round before them, which warms up, does not count."""
    measured = [(seconds(first, windows), seconds(second, windows)) for _ in range(rounds + 1)]
    return measured[1:]


def seconds(side: Callable[[int], None], windows: int) -> float:
    """Return how long one side takes for so many windows."""
    start = time.perf_counter()
    side(windows)
    return time.perf_counter() - start


def show(title: str, pairs: Sequence[tuple[float, float]], windows: int) -> None:
    """Print the ratio of windows a second, the first side over the second, and both figures."""
    ratios = [second / first for first, second in pairs]
    left, right = (windows / statistics.median(side) for side in zip(*pairs, strict=True))
    print(
        f"{title}: {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f}); "
        f"{left:.2f} against {right:.2f} pairs of frames a second",
        flush=True,
    )


if __name__ == "__main__":
    main()
