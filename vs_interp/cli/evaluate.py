"""``vs-interp evaluate``: a model file and a data set in, scores out, beside those of other methods."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vs_interp.errors import ArgumentError, BackendError
from vs_interp.extras import how_to_get
from vs_interp.log import logger

from .options import BackendName, json_option, models, quiet_option, report_option
from .progress import frames_done

if TYPE_CHECKING:
    from trt_build.backends import Backend
    from vs_interp.evaluation.compare import Method, Row, Stretch
    from vs_interp.evaluation.material import Picture
    from vs_interp.evaluation.sheet import Sheet
    from vs_interp.spec import NetworkSpec


@click.command("evaluate")
@click.argument("model", shell_complete=models)
@click.argument("datasets", metavar="LAYOUT:PATH...", nargs=-1, required=True)
@click.option("--split", type=click.Choice(["train", "validation", "test"]), default="test", show_default=True,
              help="Which part of the data set.")  # fmt: skip
@click.option("--against", metavar="NAMES",
              help="Other methods beside the model: blend,mvtools,minterpolate, or bicubic,lanczos for a model that "
              "enlarges; by default blend or bicubic.")  # fmt: skip
@click.option("--limit", type=click.IntRange(1), help="Measure the first so many windows of each data set alone.")
@click.option("--height", type=click.IntRange(16), help="Shrink frames with more lines to so many.")
@click.option("--gap", type=click.IntRange(2), default=2, show_default=True,
              help="Frames from one input to the next, for a model that takes any time.")  # fmt: skip
@click.option(
    "--backend",
    metavar="BACKEND",
    type=BackendName(),
    help="By default the best that works; openvino:streams=1 and the like.",
)
@json_option
@report_option
@click.option("--sheet", "picture", metavar="FILE.png", type=click.Path(path_type=Path),
              help="Write the ten worst pictures there: inputs, made, truth, error.")  # fmt: skip
@quiet_option
def command(
    *, model: str, datasets: tuple[str, ...], split: str, against: str | None, limit: int | None, height: int | None,
    gap: int, backend: Backend | None, as_json: bool, report: Path | None, picture: Path | None, quiet: bool,
) -> None:  # fmt: skip
    """Score MODEL, a file or a name of `vs-interp weights list`, on data sets, served as in a script.

    Frames between frames are made again from the data set's frames 0, 2, 4, … (--gap); enlarged ones from frames shrunk
    by the model's scale, and measured without a border as wide as it.  Frames to come are shown by lead, beside the
    last frame again; labels by how many are equal and by intersection over union.  PSNR, SSIM and IE are means over
    pictures, of 8-bit RGB; luma is BT.601 in 16–235.

    \b
    Examples:
      vs-interp evaluate super-slomo-small video:1.mp4 video:2.mp4 --height 360 --against blend,mvtools,minterpolate
      vs-interp evaluate flavr.onnx vimeo-septuplet:/data/vimeo_septuplet --report scores.json --sheet worst.png
      vs-interp evaluate simvp.onnx moving-digits:/data/mnist --limit 100
      vs-interp evaluate fsrcnn-x2 pictures:kodak --against bicubic,lanczos
    """
    _check_writable([path for path in (picture, report) if path])
    try:
        from vs_interp.evaluation.sheet import Sheet
    except ImportError as error:
        raise BackendError(f"data sets need Pillow: {how_to_get('evaluate')}") from error
    from vs_interp.evaluation.results import hand_out

    sheet = Sheet() if picture else None
    selection = Selection(split=split, limit=limit, height=height, gap=gap)
    figures = evaluate(model, datasets, selection, against=against, backend=backend, sheet=sheet, quiet=quiet)
    hand_out(figures, report, sheet, picture, as_json=as_json)


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What of a data set is measured, and at what size: the options of the command."""

    split: str
    limit: int | None
    height: int | None
    gap: int


def evaluate(
    model: str,
    datasets: Sequence[str],
    selection: Selection,
    *,
    against: str | None,
    backend: Backend | None,
    sheet: Sheet | None,
    quiet: bool,
) -> dict[str, Any]:
    """Return the scores and all that they depend on, as JSON has them.

    Raises :class:`ArgumentError` where model, data sets and methods do not go together,
    :class:`~vs_interp.errors.DatasetError` where a data set is missing or a frame of it is broken.
    """
    from trt_build.backends import choose
    from vs_interp.evaluation.results import circumstances, summary
    from vs_interp.evaluation.served import Served
    from vs_interp.weights.catalogue import catalogue
    from vs_interp.weights.obtain import load

    began = time.monotonic()
    file = load(model, network="super-slomo")
    _check_spec(file.spec, model)
    others, left_out = _comparators(file.spec, against)
    runtime = choose(backend)
    name = model if model in catalogue() else Path(model).stem
    methods: dict[str, Method] = {name: Served(file, runtime), **others}
    rows: list[Row] = []
    for address in dict.fromkeys(datasets):
        rows += _measure(_film(address, file.spec, selection), methods, file.spec, sheet, quiet=quiet)
    return {
        "model": name,
        "network": file.spec.name,
        "sha256": file.digest,
        "datasets": list(datasets),
        **asdict(selection),
        "methods": summary(rows),
        "left_out": left_out,
        "seconds": round(time.monotonic() - began, 1),
        **circumstances(runtime),
    }


