"""The measurements of ``benchmarks/gpu.py`` for one network at one size: its graphs alone, its sessions, its filter."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import torch
import vapoursynth as vs

from benchmarks import torch_eager
from benchmarks.subjects import SUBJECTS, Row
from trt_build.backends import Backend, Session
from trt_build.backends.base import Check
from trt_build.backends.slots import Slot
from trt_build.model_file import ModelFile
from trt_build.profile import PlaneFormat, Profile, made_profile
from vs_interp import filters
from vs_interp.cli.loops import endless_clip, feed, play
from vs_interp.registry import network_class
from vs_interp.size import Size

FEWEST = 40
"""Frames that a loop makes at least: with fewer, as of a slow network, its start and end would distort the rate."""

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
    """Return the figures of one row; each loop runs for ``seconds``, or longer until it makes :data:`FEWEST` frames."""
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
    seconds = max(seconds, FEWEST / alone)
    made = made_profile(model.spec, profile)
    planes = [(shape, made.planes.dtype) for shape in made.plane_sizes]
    windows = feed(sessions, model.spec.window.offsets, profile, times=times, planes=planes, seconds=seconds)
    bare = windows.times(len(times))
    pipeline = play(filtered(row, model, path, size, kept), row.factor, len(sessions), seconds)
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


def filtered(row: Row, model: ModelFile, path: Path, size: Size, backend: Backend) -> vs.VideoNode:
    """Return a clip in memory passed through the filter; the cut detector is on, and finds no cuts."""
    clip = endless_clip(size)
    if model.spec.output.scale > 1:
        return filters.upscale(clip, scale=model.spec.output.scale, model=path, backend=backend)
    make: Callable[..., vs.VideoNode] = getattr(filters, model.spec.name.replace("-", "_"))
    return make(clip, factor=row.factor, model=path, backend=backend, scene_threshold=1)


def eager_of(row: Row, size: Size, device: torch.device, seconds: float) -> dict[str, float]:
    """Return the figures of :func:`benchmarks.torch_eager.measure` for the network with random weights."""
    subject = SUBJECTS[row.subject]
    network = network_class(subject.network).from_config(dict(subject.config)).eval().to(device)
    return torch_eager.measure(network, size, device, device.type == "cuda", seconds=seconds)
