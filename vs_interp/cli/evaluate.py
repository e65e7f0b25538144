"""``vs-interp evaluate``: score a model on films, in comparison with other methods."""

from __future__ import annotations

import json
from collections.abc import Generator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vs_interp.errors import BackendError
from vs_interp.extras import how_to_get
from vs_interp.files import write_whole

from .options import NewFile, Whole, backend_option, json_option, models, quiet_option, report_option
from .progress import frames_done

if TYPE_CHECKING:
    from trt_build.backends import Backend
    from vs_interp.evaluation.compare import Method, Stretch
    from vs_interp.evaluation.run import Evaluation
    from vs_interp.evaluation.tasks import Made


@click.command("evaluate")
@click.argument("model", shell_complete=models)
@click.argument("films", metavar="FILM...", nargs=-1, required=True)
@click.option("--against", metavar="NAMES",
              help="Methods to compare with: other models; blend, mvtools, minterpolate (interpolation); bicubic, "
              "lanczos (upscaling); repeat, blurred (prediction); still, dis (flow); background, again, grid "
              "(labels).  [default: the first one for the model's task]")  # fmt: skip
@click.option("--height", type=Whole(16), help="Scale larger frames down to this height.")
@click.option(
    "--limit",
    type=Whole(1),
    help="Measure at most this many windows of each film: the first ones of each excerpt, in turn.",
)
@click.option("--gap", type=Whole(2),
              help="Distance in frames between the inputs of an interpolation model, but of one for a fixed factor, "
              "which has its own.  [default: 2]")  # fmt: skip
@click.option("--ahead", type=Whole(1), metavar="N",
              help="Measure the prediction of N frames: of a prediction model its first N, of a flow model the motion "
              "extrapolated.")  # fmt: skip
@click.option("--split", type=click.Choice(["train", "validation", "test"]), default="test", show_default=True,
              help="Which part of a data set.")  # fmt: skip
@backend_option
@click.option("--page", metavar="FILE.html", type=NewFile(),
              help="Write a page with plots, and the pictures of all methods to flip and wipe between.")  # fmt: skip
@click.option("--sheet", metavar="FILE.png", type=NewFile(),
              help="Write the worst pictures side by side, as PNG or JPEG.")  # fmt: skip
@json_option
@click.option("--markdown", is_flag=True, help="Print the tables in Markdown.")
@report_option
@quiet_option
def command(
    *, model: str, films: tuple[str, ...], against: str | None, backend: Backend | None, page: Path | None,
    sheet: Path | None, as_json: bool, markdown: bool, report: Path | None, quiet: bool, **selection: Any,
) -> None:  # fmt: skip
    """Score MODEL on films, against other methods.

    MODEL is a file, or a name from `vs-interp weights list`, and runs as in a script.  FILM is a video file, a folder
    of pictures, or a data set (LAYOUT:PATH); of films longer than half a minute, ten excerpts are used.
    Interpolation has to restore the frames left out between frames 0, 2, 4, … (--gap); upscaling, frames that were
    scaled down.  Predictions are scored by how far ahead they are, flow by its end-point error, labels by
    intersection over union, each in comparison with a trivial method.  docs/evaluation.md defines the scores.

    \b
    Examples:
      vs-interp evaluate rife-4.25 film.mkv --against super-slomo-small,mvtools --height 360 --page report.html
      vs-interp evaluate span-x2 photos/ --against fsrcnn-x2,bicubic,lanczos --sheet worst.jpg
      vs-interp evaluate flavr.onnx vimeo-septuplet:/data/vimeo_septuplet --report scores.json
      vs-interp evaluate raft-small scenes:320x240 --limit 40
      vs-interp evaluate simvp.onnx moving-digits:/data/mnist --limit 100
    """
    try:
        from vs_interp.evaluation.sheet import check_format
        from vs_interp.evaluation.worst import Worst
    except ImportError as error:
        raise BackendError(f"evaluating needs Pillow: {how_to_get('evaluate')}") from error
    from vs_interp.evaluation.run import Selection, evaluate

    if sheet is not None:
        check_format(sheet)
    worst = Worst()
    found = evaluate(
        model, films, Selection(**selection),
        against=None if against is None else [name.strip() for name in against.split(",") if name.strip()],
        backend=backend, progress=partial(frames_done, quiet=quiet), extrapolation=extrapolation,
        watch=worst.see if sheet or page else lambda shown: None,
    )  # fmt: skip
    _write(found, worst, page=page, sheet=sheet, report=report)
    _show(found.figures, as_json=as_json, markdown=markdown)


def extrapolation(name: str, backend: Backend) -> Method:
    """Return the filter ``nowcast`` as a method: the last picture moved further along a flow model's motion."""

    def nowcast_each(stretch: Stretch) -> Generator[list[Made], None, None]:
        import numpy as np

        from vs_interp.evaluation.motion import clip_of, picture_of
        from vs_interp.filters import nowcast

        material = stretch.material
        for window, times in zip(stretch.windows, stretch.times, strict=True):
            seen = clip_of([material.input(stretch.sequence, number) for number in window.inputs])
            cast = nowcast(seen, frames=len(times), flow_model=name, backend=backend)
            yield [np.asarray(material.seen(picture_of(cast, len(seen) + lead))) for lead in range(len(times))]

    return nowcast_each


def _write(found: Evaluation, worst: Any, *, page: Path | None, sheet: Path | None, report: Path | None) -> None:
    """Write the requested files.  Raises :class:`OSError`."""
    from vs_interp.evaluation.page import page as drawn_page
    from vs_interp.evaluation.sheet import sheet as drawn_sheet

    if report is not None:
        write_whole(report, (json.dumps(found.figures, indent=1) + "\n").encode())
    if sheet is not None:
        write_whole(sheet, drawn_sheet(worst.cases, sheet))
    if page is not None:
        write_whole(page, drawn_page(found, worst.cases))


def _show(figures: dict[str, Any], *, as_json: bool, markdown: bool) -> None:
    """Print the tables, or JSON."""
    from vs_interp.evaluation.tables import tables

    if as_json:
        click.echo(json.dumps(figures, indent=1))
        return
    if markdown:
        click.echo("\n".join(table.markdown() for table in tables(figures)))
        return
    for table in tables(figures):
        table.show()
    click.echo(f"{figures['backend']} on {figures['device']}, {figures['seconds']} s")
