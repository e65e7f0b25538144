"""``vs-interp bench``: how fast frames are made here, by bare sessions and in VapourSynth, and what that costs."""

from __future__ import annotations

import gc
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vs_interp.errors import ArgumentError
from vs_interp.files import write_whole
from vs_interp.host import peak_memory
from vs_interp.size import Size

from .formats import PictureSize
from .options import BackendName, json_option, models, quiet_option, report_option

if TYPE_CHECKING:
    from trt_build.backends import Backend
    from trt_build.model_file import ModelFile
    from trt_build.profile import Profile

    from .loops import Loop

MIB = 2**20
SIZE = PictureSize(multiple_of=2)


@dataclass(frozen=True, kw_only=True)
class Report:
    """What one benchmark found.  Frames are those that the network makes; source frames passed on do not count.

    precision
        What a CPU works in, and why (``None`` for engines, which have that of their build).
    bare_fps, pipeline_fps, ratio
        Frames made a second by the sessions alone and in VapourSynth, and the second over the first.
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
    bare_fps: float
    pipeline_fps: float
    ratio: float
    bare_host_ms: float
    pipeline_host_ms: float
    moved_bytes: int
    host_mib: float | None
    device_mib: float | None
    recorded: bool | None


@click.command("bench")
@click.argument("model", required=False, shell_complete=models)
@click.option(
    "--size",
    type=PictureSize(multiple_of=2),
    default="1280x720",
    show_default=True,
    help="Width and height of the clip.",
)
@click.option("--factor", type=click.IntRange(2), default=2, show_default=True, help="How many times the frame rate.")
@click.option(
    "--backend",
    metavar="BACKEND",
    type=BackendName(),
    help="By default the best that works; openvino:streams=1 and the like.",
)
@click.option("--seconds", type=click.FloatRange(0.1), default=10, show_default=True, help="How long each loop runs.")
@quiet_option
@json_option
@report_option
def command(
    *,
    model: str | None,
    size: Size,
    factor: int,
    backend: Backend | None,
    seconds: float,
    quiet: bool,
    as_json: bool,
    report: Path | None,
) -> None:
    """Measure how fast MODEL makes frames of a YUV 4:2:0 8-bit clip: a file or a name, by default the bundled one.

    \b
    The bare loop feeds sessions from memory; the pipeline is the VapourSynth filter on a clip in memory.
    Examples:
      vs-interp bench --size 1920x1080
      vs-interp bench super-slomo.onnx --factor 8 --backend tensorrt:streams=2 --report figures.json
    """
    if report is not None and report.exists():
        raise ArgumentError(f"{report} exists: remove it, or name another file")
    figures = measure(model, size, factor, backend, seconds)
    text = json.dumps(asdict(figures), indent=2) + "\n"
    if as_json:
        click.echo(text, nl=False)
    else:
        _show(figures)
    if report is not None:
        write_whole(report, text.encode())


def measure(model: str | None, size: Size, factor: int, backend: Backend | None, seconds: float) -> Report:
    """Run both loops, one after the other.

    Raises :class:`ArgumentError` for a model that no interpolation filter serves, and what the backend raises.
    """
    from trt_build.backends import choose
    from trt_build.backends.machine import machine
    from trt_build.model_file import ModelFile
    from vs_interp import filters
    from vs_interp.weights.catalogue import resolve

    from .loops import endless_clip, play

    path = resolve(model, network="super-slomo")
    file = ModelFile.load(path)
    make = getattr(filters, file.spec.name.replace("-", "_"), None)
    if make is None or not file.spec.takes_time:
        raise ArgumentError(f"{path.name} is {file.spec.name}, which makes no frames at any time: name another model")
    runtime = choose(backend)
    profile = _profile(size, runtime)
    bare, streams, held, recorded = _feed_bare(runtime, file, profile, factor, seconds)
    gc.collect()
    clip = make(endless_clip(size), factor=factor, model=path, backend=runtime, scene_threshold=None)
    pipeline = play(clip, factor, streams, seconds)
    peak = peak_memory()
    return Report(
        network=file.spec.name,
        model=path.name,
        backend=str(runtime),
        precision=_precision(runtime, file, profile),
        machine=machine(runtime),
        size=str(size),
        factor=factor,
        streams=streams,
        bare_fps=bare.fps,
        pipeline_fps=pipeline.fps,
        ratio=pipeline.fps / bare.fps,
        bare_host_ms=bare.host,
        pipeline_host_ms=pipeline.host,
        moved_bytes=_moved(profile, factor),
        host_mib=None if peak is None else peak / MIB,
        device_mib=None if held is None else held / MIB,
        recorded=recorded,
    )


def _feed_bare(
    runtime: Backend, file: ModelFile, profile: Profile, factor: int, seconds: float
) -> tuple[Loop, int, int | None, bool | None]:
    """Return what bare sessions do, how many there are, the bytes that they hold on the GPU, if there is one, and
    whether the first of them runs from recordings."""
    from trt_build.verify.verify import verify_session

    from .loops import feed

    free = _free_memory(runtime)
    sessions = runtime.open(file, profile, verify_session)
    held = None if free is None else free - (_free_memory(runtime) or 0)
    recorded = getattr(sessions[0], "is_recorded", None)
    return feed(sessions, file.spec.window.offsets, profile, factor, seconds), len(sessions), held, recorded


def _profile(size: Size, runtime: Backend) -> Profile:
    """Return what sessions take of a YUV 4:2:0 8-bit clip."""
    from trt_build.profile import RGBS, PlaneFormat, Profile

    native = PlaneFormat(family="yuv", bits=8, floating=False, subsampling=(1, 1), full_range=False)
    return Profile(width=size.width, height=size.height, planes=native if runtime.native_planes else RGBS)


def _moved(profile: Profile, factor: int) -> int:
    frame = sum(height * width for height, width in profile.plane_sizes) * profile.planes.dtype.itemsize
    return frame // (factor - 1) + frame


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


def _show(report: Report) -> None:
    host = "   ?" if report.host_mib is None else f"{report.host_mib:8.0f}"
    device = "" if report.device_mib is None else f", {report.device_mib:.0f} MiB on the GPU"
    lines = (
        f"{report.network} ({report.model}) at {report.size}, factor {report.factor}, {report.streams} streams",
        f"{report.backend} on {report.machine}",
        *([] if report.precision is None else [f"precision       {report.precision}"]),
        f"bare sessions   {report.bare_fps:8.2f} frames made a second, {report.bare_host_ms:.1f} ms of processor each",
        f"VapourSynth     {report.pipeline_fps:8.2f} frames made a second, {report.pipeline_host_ms:.1f} ms each",
        f"ratio           {report.ratio:8.2f}",
        f"moved           {report.moved_bytes / MIB:8.2f} MiB for each frame made",
        f"memory          {host} MiB of the process at most{device}",
    )
    click.echo("\n".join(lines))
    if report.recorded is False:
        click.echo("not recorded    the GPU's work could not be recorded, and costs the processor more than it should")
