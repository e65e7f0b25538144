"""A part of a film: its frames from one moment on, for some time, and the sound that goes with them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from vs_interp.errors import ArgumentError

from .source import Source, on_time_line
from .times import TimeLine


@dataclass(frozen=True, kw_only=True)
class Excerpt:
    """Which part: from ``start`` seconds after the first frame on, for ``duration`` seconds or ``frames`` frames."""

    start: Fraction = Fraction(0)
    duration: Fraction | None = None
    frames: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return what :meth:`from_json` reads."""
        lasts = None if self.duration is None else str(self.duration)
        return {"start": str(self.start), "duration": lasts, "frames": self.frames}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Excerpt:
        """Return the part that :meth:`to_json` wrote down."""
        lasts = None if values["duration"] is None else Fraction(values["duration"])
        return cls(start=Fraction(values["start"]), duration=lasts, frames=values["frames"])


def excerpt(source: Source, part: Excerpt) -> Source:
    """Return the source from the frame that is shown at the start, to the last that begins before the end.

    Raises :class:`ArgumentError` where the film is over by then.
    """
    line, every = source.line, range(len(source.stream.clip))
    if part.start >= line.seconds:
        raise ArgumentError(
            f"--start is {float(part.start):g} s, and the film is over after {float(line.seconds):g} s: begin earlier"
        )
    first = bisect_right(every, part.start, key=lambda number: _begin(line, number)) - 1
    last = len(every)
    if part.frames is not None:
        last = min(last, first + part.frames)
    if part.duration is not None:
        end = part.start + part.duration
        last = min(last, max(first + 1, bisect_left(every, end, key=lambda number: _begin(line, number))))
    cut = replace(line, starts=line.starts[first : last + 1] - line.starts[first])
    begins = source.start + _begin(line, first)
    window = max(begins, Fraction(0)), cut.seconds
    stream = on_time_line(source.stream.clip[first:last], cut)
    return replace(source, stream=stream, line=cut, first=first, start=begins - window[0], window=window)


def _begin(line: TimeLine, number: int) -> Fraction:
    """Return the seconds from the beginning of the first frame to that of another."""
    return number / line.rate if line.rate is not None else int(line.starts[number]) * line.tick
