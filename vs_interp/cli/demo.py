"""``vs-interp demo``: double the frame rate of the bundled clip, and make a picture of the result."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from fractions import Fraction
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vs_interp.errors import ArgumentError

from .options import json_option, quiet_option

if TYPE_CHECKING:
    import vapoursynth as vs

CLIP = "bbb_360p24.mp4"
PAIRS = (22, 64, 83)
"""Source frames of that clip with visible motion to the next."""

SHOWN = (300, 200)
"""Width and height of the part of the picture that is shown, the one with the most motion."""

CAPTIONS = ("source {0}", "interpolated", "source {1}", "blend of both")


@click.command("demo")
@click.option("-o", "--output", metavar="DIR", default="demo-output", show_default=True,
              type=click.Path(path_type=Path),
              help="Folder to write to; the files of an earlier demo are replaced.")  # fmt: skip
@quiet_option
@json_option
def command(*, output: Path, quiet: bool, as_json: bool) -> None:
    """Interpolate a bundled clip and show the result.

    The clip is 4 seconds of Big Buck Bunny.  A picture shows new frames beside the source's, and plain blends.

    \b
    Examples:
      vs-interp demo
      vs-interp demo --output /tmp/demo
    """
    from vs_interp.films.codecs import Choice
    from vs_interp.jobs.conversion import Conversion
    from vs_interp.jobs.steps import Interpolation

    from .job_options import How
    from .running import convert

    video, picture = output / "bbb_2x.mp4", output / "frames.png"
    with _kept_unless_empty(output), as_file(files("vs_interp") / "clips" / CLIP) as clip:
        doubled = (Interpolation(network="super-slomo", factor=Fraction(2)),)
        conversion = Conversion(source=clip, output=video, steps=doubled, choice=Choice())
        summary = convert(conversion, How(whole=True), overwrite=True, quiet=quiet)
        compare(clip, video, picture)
    if as_json:
        click.echo(json.dumps({**asdict(summary), "picture": str(picture)}))
        return
    if quiet:
        return
    click.echo(f"{video}: {summary.frames} frames at twice the frame rate, made at {summary.fps:.1f} fps")
    click.echo(f"{picture}: source frames, interpolated frames, and plain blends for comparison")
    click.echo("Film: Big Buck Bunny, (c) copyright 2008, Blender Foundation | www.bigbuckbunny.org, CC-BY 3.0")


@contextmanager
def _kept_unless_empty(folder: Path) -> Iterator[None]:
    """Make a folder where there is none; it is removed again if nothing is in it after an error."""
    made = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArgumentError(f"cannot make the folder {folder}: {error.strerror}") from error
    try:
        yield
    except BaseException:
        if made:
            with suppress(OSError):  # of a folder that is not empty
                folder.rmdir()
        raise


def compare(clip: Path, doubled: Path, picture: Path) -> None:
    """Write a PNG with a row per pair of :data:`PAIRS`: the source frames, the frame in between, and their blend."""
    import vapoursynth as vs

    from vs_interp.films.source import open_source

    core = vs.core
    source, made = (open_source(path).stream.clip for path in (clip, doubled))
    rows = []
    for number in PAIRS:
        first, second = source[number], source[number + 1]
        left, top = _moving_part(first, second)
        columns = (first, made[2 * number + 1], second, core.std.Merge(first, second))
        tiles = [
            core.std.CropAbs(column, *SHOWN, left=left, top=top).text.Text(caption.format(number, number + 1), 7)
            for column, caption in zip(columns, CAPTIONS, strict=True)
        ]
        rows.append(core.std.StackHorizontal([tile.std.AddBorders(2, 2, 2, 2) for tile in tiles]))
    sheet = core.resize.Bicubic(core.std.StackVertical(rows), format=vs.RGB24, matrix_in=vs.MATRIX_BT709)
    with sheet.get_frame(0) as frame:
        write_png(frame, picture)


def _moving_part(first: vs.VideoNode, second: vs.VideoNode) -> tuple[int, int]:
    """Return left and top of the part of size :data:`SHOWN` in which two frames differ most, in steps of 8 pixels."""
    import numpy as np
    import vapoursynth as vs

    step = 8
    difference = vs.core.std.Expr([first, second], ["x y - abs", "", ""])
    with difference.get_frame(0) as frame:
        integral = np.asarray(frame[0]).astype(np.int64).cumsum(0).cumsum(1)
    integral = np.pad(integral, ((1, 0), (1, 0)))
    width, height = SHOWN
    upper, lower = integral[:-height:step], integral[height::step]
    sums = lower[:, width::step] - upper[:, width::step] - lower[:, :-width:step] + upper[:, :-width:step]
    top, left = np.unravel_index(int(sums.argmax()), sums.shape)
    return int(left) * step, int(top) * step


def write_png(frame: vs.VideoFrame, path: Path) -> None:
    """Write an 8-bit RGB frame as a PNG file."""
    import av
    import numpy as np

    planes = np.stack([np.asarray(frame[index]) for index in range(3)], axis=2)
    encoder = av.CodecContext.create("png", "w")
    encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, "rgb24"
    encoder.time_base = Fraction(1, 25)
    packets = [*encoder.encode(av.VideoFrame.from_ndarray(planes, format="rgb24")), *encoder.encode(None)]
    path.write_bytes(b"".join(bytes(packet) for packet in packets))
