"""Pure arithmetic: from the time stamps of a film's frames to its time line, a constant rate where they say so."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

MILLISECOND = Fraction(1, 1000)
"""Films that came through Matroska are rounded to this, even where the ticks of their container are finer."""

USUAL_AROUND = 15
"""A frame's usual duration is the median of so many around it."""

Stamps = Sequence[int | None]
"""Time stamps in ticks, ``None`` for a frame without one."""


@dataclass(frozen=True)
class TimeLine:
    """When the frames of a film are shown.

    starts
        Ticks from the beginning of the first frame to that of every frame, and to the end of the last: ascending, one
        more than there are frames.
    tick
        Seconds a tick.
    rate
        Frames a second where all starts are those of a constant rate, rounded; else ``None``.
    first
        The first frame's time stamp, in ticks; ``None`` where the film has none.
    """

    starts: NDArray[np.int64]
    tick: Fraction
    rate: Fraction | None
    first: int | None = None

    @cached_property
    def durations(self) -> NDArray[np.int64]:
        """How many ticks each frame lasts."""
        return np.diff(self.starts)

    def ending_after(self, last: int) -> TimeLine:
        """Return the time line with a last frame of so many ticks, unless that is a mere blink."""
        if last < self.durations[-1] // 2:
            return self
        return replace(self, starts=np.append(self.starts[:-1], self.starts[-2] + last))

    def doubled(self) -> TimeLine:
        """Return the time line of twice as many frames, each lasting half as long."""
        halved = np.empty(2 * len(self.starts) - 1, np.int64)
        halved[::2], halved[1::2] = 2 * self.starts, self.starts[:-1] + self.starts[1:]
        first = None if self.first is None else 2 * self.first
        return TimeLine(halved, self.tick / 2, self.rate and 2 * self.rate, first)

    @property
    def seconds(self) -> Fraction:
        """How long the film lasts."""
        frames = len(self.starts) - 1
        return frames / self.rate if self.rate else int(self.starts[-1]) * self.tick


def time_line(stamps: Stamps, tick: Fraction, rates: Sequence[Fraction]) -> TimeLine:
    """Return the time line of frames with these time stamps.

    Frames without a stamp, or with one that contradicts the others, are laid evenly between their neighbours.

    rates
        The frame rates that the container states or suggests, best first, at least one; the first counts where there
        are no stamps.

    The last frame lasts as long as is usual before it, for no stamp says how long: see :meth:`TimeLine.ending_after`.
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
    """Return the time line of a constant rate."""
    exact = 1 / (rate * tick)
    numbers = np.arange(frames + 1, dtype=np.int64)
    return TimeLine((numbers * exact.numerator + exact.denominator // 2) // exact.denominator, tick, rate)


def ascending(stamps: Stamps) -> list[int]:
    """Return the frames whose stamps ascend, as many as can be: those of a longest increasing subsequence."""
    known = [number for number, stamp in enumerate(stamps) if stamp is not None]
    values = np.array([stamps[number] for number in known], dtype=np.int64)
    if len(values) < 2 or bool((np.diff(values) > 0).all()):
        return known
    ends: list[int] = []  # the smallest stamp that ends an ascending run of each length, and where it lies
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
    """Return ascending stamps for all frames: those of ``known`` kept, the others evenly between, ``usual`` outside."""
    numbers = np.arange(len(stamps))
    values = np.array([stamps[number] for number in known], dtype=np.int64)
    first, last = known[0], known[-1]
    between = values[0] + np.interp(numbers, known, (values - values[0]).astype(np.float64))
    between[:first] = values[0] - (first - numbers[:first]) * usual
    between[last + 1 :] = values[-1] + (numbers[last + 1 :] - last) * usual
    filled = np.rint(between).astype(np.int64)
    filled[list(known)] = values
    return np.maximum.accumulate(filled - numbers) + numbers  # where there is no room, a tick each


def fits(stamps: Stamps, known: Sequence[int], usual: float) -> bool:
    """Whether every gap between known stamps is as long as its frames usually last, so that filling it is exact."""
    values = np.array([stamps[number] for number in known], dtype=np.float64)
    frames, ticks = np.diff(known), np.diff(values)
    return bool((np.abs(ticks - frames * usual)[frames > 1] <= 1.01).all())


def constant_rate(stamps: NDArray[np.int64], tick: Fraction, rates: Sequence[Fraction]) -> Fraction | None:
    """Return the first rate that the stamps are the times of, rounded to ticks or to milliseconds; else ``None``."""
    numbers = np.arange(len(stamps), dtype=np.float64)
    for rate in rates:
        ticks = 1 / (rate * tick)
        strays = (stamps - stamps[0]) - numbers * float(ticks)
        rounding = Fraction(ticks >= 4 and ticks.denominator > 1)  # else a frame left out might pass for rounding
        if float(strays.max() - strays.min()) <= max(rounding, min(2 * MILLISECOND / tick, ticks / 10)) + 0.01:
            return rate
    return None


def _mean_rates(stamps: NDArray[np.int64], tick: Fraction) -> list[Fraction]:
    """Return the rate that the stamps have on average: the simple fraction near it, and the exact one."""
    ticks = int(stamps[-1] - stamps[0])
    if ticks <= 0:
        return []
    exact = Fraction(len(stamps) - 1, ticks) / tick
    return [near for near in (exact.limit_denominator(1), exact.limit_denominator(1001), exact) if near > 0]
