"""``vs-interp build``: engines for GPUs that are here, or elsewhere, into the cache or a folder."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from vs_interp.errors import ArgumentError, BackendError
from vs_interp.log import logger

from .formats import PictureSize, parse_format
from .like import profile_like
from .options import Runtimes, json_option, models, quiet_option

if TYPE_CHECKING:
    from trt_build.engines.build import BuildOptions
    from trt_build.engines.cache import Entry
    from trt_build.engines.engine import Engine
    from trt_build.engines.runtimes import Runtime
    from trt_build.engines.targets import Gpu, Target
    from trt_build.model_file import ModelFile
    from trt_build.profile import Profile, Siting
    from vs_interp.matrices import Matrix
    from vs_interp.size import Size

SIZE = PictureSize()

OPTIONS = {
    "size": "--size",
    "name": "--format",
    "matrix": "--matrix",
    "full_range": "--full-range",
    "siting": "--siting",
}
"""What ``--like`` takes from a film → the option that says it otherwise."""


@click.command("build")
@click.argument("model", shell_complete=models)
@click.option("--like", type=click.Path(path_type=Path), metavar="CLIP",
              help="Size, format, matrix, range and siting are those of this film.")  # fmt: skip
@click.option("--size", type=SIZE, help="Width and height of the clip.")
@click.option("--format", "name", help="The clip's format.  [default: YUV420P8, with --checkpoint RGBS]")
@click.option("--gpu", default="current", show_default=True,
              help="What to build for; several with commas between; `any`: one file for all from 8.0 up.")  # fmt: skip
@click.option("--runtime", type=Runtimes(["tensorrt", "tensorrt-rtx", "openvino"]),
              help="By default TensorRT, if it is here.")  # fmt: skip
@click.option("--dynamic", type=(SIZE, SIZE, SIZE), metavar="MIN OPT MAX", help="A range of sizes in one engine.")
@click.option("--optimization", type=click.IntRange(0, 5), default=3, show_default=True, help="More builds longer.")
@click.option("--workspace", type=click.IntRange(1), metavar="MIB", help="Scratch memory for all streams together.")
@click.option("--streams", type=click.IntRange(1), help="Windows worked on at once; as filters do by default.")
@click.option("--matrix", type=click.Choice(["601", "709", "2020"]), help="By default 601 up to 1024x576, else 709.")
@click.option("--full-range/--limited-range", default=None, help="By default limited, full for RGB.")
@click.option("--siting", type=click.Choice(["left", "center", "top_left"]), help="Of chroma; by default left.")
@click.option(
    "--checkpoint", type=click.Path(path_type=Path), help="Build from the network itself, with torch-tensorrt."
)
@click.option("-o", "--output", "folder", type=click.Path(path_type=Path, file_okay=False),
              help="Keep engines in this folder, not in the cache.")  # fmt: skip
@quiet_option
@json_option
def command(
    *, model: str, like: Path | None, size: Size | None, name: str | None, gpu: str,
    runtime: Runtime | Literal["openvino"] | None,
    dynamic: tuple[Size, Size, Size] | None, optimization: int, workspace: int | None, streams: int | None,
    matrix: Matrix | None, full_range: bool | None, siting: Siting | None, checkpoint: Path | None, folder: Path | None,
    quiet: bool, as_json: bool,
) -> None:  # fmt: skip
    """Build FP16 engines of MODEL (a file, or a name of `vs-interp weights list`) and verify them.

    \b
    Filters find them in the cache; `vs-interp engines export` carries them to another machine.
    TensorRT-RTX (--runtime tensorrt-rtx) builds for any GPU without one.
    With --checkpoint, MODEL is what FILE was exported to; filters find the engine with front_end=torch.
    Examples:
      vs-interp build super-slomo-small --size 1920x1080
      vs-interp build super-slomo-small --like film.mkv --gpu "RTX 4070" --runtime tensorrt-rtx
      vs-interp build net.onnx --size 1280x720 --format YUV420P10 --gpu "RTX 4090,sm_86" --runtime tensorrt-rtx
      vs-interp build net.onnx --size 1280x720 --gpu any --runtime tensorrt-rtx
      vs-interp build net.onnx --dynamic 256x256 1280x768 1920x1152 --gpu ada --runtime tensorrt-rtx
    """
    from trt_build.backends.streams import MOST_STREAMS
    from trt_build.engines.build import BuildOptions
    from trt_build.engines.runtimes import missing
    from trt_build.profile import RGBS
    from vs_interp.weights.obtain import load

    given = {"size": size, "name": name, "matrix": matrix, "full_range": full_range, "siting": siting}
    if like is not None:
        profile = _profile_like(like, given, dynamic, quiet=quiet)
    else:
        wanted = name or ("RGBS" if checkpoint else "YUV420P8")
        profile = _profile(size, dynamic, wanted, matrix=matrix, full_range=full_range, siting=siting or "left")
    if checkpoint is not None and like is not None:
        profile = replace(profile, planes=RGBS)
    file = load(model, network="super-slomo")
    if runtime == "openvino":
        rows = [_compile(file, profile)]
    else:
        options = BuildOptions(
            runtime=runtime or ("tensorrt" if missing("tensorrt") is None else "tensorrt-rtx"),
            optimization=optimization,
            workspace=workspace,
            streams=streams or MOST_STREAMS,
            dynamic=None if dynamic is None else (dynamic[0], dynamic[2]),
            front_end="onnx" if checkpoint is None else "torch",
        )
        rows = _build(file, profile, options, gpu=gpu, checkpoint=checkpoint, folder=folder)
    click.echo(json.dumps(rows, indent=1) if as_json else "\n".join(map(_line, rows)))


def _profile(
    size: Size | None,
    dynamic: tuple[Size, Size, Size] | None,
    name: str,
    *,
    matrix: Matrix | None,
    full_range: bool | None,
    siting: Siting,
) -> Profile:
    """Return what is built for: planes of the size given, or of the one in the middle of a range."""
    from trt_build.profile import Profile

    if (size is None) == (dynamic is None):
        raise ArgumentError("give one of --size and --dynamic, or a film: --like CLIP")
    usual = size if dynamic is None else dynamic[1]
    assert usual is not None
    planes = parse_format(name, usual, matrix=matrix, full_range=full_range, siting=siting)
    return Profile(width=usual[0], height=usual[1], planes=planes)


def _profile_like(
    like: Path, given: Mapping[str, object], dynamic: tuple[Size, Size, Size] | None, *, quiet: bool
) -> Profile:
    """Return what is built for: the planes of a film, of its size or the one in the middle of a range."""
    doubled = [OPTIONS[name] for name, value in given.items() if value is not None]
    if doubled:
        raise ArgumentError(f"--like says what {doubled[0]} says: give one of them")
    profile = profile_like(like, quiet=quiet)
    return profile if dynamic is None else replace(profile, width=dynamic[1].width, height=dynamic[1].height)


def _build(
    file: ModelFile,
    profile: Profile,
    options: BuildOptions,
    *,
    gpu: str,
    checkpoint: Path | None,
    folder: Path | None,
) -> list[dict[str, Any]]:
    """Build for every GPU named, and say what came of it."""
    from trt_build.backends.cuda import CudaDevice
    from trt_build.engines.cache import EngineCache
    from trt_build.engines.obtain import engine_key, obtain_engine
    from trt_build.engines.progress import bar
    from trt_build.engines.targets import check_supported, gpu_of, parse_targets

    if checkpoint is not None and gpu != "current":
        raise ArgumentError(f"--gpu {gpu}: torch-tensorrt builds for this machine's GPU only, leave it out")
    construct = None if checkpoint is None else _construction(checkpoint, file, profile, options)
    targets = parse_targets(gpu)
    for target in targets:
        check_supported(target, options.runtime)
    engines = EngineCache(folder)
    verify = _verification(file, profile, options)
    rows = []
    for target in targets:
        start = time.monotonic()
        device = gpu_of(target, options.runtime)
        if device is not None:
            CudaDevice(device.index).activate()  # TensorRT builds for the GPU that is current
        with bar() as progress:
            engine = obtain_engine(
                file, profile, options, target, device=device,
                cache=engines, construct=construct, verify=verify(device), progress=progress,
            )  # fmt: skip
        entry = engines.find(engine_key(file, profile, options, target, device))
        rows.append(_row(target, options, engine, entry, time.monotonic() - start))
    return rows


def _row(target: Target, options: BuildOptions, engine: Engine, entry: Entry | None, seconds: float) -> dict[str, Any]:
    """Return what came of one build, as JSON has it; without an entry, the cache could not keep the engine."""
    return {
        "target": str(target),
        "runtime": options.runtime,
        "file": None if entry is None else str(entry.path),
        "bytes": engine.size,
        "seconds": round(seconds, 2),
        "psnr": None if entry is None else entry.about.get("psnr"),
    }


def _construction(checkpoint: Path, file: ModelFile, profile: Profile, options: BuildOptions) -> Callable[[], Engine]:
    """Return how the engine is built of a checkpoint."""
    from trt_build.pytorch.front_end import build_engine_of, missing_front_end
    from vs_interp.weights.checkpoint import load_checkpoint

    absent = missing_front_end()
    if absent:
        raise BackendError(absent)
    network = load_checkpoint(checkpoint)
    if network.spec != file.spec:
        raise ArgumentError(f"{checkpoint} is {network.spec.name}, and not what the model was exported from")
    return lambda: build_engine_of(network, profile, options)


def _verification(
    file: ModelFile, profile: Profile, options: BuildOptions
) -> Callable[[Gpu | None], Callable[[Engine], Mapping[str, float]]]:
    """Return how engines are verified: on the GPU where it is here, else as a graph on the CPU, once for all."""
    from trt_build.verify.verify import verify_graph

    @cache
    def on_cpu() -> Mapping[str, float]:
        logger.info("verifying the FP16 graph on the CPU")
        return verify_graph(file, profile)

    def verify(gpu: Gpu | None) -> Callable[[Engine], Mapping[str, float]]:
        if gpu is None:
            return lambda engine: on_cpu()
        from trt_build.backends.cuda import CudaDevice
        from trt_build.verify.on_gpu import verify_engine

        return lambda engine: verify_engine(engine, options, file, profile, CudaDevice(gpu.index))

    return verify


def _compile(file: ModelFile, profile: Profile) -> dict[str, Any]:
    """Try the model with OpenVINO, which compiles in seconds at every start and keeps nothing."""
    from trt_build.backends import OpenVINO
    from trt_build.profile import RGBS

    start = time.monotonic()
    OpenVINO(streams=1).open(file, replace(profile, planes=RGBS))
    return {"target": "cpu", "runtime": "openvino", "seconds": round(time.monotonic() - start, 2)}


def _line(row: Mapping[str, Any]) -> str:
    if row["runtime"] == "openvino":
        return f"cpu: OpenVINO compiles the model in {row['seconds']} s at every start; there is nothing to keep"
    worst = f", {min(row['psnr'].values()):.1f} dB or more against FP32" if row["psnr"] else ""
    return f"{row['target']}: {row['bytes'] / 2**20:.1f} MiB in {row['seconds']} s{worst}: {row['file'] or 'not kept'}"
