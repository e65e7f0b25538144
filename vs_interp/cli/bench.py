"""``vs-interp bench``: how fast a network is served here, bare and in VapourSynth, and what that costs."""

from __future__ import annotations

import gc
import json
import math
import platform
import resource
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import ArgumentError
from .options import parse_backend

if TYPE_CHECKING:
    import vapoursynth as vs

    from trt_build.backends import Backend, Picture, Session
    from trt_build.model_file import ModelFile
    from trt_build.profile import Profile

SOURCES = 8
"""Different frames of noise that the clip repeats; what a frame shows does not change the speed."""

ENDLESS = 1 << 20
"""Frames of the clip: more than are ever asked for."""

MIB = 2**20


@dataclass(frozen=True)
class Loop:
    """Frames made in a loop, the seconds it took, and the seconds that all processor cores together were busy."""

    frames: int
    seconds: float
    processor: float

    @property
    def fps(self) -> float:
        """Frames made a second."""
        return self.frames / self.seconds

    @property
    def host(self) -> float:
        """Milliseconds of processor time a made frame (with a CPU backend, its inference too)."""
        return 1000 * self.processor / self.frames


@dataclass(frozen=True, kw_only=True)
class Report:
    """What one benchmark found; frames are those that the network makes, source frames passed on do not count."""

    network: str
    model: str
    backend: str
    machine: str
    size: str
    factor: int
    streams: int
    bare_fps: float
    pipeline_fps: float
    ratio: float
    bare_host_ms: float
    pipeline_host_ms: float
    moved_bytes: int
    """Bytes between clip and session for a made frame: every frame in once, every picture out once."""
    host_mib: float
    """Most memory that the process has held at a time."""
    device_mib: float | None
    """Memory of the GPU that the sessions hold; ``None`` without one."""


class Size(click.ParamType[tuple[int, int]]):
    """1920x1080."""

    name = "size"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        width, _, height = value.partition("x")
        if not (width.isdecimal() and height.isdecimal()) or int(width) % 2 or int(height) % 2:
            self.fail(f"{value!r} is no size: give even numbers such as 1920x1080", param, ctx)
        return int(width), int(height)


@click.command("bench")
@click.argument("model", required=False)
@click.option("--size", type=Size(), default="1280x720", show_default=True, help="Width and height of the clip.")
@click.option("--factor", type=click.IntRange(2), default=2, show_default=True, help="How many times the frame rate.")
@click.option("--backend", metavar="BACKEND", help="By default the best that works; openvino:slots=1 and the like.")
@click.option("--seconds", type=click.FloatRange(0.1), default=10.0, show_default=True, help="How long each loop runs.")
@click.option("--json", "path", metavar="FILE", type=click.Path(path_type=Path), help="Write the figures there too.")
def command(
    *, model: str | None, size: tuple[int, int], factor: int, backend: str | None, seconds: float, path: Path | None
) -> None:
    """Measure how fast MODEL (a file or a name, by default the bundled one) makes frames of a YUV 4:2:0 8-bit clip.

    \b
    The bare loop feeds the sessions from memory; the pipeline is the VapourSynth filter, whose clip is in memory too.
    Examples:
      vs-interp bench --size 1920x1080
      vs-interp bench super-slomo.onnx --factor 8 --backend tensorrt:streams=2 --json figures.json
    """
    if path is not None and path.exists():
        raise ArgumentError(f"{path} exists: remove it or name another file")
    report = measure(model, size, factor, backend, seconds)
    _print(report)
    if path is not None:
        from trt_build.atomic import write_whole

        write_whole(path, (json.dumps(asdict(report), indent=1) + "\n").encode())


def measure(model: str | None, size: tuple[int, int], factor: int, backend: str | None, seconds: float) -> Report:
    """Run both loops.  Raises :class:`ArgumentError` for a model that no interpolation filter serves."""
    from trt_build.backends import choose
    from trt_build.model_file import ModelFile
    from vs_interp.weights import resolve

    path = resolve(model, network="super-slomo")
    file = ModelFile.load(path)
    if not file.spec.takes_time:
        raise ArgumentError(f"{path.name} is {file.spec.name}, which makes no frames at any time: name another model")
    runtime = parse_backend(backend) if backend else choose(None)
    clip = _clip(size)
    profile = _profile(clip, runtime)
    free = _free_memory(runtime)
    sessions = runtime.open(file, profile)
    after = _free_memory(runtime)
    streams = len(sessions)
    bare = bare_loop(sessions, file, profile, factor, seconds)
    del sessions
    gc.collect()
    pipeline = pipeline_loop(clip, path, runtime, factor, seconds)
    return Report(
        network=file.spec.name, model=path.name, backend=str(runtime), machine=_machine(runtime),
        size=f"{size[0]}x{size[1]}", factor=factor, streams=streams,
        bare_fps=bare.fps, pipeline_fps=pipeline.fps, ratio=pipeline.fps / bare.fps,
        bare_host_ms=bare.host, pipeline_host_ms=pipeline.host, moved_bytes=_moved(profile, factor),
        host_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        device_mib=None if free is None or after is None else (free - after) / MIB,
    )  # fmt: skip


def bare_loop(
    sessions: Sequence[Session], file: ModelFile, profile: Profile, factor: int, seconds: float
) -> Loop:
    """Work on windows from memory, one thread a session, as the serving node deals them."""
    import numpy as np

    random = np.random.default_rng(1)
    scale = 255 if profile.planes.dtype == np.uint8 else 1
    frames = [
        [(random.random(shape) * scale).astype(profile.planes.dtype) for shape in profile.plane_sizes]
        for _ in range(SOURCES)
    ]
    times = [index / factor for index in range(1, factor)]
    offsets = file.spec.window.offsets
    done = [0] * len(sessions)
    errors: list[BaseException] = []
    deadline = math.inf

    def work(slot: int) -> None:
        out: list[Picture] = [[np.empty_like(plane) for plane in frames[0]] for _ in times]
        number = slot
        try:
            while number < 2 * len(sessions) or time.perf_counter() < deadline:
                keys = [number + offset for offset in offsets]
                sessions[slot].run([frames[key % SOURCES] for key in keys], keys, times, out)
                done[slot] += 1
                number += len(sessions)
        except BaseException as error:  # noqa: BLE001 (handed on to the thread that waits)
            errors.append(error)

    _in_threads(work, len(sessions), 0.0)
    return Loop(0, 0, 0)
