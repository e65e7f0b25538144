"""The measurements of ``benchmarks/gpu.py`` for one network at one size: its graphs alone, its sessions, its filter."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
import vapoursynth as vs

from benchmarks import torch_eager
from benchmarks.subjects import SUBJECTS, Row
from trt_build.backends import Backend, Session
from trt_build.backends.base import Check
from trt_build.backends.slots import Slot
from trt_build.model_file import ModelFile
from trt_build.profile import PlaneFormat, Profile
from vs_interp import filters
from vs_interp.cli.loops import SOURCES, endless_clip, noise
from vs_interp.registry import network_class
from vs_interp.size import Size

YUV420P8 = PlaneFormat(family="yuv", bits=8, floating=False, subsampling=(1, 1), full_range=False)


@dataclass(frozen=True, kw_only=True)
class Kept(Backend):
    """A backend that opens its sessions once, so that the bare loop and the pipeline use the same ones, in turn."""

    name: ClassVar[str] = "kept"
    of: Backend
    sessions: list[Session] = field(default_factory=list)

    @property
    def native_planes(self) -> bool:
        return self.of.native_planes

    @classmethod
    def missing(cls) -> str | None:
        return None

    def open(self, model: ModelFile, profile: Profile, check: Check | None = None) -> Sequence[Session]:
        if not self.sessions:
            self.sessions.extend(self.of.open(model, profile))
        return self.sessions


@dataclass(frozen=True)
class Rate:
    """Frames made per second, and milliseconds of processor time per frame, the sum over all threads."""

    fps: float
    host: float


@dataclass(frozen=True, kw_only=True)
class Figures:
    """One row of the table; see ``benchmarks/gpu.py``.  ``opened`` is the time of opening the backend in seconds."""

    network: str
    size: str
    factor: int
    streams: int
    opened: float
    alone: float
    bare: float
    pipeline: float
    ratio: float
    bare_host: float
    pipeline_host: float
    eager: float
    floor: float


def measured(row: Row, size: Size, backend: Backend, device: torch.device, seconds: float) -> Figures:
    """Return the figures of one row; each loop runs for ``seconds``."""
    subject = SUBJECTS[row.subject]
    path = subject.model_file()
    model = ModelFile.load(path)
    start = time.perf_counter()
    kept = Kept(of=backend)
    profile = Profile(width=size.width, height=size.height, planes=YUV420P8)
    sessions = kept.open(model, profile)
    opened = time.perf_counter() - start
    times = [index / row.factor for index in range(1, row.factor)] if model.spec.takes_time else model.spec.output.times
    slot = sessions[0]
    assert isinstance(slot, Slot) and times is not None
    alone = graphs_alone(slot, len(times), seconds)
    bare = feed(sessions, model, profile, times, seconds)
    pipeline = play(filtered(row, model, path, size, kept), row, seconds)
    eager = eager_of(row, size, device, seconds)
    return Figures(
        network=row.subject,
        size=str(size),
        factor=row.factor,
        streams=len(sessions),
        opened=opened,
        alone=alone,
        bare=bare.fps,
        pipeline=pipeline.fps,
        ratio=pipeline.fps / bare.fps,
        bare_host=bare.host,
        pipeline_host=pipeline.host,
        eager=eager["fps"],
        floor=eager["floor_fps"],
    )


def graphs_alone(slot: Slot, times: int, seconds: float) -> float:
    """Return the frames per second that the graphs of one slot make from frames already on the GPU."""
    slot.device.activate()
    made, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        if slot._run_state is not None:
            slot._run_state()
        for _ in range(times if slot.bindings.takes_time else 1):
            slot._run_synthesis()
        slot._stream.synchronise()
        made += times
    return made / (time.perf_counter() - start)


def feed(
    sessions: Sequence[Session], model: ModelFile, profile: Profile, times: Sequence[float], seconds: float
) -> Rate:
    """Return the rate of the sessions on frames in memory; each has a thread, which takes the next free window."""
    frames, scale = noise(profile), model.spec.output.scale
    out = [
        [[np.empty((height * scale, width * scale), np.uint8) for height, width in profile.plane_sizes] for _ in times]
        for _ in sessions
    ]
    numbers, lock = itertools.count(), threading.Lock()

    def work(index: int) -> None:
        while True:
            with lock:
                number = next(numbers)
            if number >= len(sessions) and time.perf_counter() > deadline:
                return
            keys = [number + offset for offset in model.spec.window.offsets]
            sessions[index].run([frames[key % SOURCES] for key in keys], keys, times, out[index])
            made[index] += len(times)

    made = [0] * len(sessions)
    start, busy = time.perf_counter(), time.process_time()
    deadline = start + seconds
    with ThreadPoolExecutor(len(sessions)) as pool:
        list(pool.map(work, range(len(sessions))))
    return Rate(sum(made) / (time.perf_counter() - start), 1000 * (time.process_time() - busy) / sum(made))


def filtered(row: Row, model: ModelFile, path: Path, size: Size, backend: Backend) -> vs.VideoNode:
    """Return a clip in memory passed through the filter; the cut detector is on, and finds no cuts."""
    clip = endless_clip(size)
    if model.spec.output.scale > 1:
        return filters.upscale(clip, scale=model.spec.output.scale, model=path, backend=backend)
    make: Callable[..., vs.VideoNode] = getattr(filters, model.spec.name.replace("-", "_"))
    return make(clip, factor=row.factor, model=path, backend=backend, scene_threshold=1)


def play(clip: vs.VideoNode, row: Row, seconds: float) -> Rate:
    """Return the rate at which a clip delivers made frames; source frames passed on do not count."""
    share = (row.factor - 1) / row.factor if row.factor > 1 else 1
    frames = clip.frames(close=True)
    for _ in range(4 * row.factor):
        next(frames)
    asked, start, busy = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - start < seconds or asked % row.factor:
        next(frames)
        asked += 1
    taken, used = time.perf_counter() - start, time.process_time() - busy
    frames.close()
    return Rate(asked * share / taken, 1000 * used / (asked * share))


def eager_of(row: Row, size: Size, device: torch.device, seconds: float) -> dict[str, float]:
    """Return the figures of :func:`benchmarks.torch_eager.measure` for the network with random weights."""
    subject = SUBJECTS[row.subject]
    network = network_class(subject.network).from_config(dict(subject.config)).eval().to(device)
    return torch_eager.measure(network, size, device, device.type == "cuda", seconds=seconds)
