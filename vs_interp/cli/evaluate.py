"""``vs-interp evaluate``: a model file and a data set in, scores out, beside those of other methods."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import ArgumentError, BackendError, EncoderError
from .options import parse_backend
from .progress import frames_done

if TYPE_CHECKING:
    from ..spec import NetworkSpec
    from .evaluation import Method, Row, Stretch
    from .material import Picture
    from .sheet import Sheet

COLUMNS = {
    "psnr": ("PSNR", "{:.2f} dB"),
    "ssim": ("SSIM", "{:.4f}"),
    "ie": ("IE", "{:.2f}"),
    "psnr_luma": ("PSNR luma", "{:.2f} dB"),
    "ssim_luma": ("SSIM luma", "{:.4f}"),
}
"""The scores as the table shows them."""

PACKAGES = ("vs-interp", "numpy", "onnx", "openvino", "tensorrt", "tensorrt-rtx", "VapourSynth", "vapoursynth-mvtools")
"""What may change a score."""


@click.command("evaluate")
@click.argument("model")
@click.argument("dataset", metavar="LAYOUT:PATH")
@click.option("--split", type=click.Choice(["train", "validation", "test"]), default="test", show_default=True,
              help="Which part of the data set.")  # fmt: skip
@click.option("--against", metavar="NAMES",
              help="Other methods beside the model: blend,mvtools,minterpolate, or bicubic,lanczos for a model that "
              "enlarges; by default blend or bicubic.")  # fmt: skip
@click.option("--limit", type=click.IntRange(1), help="Measure the first so many windows alone.")
@click.option("--height", type=click.IntRange(16), help="Shrink frames with more lines to so many.")
@click.option("--gap", type=click.IntRange(2), default=2, show_default=True,
              help="Frames from one input to the next, for a model that takes any time.")  # fmt: skip
@click.option("--backend", metavar="BACKEND", help="By default the best that works; openvino:slots=1 and the like.")
@click.option("--json", "report", metavar="FILE", help="Write all scores there, by sequence too; - prints them.")
@click.option("--sheet", "picture", metavar="FILE.png", type=click.Path(path_type=Path),
              help="Write the ten worst pictures there: inputs, made, truth, error.")  # fmt: skip
@click.option("--quiet", is_flag=True, help="Show no progress.")
def command(
    *, model: str, dataset: str, split: str, against: str | None, limit: int | None, height: int | None, gap: int,
    backend: str | None, report: str | None, picture: Path | None, quiet: bool,
) -> None:  # fmt: skip
    """Score MODEL, a file or a name of `vs-interp weights list`, on a data set, served as in a script.

    \b
    Frames between frames are made again from the data set's frames 0, 2, 4, ... (--gap), enlarged ones from
    frames shrunk by the model's scale.  PSNR, SSIM and IE are means over pictures, of 8-bit RGB; luma is BT.601 in
    16-235.  Enlarged pictures are measured without a border as wide as the scale.
    Examples:
      vs-interp evaluate super-slomo-small video:clip.mp4 --height 360 --against blend,mvtools,minterpolate
      vs-interp evaluate flavr.onnx vimeo-septuplet:/data/vimeo_septuplet --json scores.json --sheet worst.png
      vs-interp evaluate fsrcnn-x2 pictures:kodak --against bicubic,lanczos
    """
    written = [path for path in (picture, None if report in (None, "-") else Path(report)) if path is not None]
    _check_writable(written)
    try:
        from .sheet import Sheet
    except ImportError as error:
        raise BackendError('data sets need Pillow: pip install "vs-interp[train]"') from error
    from trt_build.backends import choose
    from trt_build.model_file import ModelFile

    from ..training.footage import open_footage
    from ..training.windows import cut_windows
    from ..weights import catalogue, resolve
    from .bench import machine
    from .evaluation import chosen, stretches
    from .material import Material
    from .served import Served

    began = time.monotonic()
    file = ModelFile.load(resolve(model, network="super-slomo"))
    spec = file.spec
    _check_spec(spec, model)
    others, left_out = _comparators(spec, against)
    footage = open_footage(dataset, split)
    material = Material(footage, spec, height)
    film = list(stretches(material, spec, chosen(cut_windows(footage, spec, (gap,)), spec, limit)))
    runtime = parse_backend(backend) if backend else choose(None)
    name = model if model in catalogue() else Path(model).stem
    sheet = Sheet() if picture else None
    rows = _measure(film, {name: Served(file, runtime), **others}, spec, sheet, quiet=quiet)
    figures = {
        "model": name,
        "network": spec.name,
        "sha256": file.digest,
        "dataset": dataset,
        "split": split,
        "height": height,
        "gap": gap if spec.takes_time else None,
        "windows": sum(len(stretch.windows) for stretch in film),
        "methods": _figures(rows),
        "left out": left_out,
        "backend": str(runtime),
        "device": machine(runtime),
        "seconds": round(time.monotonic() - began, 1),
        "command": ["vs-interp", *sys.argv[1:]],
        "versions": _versions(),
    }
    _hand_out(figures, report, sheet, picture)


def _check_writable(paths: Sequence[Path]) -> None:
    for path in paths:
        if path.exists():
            raise ArgumentError(f"{path} exists: remove it, or name another file")
        if not path.absolute().parent.is_dir():
            raise ArgumentError(f"the folder {path.parent} does not exist: make it first")


def _check_spec(spec: NetworkSpec, model: str) -> None:
    """Raise :class:`ArgumentError` unless the model makes pictures that a data set can hold the truth of."""
    from .evaluation import interpolates

    if spec.output.kind != "frame" or spec.output.channels != spec.window.channels:
        raise ArgumentError(f"the model {model} is {spec.name}, which does not make pictures of pictures: name another")
    if interpolates(spec) and (1 not in spec.window.offsets or spec.output.scale != 1):
        raise ArgumentError(f"the model {model} looks at the frames {spec.window.offsets}: frame 1 must be among them")


def _comparators(spec: NetworkSpec, against: str | None) -> tuple[dict[str, Method], dict[str, str]]:
    """Return the methods named, and for those that do not work here why; says so on standard error."""
    from .comparators import ENLARGERS, INTERPOLATORS
    from .evaluation import interpolates

    known = INTERPOLATORS if interpolates(spec) else ENLARGERS
    names = [next(iter(known))] if against is None else [name.strip() for name in against.split(",") if name.strip()]
    wrong = [name for name in names if name not in known]
    if wrong:
        raise ArgumentError(f"{spec.name} is not measured against {', '.join(wrong)}: known are {', '.join(known)}")
    left_out = {name: why for name in names if (why := known[name].missing()) is not None}
    for name, why in left_out.items():
        click.echo(f"vs-interp: {name} is left out: {why}", err=True)
    return {name: known[name].method for name in names if name not in left_out}, left_out


def _measure(
    film: Sequence[Stretch], methods: dict[str, Method], spec: NetworkSpec, sheet: Sheet | None, *, quiet: bool
) -> list[Row]:
    """Score all methods, show how far that is, and let the sheet see what the model makes, the first of the methods."""
    from .evaluation import compare

    model = next(iter(methods))
    shown = sorted({spec.window.offsets.index(offset) for offset in (0, 1) if offset in spec.window.offsets})
    total = sum(len(window.truths) for stretch in film for window in stretch.windows) * len(methods)
    with frames_done(total, quiet=quiet) as done:

        def watch(row: Row, stretch: Stretch, index: int, made: Picture, truth: Picture) -> None:
            done()
            if sheet is not None and row.method == model:
                window = stretch.windows[index]
                inputs = [stretch.material.input(stretch.sequence, window.inputs[place]) for place in shown]
                score = row.scores.get("psnr", row.scores["psnr_luma"])
                sheet.add(score, f"{row.sequence} {row.frame}: {score:.2f} dB", inputs, made, truth)

        border = spec.output.scale if spec.output.scale > 1 else 0
        return compare(film, methods, border, watch)


def _figures(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the means by method, over all pictures and over those of each sequence."""
    from .evaluation import by, means

    return {
        method: {
            "pictures": len(found),
            "mean": means(found),
            "sequences": {name: means(part) for name, part in by(found, lambda row: row.sequence).items()},
        }
        for method, found in by(rows, lambda row: row.method).items()
    }


