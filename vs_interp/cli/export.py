"""``vs-interp export``: a checkpoint in, a model file out."""

from __future__ import annotations

from pathlib import Path

import click

from vs_interp.errors import ArgumentError, BackendError


@click.command("export")
@click.argument("checkpoints", metavar="CHECKPOINT...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    metavar="MODEL",
    type=click.Path(path_type=Path),
    help="The .onnx to write; by default here, with the checkpoint's name.",
)
@click.option("--overwrite", is_flag=True, help="Replace the model file where it exists.")
def command(*, checkpoints: tuple[Path, ...], output: Path | None, overwrite: bool) -> None:
    """Write the network in CHECKPOINT, published or our own, as a model file, checked against PyTorch.

    With spandrel installed (pip install "vs-interp[spandrel]") any super-resolution network that it recognises is
    taken as well, from .pth or .safetensors.  Of several checkpoints of one network the mean of the weights is taken.

    \b
    Examples:
      vs-interp export SuperSloMo.ckpt -o super-slomo.onnx
      vs-interp convert in.mkv out.mkv --interpolate super-slomo --factor 2 --model super-slomo.onnx
      vs-interp export RealESRGAN_x4plus.pth
    """
    output = output or Path(checkpoints[0].with_suffix(".onnx").name)
    if output.exists() and not overwrite:
        raise ArgumentError(f"{output} exists: remove it, name another file, or give --overwrite")
    if not output.absolute().parent.is_dir():
        raise ArgumentError(f"the folder {output.parent} does not exist: make it first")
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise BackendError('exporting needs PyTorch: pip install "vs-interp[train]"') from error
    from trt_build.pytorch.export import export
    from vs_interp.weights.checkpoint import load_mean

    from .progress import working_on

    network = load_mean(checkpoints)
    with working_on(f"exporting {network.spec.name} and checking it against PyTorch (about half a minute)"):
        model = export(network, output, overwrite=overwrite)
    size = output.stat().st_size / 2**20
    click.echo(f"{output}: {model.spec.name}, {size:.1f} MiB, sha256 {model.digest}")
