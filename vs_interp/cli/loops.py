"""The two loops of ``vs-interp bench``: sessions fed from memory, and the VapourSynth filter on a clip in memory."""

from __future__ import annotations

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
"""Different frames of noise that are repeated; what a frame shows does not change the speed of a network."""

ENDLESS = 1 << 20
"""Frames of the clip: more than a loop asks for."""


@dataclass(frozen=True)
class Loop:
    """Frames made in a loop, the seconds it took, and the seconds for which processor cores were busy, added up."""

    frames: int
    seconds: float
    processor: float

    @property
    def fps(self) -> float:
        """Frames made a second."""
        return self.frames / self.seconds

    @property
    def host(self) -> float:
        """Milliseconds of processor time a frame; with a CPU backend its inference is part of it."""
        return 1000 * self.processor / self.frames

    def times(self, count: int) -> Loop:
        """Return the same loop, each of its frames counted so many times."""
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
    """Work on window after window, one thread a session, dealt in turn as the serving node does; windows count.

    ``planes`` are the shapes and types of the planes that sessions give.
    """
    frames = noise(profile)
    outputs = [[[np.empty(shape, kind) for shape, kind in planes] for _ in times] for _ in sessions]

    def work(slot: int, number: int) -> None:
        keys = [number + offset for offset in offsets]
        sessions[slot].run([frames[key % SOURCES] for key in keys], keys, times, outputs[slot])

    def repeat(slot: int) -> int:
        number = slot
        while time.perf_counter() < deadline or number < len(sessions):
            number += len(sessions)
            work(slot, number)
        return number // len(sessions)

    for slot in range(len(sessions)):
        work(slot, slot)
    watch, deadline = _Watch(), time.perf_counter() + seconds
    with ThreadPoolExecutor(len(sessions)) as pool:
        return watch.stop(sum(pool.map(repeat, range(len(sessions)))))


def play(clip: vs.VideoNode, factor: int, streams: int, seconds: float) -> Loop:
    """Ask a clip for frame after frame; those that are made count, not the source frames, one in ``factor`` above 1."""
    warm_up = factor * (streams + 1)
    frames = clip.frames(close=True)
    for _ in range(warm_up):
        next(frames)
    watch, deadline = _Watch(), time.perf_counter() + seconds
    asked = 0
    while time.perf_counter() < deadline or asked < factor:
        next(frames)
        asked += 1
    frames.close()
    return watch.stop(asked * (factor - 1) / factor if factor > 1 else asked)


def noise(profile: Profile) -> list[Picture]:
    """Return :data:`SOURCES` frames in planes of the profile."""
    random = np.random.default_rng(1)
    planes = profile.planes
    top = 1.0 if planes.floating else 2.0**planes.bits - 1
    return [
        [(random.random(size, np.float32) * top).astype(planes.dtype) for size in profile.plane_sizes]
        for _ in range(SOURCES)
    ]


def endless_clip(size: Size, *, grey: bool = False) -> vs.VideoNode:
    """Return a clip of noise, YUV 4:2:0 in 8 bits (or its luma alone), whose frames lie in memory."""
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
    def __init__(self) -> None:
        self._start, self._busy = time.perf_counter(), time.process_time()

    def stop(self, frames: float) -> Loop:
        return Loop(round(frames), time.perf_counter() - self._start, time.process_time() - self._busy)
