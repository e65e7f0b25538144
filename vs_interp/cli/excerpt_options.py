"""Options of ``vs-interp convert`` for converting a part of the source."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import click

from .options import Whole

if TYPE_CHECKING:
    from vs_interp.films.excerpt import Excerpt


class Time(click.ParamType[Fraction]):
    """A time in seconds (90 or 90.5), or with minutes and hours (1:30 or 0:01:30.5)."""

    name = "time"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Fraction:
        try:
            parts = [Fraction(part) for part in value.split(":")]
        except (ValueError, ZeroDivisionError):
            parts = []
        if not 1 <= len(parts) <= 3 or any(part < 0 for part in parts) or any(part >= 60 for part in parts[1:]):
            self.fail(f"{value!r} is not a time: give seconds, such as 90.5, or 0:01:30.5", param, ctx)
        return sum((part * 60**place for place, part in enumerate(reversed(parts))), Fraction(0))


OPTIONS = (
    click.option("--start", type=Time(), metavar="TIME", help="Start at this time of IN: 90.5 (seconds) or 1:30.5."),
    click.option("--duration", type=Time(), metavar="TIME", help="Convert only this much of IN."),
    click.option("--frames", type=Whole(1), metavar="N", help="Convert only N frames of IN."),
)


def excerpt_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add these options to a command."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def take_excerpt(given: dict[str, Any]) -> Excerpt | None:
    """Remove these options from ``given`` and return the excerpt that they describe; ``None`` for the whole film.

    Raises :class:`click.UsageError`.
    """
    from vs_interp.films.excerpt import Excerpt

    start, duration, frames = (given.pop(name) for name in ("start", "duration", "frames"))
    if duration is not None and frames is not None:
        raise click.UsageError("give either --duration or --frames")
    if duration == 0:
        raise click.UsageError("--duration is 0: give a time above 0")
    if (start, duration, frames) == (None, None, None):
        return None
    return Excerpt(start=start or Fraction(0), duration=duration, frames=frames)
