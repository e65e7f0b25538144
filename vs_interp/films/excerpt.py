"""Excerpts: a part of a film's frames, and the sound that goes with them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil
from typing import Any

from vs_interp.errors import ArgumentError

from .source import Source, on_time_line
from .times import TimeLine


@dataclass(frozen=True, kw_only=True)
class Excerpt:
    """A part of a film: from ``start``, in seconds after its first frame, for ``duration`` seconds or ``frames``."""

    start: Fraction = Fraction(0)
    duration: Fraction | None = None
    frames: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the excerpt as values for JSON."""
        duration = None if self.duration is None else str(self.duration)
        return {"start": str(self.start), "duration": duration, "frames": self.frames}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Excerpt:
        """Return the excerpt from the values of :meth:`to_json`."""
        duration = None if values["duration"] is None else Fraction(values["duration"])
        return cls(start=Fraction(values["start"]), duration=duration, frames=values["frames"])


def excerpt(source: Source, part: Excerpt) -> Source:
    """Return the source cut to an excerpt: from the frame shown at its start to the last that begins before its end.

    Raises :class:`ArgumentError` if the film ends before the excerpt starts.
    """
    line, every = source.line, range(len(source.stream.clip))
    if part.start >= line.seconds:
        raise ArgumentError(
            f"--start is {float(part.start):g} s, but the film ends after {float(line.seconds):g} s: start earlier"
        )
    first = bisect_right(every, part.start, key=lambda number: _start_of(line, number)) - 1
    last = len(every)
    if part.frames is not None:
        last = min(last, first + part.frames)
    if part.duration is not None:
        end = part.start + part.duration
        last = min(last, max(first + 1, bisect_left(every, end, key=lambda number: _start_of(line, number))))
    cut = replace(line, starts=line.starts[first : last + 1] - line.starts[first])
    begins = source.start + _start_of(line, first)
    window = max(begins, Fraction(0)), cut.seconds
    stream = on_time_line(source.stream.clip[first:last], cut)
    fields = len(every) // len(source.damage.stamps)
    frames = range(first // fields, ceil(last / fields))
    damage = source.damage.of_part(frames, _start_of(line, first), _start_of(line, first) + cut.seconds)
    return replace(source, stream=stream, line=cut, first=first, start=begins - window[0], window=window, damage=damage)


def _start_of(line: TimeLine, number: int) -> Fraction:
    """Return when a frame starts, in seconds after the first."""
    return number / line.rate if line.rate is not None else int(line.starts[number]) * line.tick
