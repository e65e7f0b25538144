"""``vs-interp convert``: a video file in, steps on its clip, a video file out."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vs_interp.errors import ArgumentError

from .encoding_options import encoding_options, parse_choice
from .excerpt_options import excerpt_options, take_excerpt
from .options import BackendText, Factor, FrameRate, Threshold, json_option, models, quiet_option
from .source_options import source_options, take_reading

if TYPE_CHECKING:
    from vs_interp.jobs.conversion import Conversion, OpenConversion
    from vs_interp.jobs.plan import Manifest

INTERPOLATIONS = ("flavr", "rife", "super-slomo")
"""The networks that make frames between frames, called as their filters."""


OPTION_NAMES = {"upscale": "--scale", "upscale_model": "--scale-model", "drop_repeats": "--drop-repeats"}
"""Parameter → option, where they differ."""


@dataclass(frozen=True)
class Summary:
    """What a conversion did: the file, its frames, the seconds it took and the frames a second."""

    output: str
    frames: int
    seconds: float
    fps: float


@click.command("convert")
@click.argument("source", metavar="IN", type=click.Path(path_type=Path))
@click.argument("output", metavar="OUT", type=click.Path(path_type=Path))
@click.option("--interpolate", metavar="NETWORK", type=click.Choice(INTERPOLATIONS),
              help=f"Make frames between the frames: {', '.join(INTERPOLATIONS)}.")  # fmt: skip
@click.option("--factor", type=Factor(), help="How many times the frame rate: 2, 2.5 or 5/2.")
@click.option("--fps", type=FrameRate(), help="The wanted frame rate instead: 60, 59.94 or 60000/1001.")
@click.option(
    "--model",
    metavar="MODEL",
    shell_complete=models,
    help="What interpolates: a model file or a name, by default the usual one.",
)
@click.option("--drop-repeats", is_flag=True, default=None,
              help="Drawn film: make frames between drawings, not between a drawing and its repeats.")  # fmt: skip
@click.option(
    "--scale", "upscale", metavar="N", type=click.IntRange(1), help="Make frames N times as wide and as high."
)
@click.option(
    "--scale-model",
    "upscale_model",
    metavar="MODEL",
    shell_complete=models,
    help="What upscales: a model file or a name, by default FSRCNN.",
)
@click.option("--tile", metavar="PIXELS", type=click.IntRange(1), help="Upscale in tiles of that size: less memory.")
@click.option(
    "--backend",
    metavar="BACKEND",
    type=BackendText(),
    help="By default the best that works here; openvino:precision=bf16 and the like.",
)
@click.option("--scene-threshold", type=Threshold(), default=None, show_default="the filter's own",
              help="Mean luma difference (of 1) that makes a scene cut, or none.")  # fmt: skip
@click.option("--hold", type=Threshold(), default=None, show_default="the filter's own",
              help="Variable rate: hold frames still that last so many times as long as usual, or none.")  # fmt: skip
@excerpt_options
@source_options
@encoding_options
@click.option("--whole", is_flag=True, help="One stream by one encoder, not a job in chunks: it cannot be resumed.")
@click.option("--job", metavar="FOLDER", type=click.Path(path_type=Path), help="Where the job's chunks go: OUT.job.")
@click.option("--chunk", metavar="SECONDS", type=click.FloatRange(min=0, min_open=True), default=10,
              show_default=True, help="How long a chunk of the job is, about.")  # fmt: skip
@click.option("--restart", is_flag=True, help="Begin anew, and not where an earlier run of the job ended.")
@click.option("--overwrite", is_flag=True, help="Replace OUT where it exists.")
@quiet_option
@json_option
@click.pass_context
def command(
    context: click.Context, /, *, source: Path, output: Path, interpolate: str | None,
    factor: Fraction | None, fps: Fraction | None, model: str | None, drop_repeats: bool | None,
    upscale: int | None, upscale_model: str | None, tile: int | None, backend: str | None,
    scene_threshold: float | None, hold: float | None, whole: bool, job: Path | None, chunk: float, restart: bool,
    overwrite: bool, quiet: bool, as_json: bool, **others: Any,
) -> None:  # fmt: skip
    """Convert the video IN to OUT.  Sound, subtitles, chapters and metadata are kept.

    IN is a video file, a folder or a pattern of pictures, or - for a pipe.

    With both, frames are made first and enlarged then: that costs less than to look for motion in large frames.

    \b
    Examples:
      vs-interp convert in.mkv out.mkv --interpolate super-slomo --factor 2
      vs-interp convert in.mkv out.mkv --scale 2
      vs-interp convert "frames/%05d.png" out.mp4 --source-fps 24 --interpolate rife --factor 2
      vs-interp convert in.mkv out.mp4 --interpolate rife --fps 59.94 --scale 2 --scale-model span-x2 \\
          --codec h265 --quality 18 --preset slow --encoder-args "-tune animation"
      vs-interp convert cartoon.mkv out.mkv --interpolate rife --fps 48 --drop-repeats
    """
    _check_options(context)
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
                drop_repeats=bool(drop_repeats),
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
    summary = convert(conversion, overwrite=overwrite, quiet=quiet, whole=whole, job=job, chunk=chunk, restart=restart)
    if as_json:
        click.echo(json.dumps(asdict(summary)))
    elif not quiet:
        click.echo(f"{output}: {summary.frames} frames in {summary.seconds:.1f} s ({summary.fps:.1f} fps)", err=True)


def _is_given(context: click.Context, option: str) -> bool:
    return context.get_parameter_source(option) is click.core.ParameterSource.COMMANDLINE


def _check_options(context: click.Context) -> None:
    """Raise :class:`click.UsageError` unless a step is asked for, and all that is given belongs to one."""
    given = {name for name, value in context.params.items() if value is not None}
    if not given & {"interpolate", "upscale"}:
        raise click.UsageError("give --interpolate NETWORK, --scale N, or both", context)
    for step, details in (
        ("interpolate", ("factor", "fps", "model", "hold", "drop_repeats")),
        ("upscale", ("upscale_model", "tile")),
    ):
        for detail in details:
            if detail in given and step not in given:
                names = (OPTION_NAMES.get(name, f"--{name}") for name in (detail, step))
                raise click.UsageError("{} belongs to {}, which is not given".format(*names), context)
    if "interpolate" in given and ("factor" in given) == ("fps" in given):
        raise click.UsageError("give either --factor or --fps", context)
    if context.params["interpolate"] == "flavr" and "fps" in given:
        raise click.UsageError("flavr multiplies the rate by what it was trained for: give --factor", context)


def convert(
    conversion: Conversion, *, overwrite: bool = False, quiet: bool = False,
    whole: bool = False, job: Path | None = None, chunk: float = 10, restart: bool = False,
) -> Summary:  # fmt: skip
    """Open a video file, take it through the steps and encode it: a long one as a job in chunks.

    Raises the :class:`~vs_interp.errors.VsInterpError` that tells what is wrong; ``output`` then is as it was.
    """
    source, output = conversion.source, conversion.output
    check_output(output, source, overwrite)
    from vs_interp.films.containers import container_format
    from vs_interp.films.inputs import comes_through_a_pipe, piped
    from vs_interp.films.rehearsal import rehearse
    from vs_interp.jobs.plan import plan
    from vs_interp.jobs.run import must_be_whole

    from .progress import bytes_read, part_done

    container_format(output)
    reading = f"reading {source}"
    if comes_through_a_pipe(source):
        with bytes_read(reading, quiet=quiet) as came, piped(source, sys.stdin.buffer, came) as film:
            return convert(
                replace(conversion, source=film), overwrite=overwrite, quiet=quiet, whole=whole, job=job, chunk=chunk,
                restart=restart,
            )  # fmt: skip
    with part_done(reading, quiet=quiet) as progress:
        opened = conversion.open(progress)
        manifest = plan(conversion, opened, chunk)
    for note in () if quiet else opened.notes:
        click.echo(note, err=True)
    rehearse(opened.encoding, output, overwrite=overwrite)
    start = time.monotonic()
    if whole or must_be_whole(conversion, manifest):
        frames = _in_one_go(opened, output, overwrite=overwrite, quiet=quiet)
    else:
        frames = _as_a_job(opened, manifest, job, overwrite=overwrite, restart=restart, quiet=quiet)
    seconds = time.monotonic() - start
    for line in () if quiet else opened.source.damage.report():
        click.echo(line, err=True)
    return Summary(str(output), frames, round(seconds, 3), round(frames / seconds, 3))


def _in_one_go(opened: OpenConversion, output: Path, *, overwrite: bool, quiet: bool) -> int:
    from vs_interp.films.render import render
    from vs_interp.jobs.here import frames_ahead

    from .progress import frames_done

    with frames_done(len(opened.clip), quiet=quiet) as advance:
        return render(opened.encoding, output, overwrite=overwrite, ahead=frames_ahead(opened), advance=advance)


def _as_a_job(
    opened: OpenConversion, manifest: Manifest, folder: Path | None, *, overwrite: bool, restart: bool, quiet: bool
) -> int:
    from vs_interp.jobs.chunk import ChunkFolder, Record
    from vs_interp.jobs.folder import folder_of
    from vs_interp.jobs.here import make_chunks
    from vs_interp.jobs.run import run

    from .progress import JobProgress

    folder = folder or folder_of(manifest.conversion.output)

    with JobProgress(folder, quiet=quiet) as progress:

        def make(chunks: ChunkFolder, numbers: list[int]) -> Iterator[tuple[int, Record]]:
            return make_chunks(opened, chunks, manifest.borders, numbers, progress.made)

        return run(opened, manifest, folder, make, overwrite=overwrite, restart=restart, listener=progress)


def check_output(output: Path, source: Path, overwrite: bool) -> None:
    """Raise :class:`ArgumentError` where a file cannot, or must not, be written."""
    if output.is_dir():
        raise ArgumentError(f"{output} is a folder: name a file in it")
    if not output.absolute().parent.is_dir():
        raise ArgumentError(f"the folder {output.parent} does not exist: make it first")
    if output.exists() and source.exists() and output.samefile(source):
        raise ArgumentError(f"{output} is the source itself: name another file")
    if output.exists() and not overwrite:
        raise ArgumentError(f"{output} exists: remove it, name another file, or give --overwrite")
