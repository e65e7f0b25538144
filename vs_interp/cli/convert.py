"""``vs-interp convert``: a video file in, steps on its clip, a video file out."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vs_interp.errors import ArgumentError, SourceError

from .encoding_options import encoding_options, parse_choice
from .options import BackendName, Factor, FrameRate, Threshold

if TYPE_CHECKING:
    from trt_build.backends import Backend
    from vs_interp.films.codecs import Choice
    from vs_interp.films.source import Stream

type Step = Callable[[Stream], Stream]
"""What an option such as ``--interpolate`` does to the clip."""

INTERPOLATIONS = {"flavr": "flavr", "rife": "rife", "super-slomo": "super_slomo"}
"""Name on the command line → filter in ``vs_interp.filters``: one line a network."""


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
@click.option("--interpolate", metavar="NETWORK", type=click.Choice(sorted(INTERPOLATIONS)),
              help=f"Make frames between the frames: {', '.join(sorted(INTERPOLATIONS))}.")  # fmt: skip
@click.option("--factor", type=Factor(), help="How many times the frame rate: 2, 2.5 or 5/2.")
@click.option("--fps", type=FrameRate(), help="The wanted frame rate instead: 60, 59.94 or 60000/1001.")
@click.option("--model", metavar="MODEL", help="What interpolates: a model file or a name, by default the usual one.")
@click.option("--upscale", metavar="N", type=click.IntRange(1), help="Make frames N times as wide and as high.")
@click.option("--upscale-model", metavar="MODEL", help="What upscales: a model file or a name, by default FSRCNN.")
@click.option("--tile", metavar="PIXELS", type=click.IntRange(1), help="Upscale in tiles of that size: less memory.")
@click.option(
    "--backend",
    metavar="BACKEND",
    type=BackendName(),
    help="By default the best that works here; openvino:precision=bf16 and the like.",
)
@click.option("--scene-threshold", type=Threshold(), default=None, show_default="the filter's own",
              help="Mean luma difference (of 1) that makes a scene cut, or off.")  # fmt: skip
@encoding_options
@click.option("--overwrite", is_flag=True, help="Replace OUT where it exists.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
@click.option("--json", "as_json", is_flag=True, help="Print a summary as JSON on standard output.")
@click.pass_context
def command(
    context: click.Context, /, *, source: Path, output: Path, interpolate: str | None,
    factor: Fraction | None, fps: Fraction | None, model: str | None,
    upscale: int | None, upscale_model: str | None, tile: int | None, backend: Backend | None,
    scene_threshold: float | None, overwrite: bool, quiet: bool, as_json: bool, **encoding: Any,
) -> None:  # fmt: skip
    """Convert the video IN to OUT.  Sound, subtitles, chapters and metadata are kept.

    With both, frames are made first and enlarged then: that costs less than to look for motion in large frames.

    \b
    Examples:
      vs-interp convert in.mkv out.mkv --interpolate super-slomo --factor 2
      vs-interp convert in.mkv out.mkv --upscale 2
      vs-interp convert in.mkv out.mp4 --interpolate rife --fps 59.94 --upscale 2 --upscale-model span-x2 \\
          --codec h265 --quality 18 --preset slow --encoder-args "-tune animation"
    """
    _check_options(context)
    options: dict[str, Any] = {"backend": backend}
    if context.get_parameter_source("scene_threshold") is click.core.ParameterSource.COMMANDLINE:
        options["scene_threshold"] = scene_threshold
    steps: list[Step] = []
    if interpolate is not None:
        steps.append(interpolation(interpolate, factor=factor, fps=fps, model=model, **options))
    if upscale is not None:
        steps.append(upscaling(upscale, model=upscale_model, tile=tile, **options))
    summary = convert(source, output, steps, choice=parse_choice(**encoding), overwrite=overwrite, quiet=quiet)
    if as_json:
        click.echo(json.dumps(asdict(summary)))
    elif not quiet:
        click.echo(f"{output}: {summary.frames} frames in {summary.seconds:.1f} s ({summary.fps:.1f} fps)", err=True)


def _check_options(context: click.Context) -> None:
    """Raise :class:`click.UsageError` unless a step is asked for, and all that is given belongs to one."""
    given = {name for name, value in context.params.items() if value is not None}
    if not given & {"interpolate", "upscale"}:
        raise click.UsageError("give --interpolate NETWORK, --upscale N, or both", context)
    for step, details in (("interpolate", ("factor", "fps", "model")), ("upscale", ("upscale_model", "tile"))):
        for detail in details:
            if detail in given and step not in given:
                raise click.UsageError(f"--{detail.replace('_', '-')} belongs to --{step}, which is not given", context)
    if "interpolate" in given and ("factor" in given) == ("fps" in given):
        raise click.UsageError("give either --factor or --fps", context)
    if context.params["interpolate"] == "flavr" and "fps" in given:
        raise click.UsageError("flavr multiplies the rate by what it was trained for: give --factor", context)


def convert(
    source: Path, output: Path, steps: Sequence[Step], *,
    choice: Choice | None = None, overwrite: bool = False, quiet: bool = False,
) -> Summary:  # fmt: skip
    """Open a video file, take it through the steps and encode it.

    Raises the :class:`~vs_interp.errors.VsInterpError` that tells what is wrong; ``output`` then is as it was.
    """
    check_output(output, source, overwrite)
    import vapoursynth as vs

    from vs_interp.films.codecs import Choice
    from vs_interp.films.containers import container_format
    from vs_interp.films.encoding import Encoding
    from vs_interp.films.render import render
    from vs_interp.films.source import open_source

    from .progress import frames_done, working_on

    container_format(output)
    with working_on(f"reading {source}", quiet=quiet):
        opened = open_source(source)
    stream = opened.stream
    for step in steps:
        try:
            stream = step(stream)
        except vs.Error as error:
            raise SourceError(str(error)) from error
    encoding = Encoding.prepare(opened, stream, output, choice or Choice())
    for note in () if quiet else encoding.notes:
        click.echo(note, err=True)
    ahead = vs.core.num_threads * (1 + math.ceil(len(stream.clip) / len(opened.stream.clip)))
    start = time.monotonic()
    with frames_done(len(stream.clip), quiet=quiet) as advance:
        frames = render(encoding, output, overwrite=overwrite, ahead=ahead, advance=advance)
    seconds = time.monotonic() - start
    return Summary(str(output), frames, round(seconds, 3), round(frames / seconds, 3))


def interpolation(network: str, *, factor: Fraction | None = None, fps: Fraction | None = None, **options: Any) -> Step:
    """Return the step that brings a stream to ``factor`` times its frame rate, or to ``fps``."""

    def step(stream: Stream) -> Stream:
        from vs_interp import filters
        from vs_interp.films.source import Stream

        rate = {"factor": factor} if fps is None else {"fps": fps}
        clip = getattr(filters, INTERPOLATIONS[network])(stream.clip, **rate, **options)
        if stream.tick is None or factor is None:
            return Stream(clip, None)
        return replace(stream, clip=clip, tick=stream.tick / factor.numerator)

    return step


def upscaling(scale: int, **options: Any) -> Step:
    """Return the step that makes a stream's frames ``scale`` times as wide and as high."""

    def step(stream: Stream) -> Stream:
        from vs_interp import filters

        return replace(stream, clip=filters.upscale(stream.clip, scale=scale, **options))

    return step


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
