"""Options of ``vs-interp convert`` for reading the source."""

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
                 help="Frame rate of IN: needed for pictures; overrides the time stamps of a film."),
    click.option("--deinterlace", type=click.Choice(["double", "keep"]),
                 help="Deinterlace: one frame of each field (double), or of two (keep)."),
    click.option("--assume-progressive", is_flag=True,
                 help="Treat all frames as progressive, even those marked as interlaced."),
    click.option("--on-error", type=click.Choice(["hold", "stop"]), default="hold", show_default=True,
                 help="If a frame cannot be decoded, repeat the one before it (hold), or stop."),
)  # fmt: skip


def source_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add these options to a command."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def take_reading(given: dict[str, Any]) -> Reading:
    """Remove these options from ``given`` and return them as a :class:`Reading`.  Raises :class:`click.UsageError`."""
    from vs_interp.films.source import Reading

    rate: Fraction | None = given.pop("source_fps")
    fields: Fields | None = given.pop("deinterlace")
    progressive: bool = given.pop("assume_progressive")
    if progressive and fields:
        raise click.UsageError("give either --deinterlace or --assume-progressive")
    strict = given.pop("on_error") == "stop"
    return Reading(rate=rate, fields=fields, progressive=progressive, strict=strict)
