"""Measure what VapourSynth costs and what the shared state gains: two ratios, each measured side by side in one run.

    python benchmarks/serve.py
    python benchmarks/serve.py --size 1280x720 --threads 8 --streams 4 --rounds 9

Pipeline over bare loop: frames per second made by ``super_slomo`` in VapourSynth at factor 2, over those of a loop that
runs the same sessions on frames from memory.

Shared over separate: pairs of frames per second that ``super_slomo`` processes at factor 8, computing what does not
depend on the time once a pair, over those of a loop that runs the whole network for each of eight frames (of which the
pipeline passes the first one through).  The possible gain depends on the model: flow at full size, as published, is
48 % of the arithmetic; the two coarser steps of the bundled model are 31 %, and half of the first layer of its
synthesis network another 10 %.

Both sides of a ratio process the same number of windows with the same sessions, alternately; every other round starts
with the other side.  The median of the rounds' ratios is printed, with the lowest and the highest.  Then follows the
same for windows per second of processor time, which other programs disturb less.  Run this on an otherwise idle
machine.
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
    """OpenVINO that compiles once, so that the bare loop and the pipelines use the same sessions, in turn."""

    sessions: list[Session] = field(default_factory=list)

    def open(self, model: ModelFile, profile: Profile, check: Check | None = None) -> Sequence[Session]:
        if not self.sessions:
            self.sessions.extend(super().open(model, profile, check))
        return self.sessions


ROUND = 3_000_000
"""Pixels of the source in a round: so many that the full collection of garbage with which ``frames()`` ends, once a
film but here once a round, is half a percent of it or less."""

Side = Callable[[int], None]
"""Processes a number of windows."""


class Pipeline:
    """``super_slomo`` on a clip in memory; every call requests windows that have not been requested before."""

    def __init__(self, clip: vs.VideoNode, factor: int, backend: Backend) -> None:
        self.made = super_slomo(clip, factor=factor, backend=backend, scene_threshold=None)
        self.factor, self.next = factor, 0

    def __call__(self, windows: int) -> None:
        first, self.next = self.next, self.next + windows * self.factor
        for _ in self.made[first : self.next].frames(close=True):
            pass


class Bare:
    """A loop over sessions, each in a thread, with frames from memory; every window is run for each of ``runs``."""

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
    parser.add_argument("--windows", type=int, help="pairs of frames a round (default: 3 million pixels)")
    parser.add_argument("--model", help="a model file or a name (default: the bundled one)")
    arguments = parser.parse_args()
    width, height = map(int, arguments.size.split("x"))
    backend = Kept(threads=arguments.threads, streams=arguments.streams or "auto")
    profile = Profile(width=width, height=height)
    sessions = backend.open(ModelFile.load(resolve(arguments.model, network="super-slomo")), profile)
    clip = endless_clip(Size(width, height))
    slots = len(sessions)
    windows = arguments.windows or multiple(ROUND // (width * height), slots)
    work = f"{slots} streams, {arguments.rounds} rounds of {windows} pairs"
    print(f"{arguments.size}, OpenVINO on {backend.threads} threads, {work}")

    rounds = compare(Pipeline(clip, 2, backend), Bare(sessions, profile, [[1 / 2]]), arguments.rounds, windows)
    show("pipeline over bare loop, factor 2", rounds, windows)
    eighths = [[(index + 0.5) / 8] for index in range(8)]
    fewer = multiple(windows // 4, slots)
    rounds = compare(Pipeline(clip, 8, backend), Bare(sessions, profile, eighths), arguments.rounds, fewer)
    show("shared state in the pipeline at factor 8 over eight whole runs a pair", rounds, fewer)


def multiple(windows: int, slots: int) -> int:
    """Return about as many windows, the same number for every slot."""
    return max(windows // slots, 1) * slots


@dataclass(frozen=True)
class Spent:
    """Seconds that one side took for a round, and its seconds of processor time, the sum over all threads."""

    wall: float
    processor: float


Round = tuple[Spent, Spent]


def compare(first: Side, second: Side, rounds: int, windows: int) -> list[Round]:
    """Return what both sides took for every round, after one round to warm up."""
    measured = []
    for number in range(rounds + 1):
        if number % 2:
            other = spent(second, windows)
            measured.append((spent(first, windows), other))
        else:
            measured.append((spent(first, windows), spent(second, windows)))
    return measured[1:]


def spent(side: Side, windows: int) -> Spent:
    """Return what one side takes for a number of windows."""
    start, busy = time.perf_counter(), time.process_time()
    side(windows)
    return Spent(time.perf_counter() - start, time.process_time() - busy)


def show(title: str, rounds: Sequence[Round], windows: int) -> None:
    """Print the ratio of windows per second, first side over second, both figures, and the ratio by processor time."""
    left, right = (windows / statistics.median(each.wall for each in side) for side in zip(*rounds, strict=True))
    print(
        f"{title}: {middle([second.wall / first.wall for first, second in rounds])}; "
        f"{left:.2f} against {right:.2f} pairs of frames a second; "
        f"processor time {middle([second.processor / first.processor for first, second in rounds])}",
        flush=True,
    )


def middle(ratios: Sequence[float]) -> str:
    """Return the median, the lowest and the highest as text."""
    return f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})"


if __name__ == "__main__":
    main()
