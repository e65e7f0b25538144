"""What ``vs-interp bench`` measures of one model or one script, and its report."""

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
"""How often RAFT refines its flow, as ``optical_flow`` has it."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """What one benchmark found.  Frames are those that the network makes; source frames passed on do not count.

    Of a network that foresees several frames at once, all of them together count as one.

    factor
        How many times the frame rate; 1 for a network that makes no frames between frames.
    kmac
        Multiplications a frame made, for each pixel of a source frame, in thousands.
    precision
        What a CPU works in, and why (``None`` for engines, which have that of their build).
    bare_fps, pipeline_fps, ratio
        Frames made a second by the sessions alone and in VapourSynth, and the second over the first; no pipeline where
        no filter serves the network frame by frame (a refiner, a nowcast of a part of the picture).
    bare_host_ms, pipeline_host_ms
        Milliseconds of processor time a frame, all threads added up; with a CPU backend the inference is part of it.
    moved_bytes
        Between host and sessions for one frame: every source frame goes in once, every picture comes out once.
    host_mib, device_mib
        The most memory that the process held (``None`` on Windows, which does not say), and what the sessions hold on
        the GPU (``None`` without one).
    recorded
        Whether a GPU runs the network from recordings (``None`` on a CPU); if not, the processor has more to do.
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


def measure(model: str | None, size: Size, factor: int, backend: Backend | None, seconds: float) -> Report:
    """Run the sessions alone and the filter, one after the other.

    Raises :class:`ArgumentError` for what is no model, and what the backend raises.
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

    path = resolve(model, network="super-slomo")
    file = load(model, network="super-slomo")
    if file.spec.updates:
        file = file.with_updates(min(UPDATES, file.spec.updates))
    spec, runtime = file.spec, choose(backend)
    size = size if spec.fixed is None else Size.of(spec.fixed)
    factor = factor if spec.takes_time else spec.pictures + 1 if spec.between else 1
    times = [place / factor for place in range(1, factor)] if spec.takes_time else [*(spec.output.times or ())]
    source = endless_clip(size, grey=spec.window.labels)
    route = find_route(source, check_clip(source), runtime, spec)
    profile = Profile(width=size.width, height=size.height, planes=route.planes)
    free = _free_memory(runtime)
    sessions = runtime.open(file, profile, verify_session)
    held = None if free is None else free - (_free_memory(runtime) or 0)
    recorded, streams = getattr(sessions[0], "is_recorded", None), len(sessions)
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
    """Return the clip through the filter that serves the network frame by frame; ``None`` where none does."""
    from vs_interp import filters
    from vs_interp.filters.interpolate import interpolate

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
    """Return the shape and the type of each plane that sessions give."""
    import numpy as np

    if spec.output.kind != "frame":
        return [(spec.made_size(profile.height, profile.width), np.float32)]
    return [(spec.made_size(*lines), profile.planes.dtype) for lines in profile.plane_sizes]


def _moved(spec: NetworkSpec, profile: Profile, factor: int) -> int:
    item = profile.planes.dtype.itemsize
    frame = sum(height * width for height, width in profile.plane_sizes) * item
    made = sum(height * width for (height, width), _ in _planes(spec, profile)) * item
    pictures = 1 if spec.between else spec.pictures
    return frame // max(factor - 1, 1) + made * pictures


def _precision(runtime: Backend, file: ModelFile, profile: Profile) -> str | None:
    """Return the precision that OpenVINO takes, and why; engines have that of their build."""
    from trt_build.backends import OpenVINO
    from trt_build.verify.verify import verify_session

    if not isinstance(runtime, OpenVINO):
        return None
    choice = runtime.choose_precision(file, profile, verify_session)
    return f"{choice.precision}: {choice.reason}"


def _free_memory(runtime: Backend) -> int | None:
    """Return the free bytes of the GPU that the backend uses first; ``None`` for the CPU."""
    from trt_build.backends.tensorrt import EngineBackend

    if not isinstance(runtime, EngineBackend) or runtime.missing():
        return None
    from trt_build.backends.cuda import CudaDevice

    return CudaDevice(runtime.numbers[0]).free_memory()
