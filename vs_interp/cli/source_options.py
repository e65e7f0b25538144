"""The options of ``vs-interp convert`` that say how its source is read."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import click

from .options import FrameRate

if TYPE_CHECKING:
    from vs_interp.films.fields import Fields
    from vs_interp.films.source import Reading

OPTIONS = (
    click.option("--source-fps", type=FrameRate(),
                 help="IN's frames a second, for pictures; of a film instead of what its time stamps say."),
    click.option("--deinterlace", type=click.Choice(["double", "keep"]),
                 help="Make interlaced frames progressive: a frame of each field, or one of two."),
    click.option("--assume-progressive", is_flag=True, help="Take all frames for progressive, whatever they say."),
    click.option("--on-error", type=click.Choice(["hold", "stop"]), default="hold", show_default=True,
                 help="Where a frame cannot be decoded: hold the picture before it, or stop."),
)  # fmt: skip


def source_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command these options."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def take_reading(given: dict[str, Any]) -> Reading:
    """Take these options out of all that are given, and return what they say.  Raises :class:`click.UsageError`."""
    from vs_interp.films.source import Reading

    rate: Fraction | None = given.pop("source_fps")
    fields: Fields | None = given.pop("deinterlace")
    progressive: bool = given.pop("assume_progressive")
    if progressive and fields:
        raise click.UsageError("give either --deinterlace or --assume-progressive")
    strict = given.pop("on_error") == "stop"
    return Reading(rate=rate, fields=fields, progressive=progressive, strict=strict)
