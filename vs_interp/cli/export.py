"""``vs-interp export``: turn a checkpoint into a model file."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vs_interp.errors import ArgumentError, BackendError
from vs_interp.extras import how_to_get

from .options import json_option, quiet_option

if TYPE_CHECKING:
    from trt_build.model_file import ModelFile


@click.command("export")
@click.argument("checkpoints", metavar="CHECKPOINT...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    metavar="MODEL",
    type=click.Path(path_type=Path),
    help="The .onnx file to write.  [default: the checkpoint's name, in the current folder]",
)
@click.option(
    "--set",
    "settings",
    metavar="NAME=VALUE",
    multiple=True,
    help="A setting of the network that is independent of the weights, such as RIFE's scale=0.5 or ensemble=true.",
)
@click.option(
    "--for",
    "target",
    type=click.Choice(["vs-mlrt"]),
    help="Convert a model file, or a name from `weights list`, for another program: one tensor in, one out.",
)
@click.option("--overwrite", is_flag=True, help="Replace the model file if it exists.")
@quiet_option
@json_option
def command(
    *,
    checkpoints: tuple[Path, ...],
    output: Path | None,
    settings: tuple[str, ...],
    target: str | None,
    overwrite: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Turn CHECKPOINT into a model file.

    The model file is checked against PyTorch.  CHECKPOINT is a published one, or one of `vs-interp train`.  With
    spandrel installed (pip install spandrel), any super-resolution network that spandrel recognises works too, from
    .pth or .safetensors.  The weights of several checkpoints of the same network are averaged.

    \b
    Examples:
      vs-interp export SuperSloMo.ckpt -o super-slomo.onnx
      vs-interp convert in.mkv out.mkv --interpolate super-slomo --factor 2 --model super-slomo.onnx
      vs-interp export RealESRGAN_x4plus.pth
      vs-interp export flownet.pkl -o rife-large.onnx --set scale=0.5
      vs-interp export rife-4.25 --for vs-mlrt -o rife-one-tensor.onnx
    """
    from vs_interp.weights.catalogue import catalogue

    name = str(checkpoints[0])
    named = name in catalogue()
    if target is None and named:
        raise ArgumentError(f"{name} is a name, not a checkpoint: `vs-interp weights get {name}` makes its model file")
    stem = name if named else checkpoints[0].stem  # the .25 of rife-4.25 is not a suffix
    output = output or Path(f"{stem}.onnx" if target is None else f"{stem}-{target}.onnx")
    if output.exists() and not overwrite:
        raise ArgumentError(f"{output} exists: remove it, name another file, or give --overwrite")
    if not output.absolute().parent.is_dir():
        raise ArgumentError(f"the folder {output.parent} does not exist: make it first")
    if target is not None:
        model = _for_others(checkpoints, output, settings)
        if as_json:
            click.echo(json.dumps({**_summary(model, output), "for": target}))
        elif not quiet:
            click.echo(f"{output}: {model.spec.name}, one tensor in, one out, for {target}")
        return
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise BackendError(f"exporting needs PyTorch: {how_to_get('train')}") from error
    from trt_build.pytorch.export import export
    from vs_interp.weights.checkpoint import load_mean

    from .progress import working_on

    network = load_mean(checkpoints, dict(map(_setting, settings)))
    with working_on(
        f"exporting {network.spec.name} and checking it against PyTorch (about half a minute)", quiet=quiet
    ):
        model = export(network, output, overwrite=overwrite)
    if as_json:
        click.echo(json.dumps({**_summary(model, output), "sha256": model.digest}))
    else:
        size = output.stat().st_size
        click.echo(f"{output}: {model.spec.name}, {size / 2**20:.1f} MiB, sha256 {model.digest}")


def _summary(model: ModelFile, output: Path) -> dict[str, Any]:
    return {"output": str(output), "network": model.spec.name, "bytes": output.stat().st_size}


def _for_others(models: tuple[Path, ...], output: Path, settings: tuple[str, ...]) -> ModelFile:
    """Write a model as a graph with one input and one output tensor; return the original model."""
    if len(models) > 1 or settings:
        raise ArgumentError("--for takes one model file or name, and no --set: export the model file with --set first")
    from trt_build.graphs.one_tensor import one_tensor
    from vs_interp.files import write_whole
    from vs_interp.weights.obtain import load

    model = load(str(models[0]), network="rife")
    write_whole(output, one_tensor(model).SerializeToString(deterministic=True))
    return model


def _setting(text: str) -> tuple[str, Any]:
    """Parse ``name=value``; the value is TOML, or else a plain string."""
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise ArgumentError(f"--set {text}: give NAME=VALUE, such as scale=0.5")
    try:
        return name, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return name, value
