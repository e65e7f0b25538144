"""From the time stamps of a film's frames to its time line, with a constant rate if they are consistent with one."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

MILLISECOND = Fraction(1, 1000)
"""The rounding of films that once were Matroska, even if their present container has finer ticks."""

USUAL_AROUND = 15
"""The usual duration near the end of a film is the median of this many frames."""

Stamps = Sequence[int | None]
"""Time stamps in ticks; ``None`` for a frame without one."""


@dataclass(frozen=True)
class TimeLine:
    """When the frames of a film are shown.

    starts
        The start of every frame and the end of the last, in ticks after the start of the first: ascending, one more
        than there are frames.
    tick
        Seconds per tick.
    rate
        Frames per second if all starts are those of a constant rate, up to rounding; else ``None``.
    first
        The time stamp of the first frame in ticks; ``None`` if the film has none.
    """

    starts: NDArray[np.int64]
    tick: Fraction
    rate: Fraction | None
    first: int | None = None

    @cached_property
    def durations(self) -> NDArray[np.int64]:
        """The duration of each frame in ticks."""
        return np.diff(self.starts)

    def ending_after(self, last: int) -> TimeLine:
        """Return the time line with a last frame of ``last`` ticks, unless that is less than half of what it was."""
        if last < self.durations[-1] // 2:
            return self
        return replace(self, starts=np.append(self.starts[:-1], self.starts[-2] + last))

    def doubled(self) -> TimeLine:
        """Return the time line with twice as many frames, each half as long."""
        halved = np.empty(2 * len(self.starts) - 1, np.int64)
        halved[::2], halved[1::2] = 2 * self.starts, self.starts[:-1] + self.starts[1:]
        first = None if self.first is None else 2 * self.first
        return TimeLine(halved, self.tick / 2, self.rate and 2 * self.rate, first)

    @property
    def seconds(self) -> Fraction:
        """The duration of the film in seconds."""
        frames = len(self.starts) - 1
        return frames / self.rate if self.rate else int(self.starts[-1]) * self.tick


def time_line(stamps: Stamps, tick: Fraction, rates: Sequence[Fraction]) -> TimeLine:
    """Return the time line of frames with these time stamps.

    Frames without a time stamp, or with one that contradicts the others, are spaced evenly between their neighbours.

    rates
        The frame rates that the container states or suggests, at least one, the most reliable first; that one is used
        if there are no time stamps.

    No time stamp tells the duration of the last frame, so it gets the usual one of the frames before it; see
    :meth:`TimeLine.ending_after`.
    """
    usual = float(1 / (rates[0] * tick))
    known = ascending(stamps)
    if not known:
        return constant(len(stamps), tick, rates[0])
    filled = fill(stamps, known, usual)
    rate = constant_rate(filled, tick, [*rates, *_mean_rates(filled, tick)])
    if rate is not None:
        return replace(constant(len(stamps), tick, rate), first=int(filled[0]))
    ends = max(1, round(float(np.median(np.diff(filled)[-USUAL_AROUND:]))))
    return TimeLine(np.append(filled, filled[-1] + ends) - filled[0], tick, None, int(filled[0]))


def constant(frames: int, tick: Fraction, rate: Fraction) -> TimeLine:
    """Return the time line of so many frames at a constant rate."""
    exact = 1 / (rate * tick)
    numbers = np.arange(frames + 1, dtype=np.int64)
    return TimeLine((numbers * exact.numerator + exact.denominator // 2) // exact.denominator, tick, rate)


def ascending(stamps: Stamps) -> list[int]:
    """Return the numbers of the frames in a longest ascending subsequence of the time stamps."""
    known = [number for number, stamp in enumerate(stamps) if stamp is not None]
    values = np.array([stamps[number] for number in known], dtype=np.int64)
    if len(values) < 2 or bool((np.diff(values) > 0).all()):
        return known
    ends: list[int] = []  # the smallest stamp that ends an ascending subsequence of each length, and its place
    places: list[int] = []
    before: list[int | None] = [None] * len(known)
    for place, value in enumerate(values.tolist()):
        length = bisect_left(ends, value)
        before[place] = places[length - 1] if length else None
        ends[length : length + 1], places[length : length + 1] = [value], [place]
    chain: list[int] = []
    at: int | None = places[-1]
    while at is not None:
        chain.append(known[at])
        at = before[at]
    return chain[::-1]


def fill(stamps: Stamps, known: Sequence[int], usual: float) -> NDArray[np.int64]:
    """Return ascending time stamps for all frames: those of the frames in ``known``, the others spaced evenly.

    Before the first and after the last known frame, they are ``usual`` ticks apart.
    """
    numbers = np.arange(len(stamps))
    values = np.array([stamps[number] for number in known], dtype=np.int64)
    first, last = known[0], known[-1]
    between = values[0] + np.interp(numbers, known, (values - values[0]).astype(np.float64))
    between[:first] = values[0] - (first - numbers[:first]) * usual
    between[last + 1 :] = values[-1] + (numbers[last + 1 :] - last) * usual
    filled = np.rint(between).astype(np.int64)
    filled[list(known)] = values
    return np.maximum.accumulate(filled - numbers) + numbers  # a tick per frame if they do not fit in between


def fits(stamps: Stamps, known: Sequence[int], usual: float) -> bool:
    """Whether every gap between known time stamps fits its number of frames, so that it can be filled exactly."""
    values = np.array([stamps[number] for number in known], dtype=np.float64)
    frames, ticks = np.diff(known), np.diff(values)
    return bool((np.abs(ticks - frames * usual)[frames > 1] <= 1.01).all())


def constant_rate(stamps: NDArray[np.int64], tick: Fraction, rates: Sequence[Fraction]) -> Fraction | None:
    """Return the first rate that the time stamps follow, up to rounding to ticks or milliseconds; else ``None``."""
    numbers = np.arange(len(stamps), dtype=np.float64)
    for rate in rates:
        ticks = 1 / (rate * tick)
        deviations = (stamps - stamps[0]) - numbers * float(ticks)
        rounding = Fraction(ticks >= 4 and ticks.denominator > 1)  # with coarser ticks a missing frame would pass too
        tolerance = max(rounding, min(2 * MILLISECOND / tick, ticks / 10)) + 0.01
        if float(deviations.max() - deviations.min()) <= tolerance:
            return rate
    return None


def _mean_rates(stamps: NDArray[np.int64], tick: Fraction) -> list[Fraction]:
    """Return the average rate of the time stamps: the simple fractions near it, and the exact one."""
    ticks = int(stamps[-1] - stamps[0])
    if ticks <= 0:
        return []
    exact = Fraction(len(stamps) - 1, ticks) / tick
    return [near for near in (exact.limit_denominator(1), exact.limit_denominator(1001), exact) if near > 0]
