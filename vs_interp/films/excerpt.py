"""Excerpts: a part of a film's frames, and the sound that goes with them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

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

    At a variable rate a first or last frame that is held is shown only within the excerpt, but for at least as long as
    frames usually last.  Raises :class:`ArgumentError` if the film ends before the excerpt starts.
    """
    line, every = source.line, range(len(source.stream.clip))
    if part.start >= line.seconds:
        raise ArgumentError(
            f"--start is {float(part.start):g} s, but the film ends after {float(line.seconds):g} s: start earlier"
        )
    first = bisect_right(every, part.start, key=lambda number: _start_of(line, number)) - 1
    last = len(every)
    if part.frames is not None:
        last = min(last, first + part.frames * source.fields)
    if part.duration is not None:
        end = part.start + part.duration
        last = min(last, max(first + 1, bisect_left(every, end, key=lambda number: _start_of(line, number))))
    starts = line.starts[first : last + 1].copy()
    if line.rate is None:
        _cut_held(starts, line, part)
    begins = first / line.rate if line.rate is not None else int(starts[0]) * line.tick
    cut = replace(line, starts=starts - starts[0])
    start = source.start + begins
    window = max(start, Fraction(0)), cut.seconds
    stream = on_time_line(source.stream.clip[first:last], cut)
    frames = range(first // source.fields, ceil(last / source.fields))
    damage = source.damage.of_part(frames, begins, begins + cut.seconds)
    return replace(
        source, stream=stream, line=cut, first=frames.start, start=start - window[0], window=window, damage=damage
    )


def _cut_held(starts: NDArray[np.int64], line: TimeLine, part: Excerpt) -> None:
    """Cut what the first and the last frame of an excerpt last beyond it, down to the usual duration."""
    usual = int(np.median(line.durations))
    starts[0] = max(starts[0], min(int(part.start / line.tick), starts[1] - usual))
    if part.duration is not None:
        end = ceil((part.start + part.duration) / line.tick)
        starts[-1] = min(starts[-1], max(end, starts[-2] + usual))


def _start_of(line: TimeLine, number: int) -> Fraction:
    """Return when a frame starts, in seconds after the first."""
    return number / line.rate if line.rate is not None else int(line.starts[number]) * line.tick