def _film(address: str, spec: NetworkSpec, selection: Selection) -> list[Stretch]:
    """Open a data set and cut it for a network."""
    from vs_interp.datasets.readers import open_footage
    from vs_interp.datasets.windows import cut_windows
    from vs_interp.evaluation.compare import chosen, stretches
    from vs_interp.evaluation.material import Material

    footage = open_footage(address, selection.split)
    windows = chosen(cut_windows(footage, spec, (selection.gap,)), spec, selection.limit)
    return list(stretches(Material(address, footage, spec, selection.height), spec, windows))


def _check_writable(paths: Sequence[Path]) -> None:
    for path in paths:
        if path.exists():
            raise ArgumentError(f"{path} exists: remove it, or name another file")
        if not path.absolute().parent.is_dir():
            raise ArgumentError(f"the folder {path.parent} does not exist: make it first")


def _check_spec(spec: NetworkSpec, model: str) -> None:
    """Raise :class:`ArgumentError` unless the model makes pictures that a data set can hold the truth of."""
    if spec.output.kind == "labels" and spec.output.crop is None:
        return
    if spec.output.kind != "frame" or spec.output.channels != spec.window.channels or spec.output.crop is not None:
        raise ArgumentError(f"the model {model} is {spec.name}, which does not make pictures of pictures: name another")
    if spec.between and (1 not in spec.window.offsets or spec.output.scale != 1):
        raise ArgumentError(f"the model {model} looks at the frames {spec.window.offsets}: frame 1 must be among them")
    if not spec.between and not spec.foresees and spec.output.scale == 1:
        raise ArgumentError(
            f"the model {model} is {spec.name}, which refines frames that are enlarged already: name one that enlarges "
            f"them too, such as fsrcnn+{spec.name}"
        )


def _comparators(spec: NetworkSpec, against: str | None) -> tuple[dict[str, Method], dict[str, str]]:
    """Return the methods named, and for those that do not work here why; says so in a warning."""
    from vs_interp.evaluation.comparators import ENLARGERS, FORESEERS, INTERPOLATORS, LABELLERS

    known = FORESEERS if spec.foresees else LABELLERS if spec.output.kind == "labels" else ENLARGERS
    known = INTERPOLATORS if spec.between else known
    names = [next(iter(known))] if against is None else [name.strip() for name in against.split(",") if name.strip()]
    wrong = [name for name in names if name not in known]
    if wrong:
        raise ArgumentError(f"{spec.name} is not measured against {', '.join(wrong)}: known are {', '.join(known)}")
    left_out = {name: why for name in names if (why := known[name].missing()) is not None}
    for name, why in left_out.items():
        logger.warning("%s is left out: %s", name, why)
    return {name: known[name].method for name in names if name not in left_out}, left_out


def _measure(
    film: Sequence[Stretch], methods: dict[str, Method], spec: NetworkSpec, sheet: Sheet | None, *, quiet: bool
) -> list[Row]:
    """Score all methods, show how far that is, and let the sheet see what the model makes, the first of the methods."""
    from vs_interp.evaluation.compare import compare

    model = next(iter(methods))
    shown = sorted({spec.window.offsets.index(offset) for offset in (0, 1) if offset in spec.window.offsets})
    total = sum(len(window.truths) for stretch in film for window in stretch.windows) * len(methods)
    with frames_done(total, quiet=quiet) as done:

        def watch(row: Row, stretch: Stretch, index: int, made: Picture, truth: Picture) -> None:
            done()
            if sheet is not None and row.method == model:
                window = stretch.windows[index]
                inputs = [stretch.material.input(stretch.sequence, window.inputs[place]) for place in shown]
                name = next(name for name in ("psnr", "psnr_luma", "iou") if name in row.scores)
                what = f"{row.scores[name]:.2f} {'IoU' if name == 'iou' else 'dB'}"
                sheet.add(row.scores[name], f"{row.sequence} · frame {row.frame} · {what} ·", inputs, made, truth)

        border = spec.output.scale if spec.output.scale > 1 else 0
        return compare(film, methods, spec, border, watch)
