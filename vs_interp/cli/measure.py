"""What ``vs-interp bench`` measures of one model, and its report."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vs_interp.host import peak_memory
from vs_interp.size import Size

if TYPE_CHECKING:
    import vapoursynth as vs

    from trt_build.backends import Backend
    from trt_build.model_file import ModelFile
    from trt_build.profile import Profile
    from vs_interp.spec import NetworkSpec

MIB = 2**20

UPDATES = 12
"""How often RAFT refines its flow: the default of ``optical_flow``."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """The result of a benchmark.  Frames are those that the network makes, not source frames that are passed on.

    All frames that a network predicts at once count as one.

    factor
        Multiple of the frame rate; 1 for networks that do not interpolate.
    kmac
        Thousands of multiply-accumulate operations per new frame and pixel of a source frame.
    precision
        The precision used on a CPU, and why (``None`` for engines, whose precision is fixed when they are built).
    bare_fps, pipeline_fps, ratio
        New frames per second of the sessions alone and in VapourSynth, and the second divided by the first.  The last
        two are ``None`` if no filter runs the network frame by frame (a refiner, a nowcast of a part of the picture).
    bare_host_ms, pipeline_host_ms
        Processor time per frame in milliseconds, all threads together, which includes the inference of a CPU backend.
    moved_bytes
        Bytes per frame between host and sessions: every source frame is sent once, every picture received once.
    host_mib, device_mib
        Peak memory of the process (``None`` on Windows), and the sessions' GPU memory (``None`` without a GPU).
    recorded
        Whether a GPU runs the network as CUDA graphs, which takes less processor time (``None`` on a CPU).
    """

    network: str
    model: str
    backend: str
    precision: str | None
    machine: str
    size: str
    factor: int
    streams: int
    kmac: float
    bare_fps: float
    pipeline_fps: float | None
    ratio: float | None
    bare_host_ms: float
    pipeline_host_ms: float | None
    moved_bytes: int
    host_mib: float | None
    device_mib: float | None
    recorded: bool | None


def measure(model: str, size: Size, factor: int, backend: Backend | None, seconds: float) -> Report:
    """Measure the sessions alone, then the filter.

    Raises :class:`ArgumentError` if ``model`` is not a model, and any error of the backend.
    """
    from trt_build.backends import choose
    from trt_build.backends.machine import machine
    from trt_build.backends.work import work_per_pixel
    from trt_build.profile import Profile
    from trt_build.verify.verify import verify_session
    from vs_interp.filters.planes import check_clip
    from vs_interp.filters.routes import find_route
    from vs_interp.weights.catalogue import resolve
    from vs_interp.weights.obtain import load

    from .loops import endless_clip, feed, play

    path = resolve(model)
    file = load(model)
    if file.spec.updates:
        file = file.with_updates(min(UPDATES, file.spec.updates))
    spec, runtime = file.spec, choose(backend)
    size = size if spec.fixed is None else Size.of(spec.fixed)
    factor = factor if spec.takes_time else spec.pictures + 1 if spec.between else 1
    times = [place / factor for place in range(1, factor)] if spec.takes_time else [*(spec.output.times or ())]
    only_grey = spec.window.labels or (spec.foresees and spec.window.channels == 1)
    source = endless_clip(size, grey=only_grey)
    route = find_route(source, check_clip(source), runtime, spec)
    profile = Profile(width=size.width, height=size.height, planes=route.planes)
    free = _free_memory(runtime)
    sessions = runtime.open(file, profile, verify_session)
    held = None if free is None else free - (_free_memory(runtime) or 0)
    recorded, streams = getattr(sessions[0], "is_captured", None), len(sessions)
    windows = feed(sessions, spec.window.offsets, profile, times=times, planes=_planes(spec, profile), seconds=seconds)
    bare = windows.times(len(times) if spec.between else 1)
    del sessions
    gc.collect()
    clip = _filtered(source, spec, path, factor, runtime)
    pipeline = None if clip is None else play(clip, factor, streams, seconds)
    peak = peak_memory()
    return Report(
        network=spec.name,
        model=path.name,
        backend=str(runtime),
        precision=_precision(runtime, file, profile),
        machine=machine(runtime),
        size=str(size),
        factor=factor,
        streams=streams,
        kmac=round(work_per_pixel(file, max(factor - 1, 1)), 1),
        bare_fps=bare.fps,
        pipeline_fps=None if pipeline is None else pipeline.fps,
        ratio=None if pipeline is None else pipeline.fps / bare.fps,
        bare_host_ms=bare.host,
        pipeline_host_ms=None if pipeline is None else pipeline.host,
        moved_bytes=_moved(spec, profile, factor),
        host_mib=None if peak is None else peak / MIB,
        device_mib=None if held is None else held / MIB,
        recorded=recorded,
    )


def _filtered(clip: vs.VideoNode, spec: NetworkSpec, path: Path, factor: int, runtime: Backend) -> vs.VideoNode | None:
    """Return the output of the filter that runs the network on the clip; ``None`` if there is none."""
    from vs_interp import filters
    from vs_interp.filters.between import interpolate

    given: dict[str, Any] = {"model": path, "backend": runtime}
    uncut = {**given, "scene_threshold": None}
    if spec.output.kind == "flow":
        return filters.optical_flow(clip, scale=1, **uncut).right
    if spec.between:
        return interpolate(clip, spec.name, factor=factor, fps=None, hold=None, **uncut)
    if spec.foresees:
        return None if spec.output.crop else filters.predict(clip, mode="aligned", **uncut)[len(spec.window.offsets) :]
    if spec.output.kind in ("labels", "mask"):
        made = filters.masks(clip, **given)
        return made[0] if isinstance(made, list) else made
    return filters.upscale(clip, scale=spec.output.scale, **uncut) if spec.output.scale > 1 else None


def _planes(spec: NetworkSpec, profile: Profile) -> Sequence[tuple[tuple[int, int], Any]]:
    """Return the shape and type of each plane that sessions output."""
    import numpy as np

    if spec.output.kind != "frame":
        return [(spec.made_size(profile.height, profile.width), np.float32)]
    return [(spec.made_size(*lines), profile.planes.dtype) for lines in profile.plane_sizes]


def _moved(spec: NetworkSpec, profile: Profile, factor: int) -> int:
    """Return the bytes per new frame between host and sessions."""
    item = profile.planes.dtype.itemsize
    frame = sum(height * width for height, width in profile.plane_sizes) * item
    made = sum(height * width for (height, width), _ in _planes(spec, profile)) * item
    pictures = 1 if spec.between else spec.pictures
    return frame // max(factor - 1, 1) + made * pictures


def _precision(runtime: Backend, file: ModelFile, profile: Profile) -> str | None:
    """Return the precision that OpenVINO uses, and why; ``None`` for other backends."""
    from trt_build.backends import OpenVINO
    from trt_build.verify.verify import verify_session

    if not isinstance(runtime, OpenVINO):
        return None
    choice = runtime.choose_precision(file, profile, verify_session)
    return f"{choice.precision}: {choice.reason}"


def _free_memory(runtime: Backend) -> int | None:
    """Return the free memory in bytes of the backend's first GPU; ``None`` on a CPU."""
    from trt_build.backends.tensorrt import EngineBackend

    if not isinstance(runtime, EngineBackend) or runtime.missing():
        return None
    from trt_build.backends.cuda import CudaDevice

    return CudaDevice(runtime.numbers[0]).free_memory()
