"""The loops that ``vs-interp bench`` measures: sessions fed from memory, and the filter on a clip in memory."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import DTypeLike

from vs_interp.size import Size

if TYPE_CHECKING:
    import vapoursynth as vs

    from trt_build.backends import Picture, Session
    from trt_build.profile import Profile

SOURCES = 8
"""Number of noise frames that are repeated; the content of a frame does not change a network's speed."""

ENDLESS = 1 << 20
"""Length of the clip: more frames than a loop requests."""


@dataclass(frozen=True)
class Loop:
    """The frames made in a loop, its duration in seconds, and the processor time in seconds, all threads together."""

    frames: int
    seconds: float
    processor: float

    @property
    def fps(self) -> float:
        """Frames per second."""
        return self.frames / self.seconds

    @property
    def host(self) -> float:
        """Processor time per frame in milliseconds, which includes the inference of a CPU backend."""
        return 1000 * self.processor / self.frames

    def times(self, count: int) -> Loop:
        """Return the same loop with each frame counted ``count`` times."""
        return replace(self, frames=self.frames * count)


def feed(
    sessions: Sequence[Session],
    offsets: Sequence[int],
    profile: Profile,
    *,
    times: Sequence[float],
    planes: Sequence[tuple[tuple[int, int], DTypeLike]],
    seconds: float,
) -> Loop:
    """Run windows on all sessions for some seconds, one thread per session taking the next window; windows count.

    ``planes`` are the shapes and types of the planes that sessions output.
    """
    frames, numbers, lock = noise(profile), itertools.count(), threading.Lock()
    outputs = [[[np.empty(shape, kind) for shape, kind in planes] for _ in times] for _ in sessions]

    def work(slot: int) -> None:
        with lock:
            number = next(numbers)
        keys = [number + offset for offset in offsets]
        sessions[slot].run([frames[key % SOURCES] for key in keys], keys, times, outputs[slot])

    def repeat(slot: int) -> int:
        done = 0
        while time.perf_counter() < deadline or not done:
            work(slot)
            done += 1
        return done

    for slot in range(len(sessions)):
        work(slot)
    watch, deadline = _Watch(), time.perf_counter() + seconds
    with ThreadPoolExecutor(len(sessions)) as pool:
        return watch.stop(sum(pool.map(repeat, range(len(sessions)))))


def play(clip: vs.VideoNode, factor: int, streams: int, seconds: float) -> Loop:
    """Request frame after frame of a clip for some seconds, after a warm-up.

    Only frames that are made count: with a ``factor`` above 1, one frame in ``factor`` is a source frame.
    """
    warm_up = factor * (streams + 1)
    frames = clip.frames(close=True)
    for _ in range(warm_up):
        next(frames)
    watch, deadline = _Watch(), time.perf_counter() + seconds
    requested = 0
    while time.perf_counter() < deadline or requested < factor:
        next(frames)
        requested += 1
    frames.close()
    return watch.stop(requested * (factor - 1) / factor if factor > 1 else requested)


def noise(profile: Profile) -> list[Picture]:
    """Return :data:`SOURCES` frames of noise in the profile's size and format."""
    random = np.random.default_rng(1)
    planes = profile.planes
    top = 1.0 if planes.floating else 2.0**planes.bits - 1
    return [
        [(random.random(size, np.float32) * top).astype(planes.dtype) for size in profile.plane_sizes]
        for _ in range(SOURCES)
    ]


def endless_clip(size: Size, *, grey: bool = False) -> vs.VideoNode:
    """Return a clip of noise held in memory, 8-bit YUV 4:2:0 or GRAY."""
    import vapoursynth as vs

    from trt_build.profile import PlaneFormat, Profile

    form = PlaneFormat(family="yuv", bits=8, floating=False, subsampling=(1, 1))
    blank = vs.core.std.BlankClip(
        width=size.width, height=size.height, format=vs.YUV420P8, length=ENDLESS, fpsnum=24, fpsden=1, keep=True
    )
    frames = []
    for picture in noise(Profile(width=size.width, height=size.height, planes=form)):
        frame = blank.get_frame(0).copy()
        for plane, values in enumerate(picture):
            np.asarray(frame[plane])[...] = values
        frames.append(frame)

    def pick(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        return frames[n % SOURCES]

    clip = blank.std.ModifyFrame(blank, pick)
    return clip.std.ShufflePlanes(0, vs.GRAY) if grey else clip


class _Watch:
    """Measures wall and processor time from its creation on."""

    def __init__(self) -> None:
        self._start, self._busy = time.perf_counter(), time.process_time()

    def stop(self, frames: float) -> Loop:
        return Loop(round(frames), time.perf_counter() - self._start, time.process_time() - self._busy)
