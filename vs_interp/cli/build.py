"""``vs-interp build``: engines for this machine's GPUs or others, into the cache or a folder."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from vs_interp.errors import ArgumentError

from .engine_building import build_engines
from .formats import PictureSize, parse_format
from .like import profile_like
from .options import Runtimes, Whole, json_option, models, quiet_option

if TYPE_CHECKING:
    from trt_build.engines.runtimes import Runtime
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
"""What ``--like`` reads from a film → the option that gives it otherwise."""


@click.command("build")
@click.argument("model", shell_complete=models)
@click.option("--like", type=click.Path(path_type=Path), metavar="CLIP",
              help="Take size, format, matrix, range and siting from this film.")  # fmt: skip
@click.option("--size", type=SIZE, help="Width and height of the clip.")
@click.option("--format", "name", help="The clip's format.  [default: YUV420P8, with --checkpoint RGBS]")
@click.option("--gpu", default="current", show_default=True,
              help="GPUs to build for, separated by commas; `any` is one engine for all from compute "
              "capability 8.0 on.")  # fmt: skip
@click.option("--runtime", type=Runtimes(["tensorrt", "tensorrt-rtx", "openvino"]),
              help="[default: tensorrt if it is installed, else tensorrt-rtx]")  # fmt: skip
@click.option("--dynamic", type=(SIZE, SIZE, SIZE), metavar="MIN OPT MAX", help="One engine for a range of sizes.")
@click.option("--optimization", type=Whole(0, 5), default=3, show_default=True,
              help="Optimization level; higher levels take longer to build.")  # fmt: skip
@click.option("--workspace", type=Whole(1), metavar="MIB", help="Scratch memory for all streams together.")
@click.option("--streams", type=Whole(1),
              help="Number of windows processed at once.  [default: as the filters do]")  # fmt: skip
@click.option("--matrix", type=click.Choice(["601", "709", "2020"]), help="[default: 601 up to 1024x576, else 709]")
@click.option("--full-range/--limited-range", default=None, help="[default: limited; full for RGB]")
@click.option("--siting", type=click.Choice(["left", "center", "top_left"]), help="Chroma siting.  [default: left]")
@click.option(
    "--checkpoint", type=click.Path(path_type=Path), help="Build from this PyTorch checkpoint, with torch-tensorrt."
)
@click.option("-o", "--output", "folder", type=click.Path(path_type=Path, file_okay=False),
              help="Write engines to this folder instead of the cache.")  # fmt: skip
@quiet_option
@json_option
def command(
    *, model: str, like: Path | None, size: Size | None, name: str | None, gpu: str,
    runtime: Runtime | Literal["openvino"] | None,
    dynamic: tuple[Size, Size, Size] | None, optimization: int, workspace: int | None, streams: int | None,
    matrix: Matrix | None, full_range: bool | None, siting: Siting | None, checkpoint: Path | None, folder: Path | None,
    quiet: bool, as_json: bool,
) -> None:  # fmt: skip
    """Build and verify FP16 engines of MODEL.

    MODEL is a file, or a name from `vs-interp weights list`.  Filters find engines in the cache; `vs-interp engines
    export` takes them to another machine.  TensorRT-RTX (--runtime tensorrt-rtx) can build for any GPU on a machine
    without one.  With --checkpoint, MODEL is the checkpoint's exported model file, and filters use the engine with
    front_end=torch.

    \b
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
    file = load(model)
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
        rows = build_engines(file, profile, options, gpu=gpu, checkpoint=checkpoint, folder=folder)
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
    """Return the profile to build for, from the options; of a range of sizes, the optimal one counts."""
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
    """Return the profile to build for, from a film; of a range of sizes, the optimal one counts."""
    doubled = [OPTIONS[name] for name, value in given.items() if value is not None]
    if doubled:
        raise ArgumentError(f"--like and {doubled[0]} are both given: give one of them")
    profile = profile_like(like, quiet=quiet)
    return profile if dynamic is None else replace(profile, width=dynamic[1].width, height=dynamic[1].height)


def _compile(file: ModelFile, profile: Profile) -> dict[str, Any]:
    """Compile the model with OpenVINO as a trial: it compiles at every start, so there is nothing to store."""
    from trt_build.backends import OpenVINO
    from trt_build.profile import RGBS

    start = time.monotonic()
    OpenVINO(streams=1).open(file, replace(profile, planes=RGBS))
    return {"target": "cpu", "runtime": "openvino", "seconds": round(time.monotonic() - start, 2)}


def _line(row: Mapping[str, Any]) -> str:
    if row["runtime"] == "openvino":
        return f"cpu: OpenVINO compiles the model in {row['seconds']} s at every start; there is nothing to store"
    worst = f", {min(row['psnr'].values()):.1f} dB or more against FP32" if row["psnr"] else ""
    return (
        f"{row['target']}: {row['bytes'] / 2**20:.1f} MiB in {row['seconds']} s{worst}: {row['file'] or 'not stored'}"
    )
