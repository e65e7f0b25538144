"""``vs-interp convert``: interpolate and upscale a video file."""

from __future__ import annotations

import json
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any

import click

from .encoding_options import encoding_options, parse_choice
from .excerpt_options import excerpt_options, take_excerpt
from .job_options import How, job_options
from .options import BackendText, Factor, FrameRate, Number, Threshold, Whole, json_option, models, quiet_option
from .running import convert
from .source_options import source_options, take_reading

INTERPOLATIONS = ("flavr", "rife", "super-slomo")
"""The interpolation networks, by the names of their filters."""


OPTION_NAMES = {
    "upscale": "--scale",
    "upscale_model": "--scale-model",
    "drop_repeats": "--drop-repeats",
    "repeat_limit": "--repeat-limit",
}
"""Parameter → option, if their names differ."""


@click.command("convert")
@click.argument("source", metavar="IN", type=click.Path(path_type=Path))
@click.argument("output", metavar="OUT", type=click.Path(path_type=Path))
@click.option("--interpolate", metavar="NETWORK", type=click.Choice(INTERPOLATIONS),
              help=f"Interpolate frames with this network: {', '.join(INTERPOLATIONS)}.")  # fmt: skip
@click.option("--factor", type=Factor(), help="Multiply the frame rate by this: 2, 2.5 or 5/2.")
@click.option("--fps", type=FrameRate(), help="Output frame rate, instead of --factor: 60, 59.94 or 60000/1001.")
@click.option(
    "--model",
    metavar="MODEL",
    shell_complete=models,
    help="Model for --interpolate: a file, or a name from `weights list`.  [default: the network's usual one]",
)
@click.option("--drop-repeats", is_flag=True, default=None,
              help="For animation: interpolate from drawing to drawing, leaving out repeats of a drawing.")  # fmt: skip
@click.option("--repeat-limit", metavar="LIMIT", type=Number(0, 1, min_open=True),
              help="For --drop-repeats: how much a block may differ, from 0 to 1, in a repeat; 0.03 for strongly "
              "compressed films.  [default: 0.012]")  # fmt: skip
@click.option("--scale", "upscale", metavar="N", type=Whole(1), help="Upscale to N times the width and height.")
@click.option(
    "--scale-model",
    "upscale_model",
    metavar="MODEL",
    shell_complete=models,
    help="Model for --scale: a file, or a name from `weights list`.  [default: FSRCNN]",
)
@click.option("--tile", metavar="PIXELS", type=Whole(1),
              help="Upscale in tiles of this size, which takes less memory.")  # fmt: skip
@click.option(
    "--backend",
    metavar="BACKEND",
    type=BackendText(),
    help="Such as openvino or openvino:precision=bf16.  [default: the best that works]",
)
@click.option("--scene-threshold", type=Threshold(),
              help="Mean luma difference, from 0 to 1, that counts as a scene cut; none for no cuts.  "
              "[default: 0.1]")  # fmt: skip
@click.option("--hold", type=Threshold(),
              help="At a variable rate, show frames that last this many times the usual duration as a still; "
              "none to interpolate them too.  [default: 3.5]")  # fmt: skip
@excerpt_options
@source_options
@encoding_options
@job_options
@click.option("--overwrite", is_flag=True, help="Replace OUT if it exists.")
@quiet_option
@json_option
@click.pass_context
def command(
    context: click.Context, /, *, source: Path, output: Path, interpolate: str | None,
    factor: Fraction | None, fps: Fraction | None, model: str | None, drop_repeats: bool | None,
    repeat_limit: float | None, upscale: int | None, upscale_model: str | None, tile: int | None, backend: str | None,
    scene_threshold: float | None, hold: float | None, how: How, overwrite: bool, quiet: bool, as_json: bool,
    **others: Any,
) -> None:  # fmt: skip
    """Convert the video IN to OUT.  Sound, subtitles, chapters and metadata are kept.

    IN is a video file, a folder or pattern of pictures, or - for standard input.  A long film is converted in chunks,
    which are kept in OUT.job until they are joined.  After Ctrl-C or a crash, run the same command again: it makes only
    the chunks that are missing.

    With --interpolate and --scale, frames are interpolated first and then upscaled, since finding motion in large
    frames would take longer.

    \b
    Examples:
      vs-interp convert in.mkv out.mkv --interpolate super-slomo --factor 2
      vs-interp convert in.mkv out.mkv --scale 2
      vs-interp convert film.mkv out.mkv --interpolate rife --factor 2 --workers 2
      vs-interp convert "frames/%05d.png" out.mp4 --source-fps 24 --interpolate rife --factor 2
      vs-interp convert in.mkv out.mp4 --interpolate rife --fps 59.94 --scale 2 --scale-model span-x2 \\
          --codec h265 --quality 18 --preset slow --encoder-args "-tune animation"
      vs-interp convert cartoon.mkv out.mkv --interpolate rife --fps 48 --drop-repeats
    """
    _check_options(context)
    from vs_interp.filters.repeats import LIMIT
    from vs_interp.jobs.conversion import Conversion
    from vs_interp.jobs.steps import Interpolation, Upscaling

    options: dict[str, Any] = {"backend": backend}
    if _is_given(context, "scene_threshold"):
        options["scene_threshold"] = scene_threshold
    steps: list[Interpolation | Upscaling] = []
    if interpolate is not None:
        held: dict[str, Any] = {"hold": hold} if _is_given(context, "hold") else {}
        steps.append(
            Interpolation(
                network=interpolate,
                factor=factor,
                fps=fps,
                model=model,
                drop_repeats=(repeat_limit or LIMIT) if drop_repeats else None,
                **options,
                **held,
            )
        )
    if upscale is not None:
        steps.append(Upscaling(scale=upscale, model=upscale_model, tile=tile, **options))
    part, reading = take_excerpt(others), take_reading(others)
    conversion = Conversion(
        source=source, output=output, part=part, reading=reading, steps=tuple(steps), choice=parse_choice(**others)
    )
    summary = convert(conversion, how, overwrite=overwrite, quiet=quiet)
    if as_json:
        click.echo(json.dumps(asdict(summary)))
    elif not quiet:
        now = "" if summary.made == summary.frames else f", {summary.made} of them made now,"
        took = f"in {summary.seconds:.1f} s ({summary.fps:.1f} fps)"
        click.echo(f"{output}: {summary.frames} frames{now} {took}", err=True)


def _is_given(context: click.Context, option: str) -> bool:
    return context.get_parameter_source(option) is click.core.ParameterSource.COMMANDLINE


def _check_options(context: click.Context) -> None:
    """Raise :class:`click.UsageError` unless a step is asked for and every option belongs to one of the steps."""
    given = {name for name, value in context.params.items() if value is not None}
    if not given & {"interpolate", "upscale"}:
        raise click.UsageError("give --interpolate NETWORK, --scale N, or both", context)
    for step, details in (
        ("interpolate", ("factor", "fps", "model", "hold", "drop_repeats")),
        ("drop_repeats", ("repeat_limit",)),
        ("upscale", ("upscale_model", "tile")),
    ):
        for detail in details:
            if detail in given and step not in given:
                names = (OPTION_NAMES.get(name, f"--{name}") for name in (detail, step))
                raise click.UsageError("{} belongs to {}, which is not given".format(*names), context)
    if "interpolate" in given and ("factor" in given) == ("fps" in given):
        raise click.UsageError("give either --factor or --fps", context)
    if context.params["interpolate"] == "flavr" and "fps" in given:
        raise click.UsageError(
            "flavr only multiplies the rate by the factor it was trained for: give --factor", context
        )