def _versions() -> dict[str, str]:
    """Return the versions of what is installed and may change a score."""
    from ..ffmpeg import find_ffmpeg, version

    found = {"python": platform.python_version()}
    for package in PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    with suppress(EncoderError):
        found["ffmpeg"] = version(find_ffmpeg())
    return found


def _hand_out(figures: dict[str, Any], report: str | None, sheet: Sheet | None, picture: Path | None) -> None:
    """Print the table, or the JSON for ``-``, and write the files that were asked for."""
    from trt_build.atomic import write_whole

    text = json.dumps(figures, indent=1) + "\n"
    try:
        if sheet is not None and picture is not None:
            write_whole(picture, sheet.png())
        if report is not None and report != "-":
            write_whole(Path(report), text.encode())
    except OSError as error:
        raise ArgumentError(f"cannot write {error.filename or picture}: {error.strerror}") from error
    if report == "-":
        click.echo(text, nl=False)
    else:
        _show(figures)


def _show(figures: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    first = next(iter(figures["methods"].values()))
    table = Table(title=f"{figures['dataset']}: {first['pictures']} pictures", title_justify="left")
    table.add_column("method")
    known = [name for name in COLUMNS if name in first["mean"]]
    for name in known:
        table.add_column(COLUMNS[name][0], justify="right")
    for method, values in figures["methods"].items():
        table.add_row(method, *(COLUMNS[name][1].format(values["mean"][name]) for name in known))
    console = Console(soft_wrap=True)
    console.print(table)
    console.print(f"{figures['backend']} on {figures['device']}, {figures['seconds']} s", highlight=False)
