"""Pure arithmetic of the time line: which moment of which source frame makes an output frame, and for how long.

A *moment* is a source frame n and a time t in [0, 1): t = 0 is the frame itself, any other lies between it and the
next.  Everything is exact: rates, times and durations are fractions.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import accumulate
from math import floor

import numpy as np

from vs_interp.arguments import as_fraction, is_real
from vs_interp.errors import ArgumentError
from vs_interp.films.times import USUAL_AROUND

HIGHEST_FACTOR = 128
HOLD = 3.5
"""A frame that lasts more than this many times the usual duration is held still."""


@dataclass(frozen=True)
class Timeline:
    """The output's moments over ``sources`` frames.

    ``cycle[i]`` lists, ascending, the times within each source frame n with n % len(cycle) = i; at a variable rate the
    cycle is as long as the clip.  ``length`` is the number of output frames.  Where frames are held, ``moving`` gives
    for each source frame the seconds at its end during which time runs from 0 to 1 (see :func:`moving`).
    """

    sources: int
    cycle: tuple[tuple[Fraction, ...], ...]
    length: int
    moving: Sequence[Fraction] | None = None

    def times(self, source: int) -> tuple[Fraction, ...]:
        """Return the times that fall into a source frame."""
        return self.cycle[source % len(self.cycle)]

    @property
    def most_made(self) -> int:
        """The largest number of frames to make within one source frame."""
        return max(sum(time > 0 for time in times) for times in self.cycle)

    @property
    def is_whole(self) -> bool:
        """Whether every source frame is followed by the same number of made ones, evenly spaced."""
        (first, *others), count = self.cycle, len(self.cycle[0])
        even = not others and first == tuple(Fraction(index, count) for index in range(count))
        return even and self.moving is None

    def duration(self, output: int, here: Fraction, following: Fraction) -> Fraction:
        """Return the seconds from an output frame to the next, or to the end of the clip.

        The source frame that it falls into lasts ``here`` seconds and the next ``following``.
        """
        source, time = self.moment(output)
        begins = self._begins(source, time, here)
        is_last = output + 1 == self.length
        next_source, next_time = (self.sources, Fraction(0)) if is_last else self.moment(output + 1)
        if next_source == source:
            return self._begins(source, next_time, here) - begins
        if next_source > source + 1:  # the end
            return here - begins + following
        return here - begins + (self._begins(next_source, next_time, following) if next_time else 0)

    def _begins(self, source: int, time: Fraction, lasts: Fraction) -> Fraction:
        """Return the seconds from the start of a source frame, which lasts ``lasts``, to a time within it."""
        if self.moving is None or not time:
            return time * lasts
        return lasts - (1 - time) * self.moving[source]

    def moment(self, output: int) -> tuple[int, Fraction]:
        """Return the source frame and the time of an output frame."""
        cycle, index = divmod(output, len(self.moments))
        source, time = self.moments[index]
        return cycle * len(self.cycle) + source, time

    def offsets(self) -> list[int]:
        """Return where a cycle's moments lie in a clip that has ``most_made`` made frames after each source frame."""
        stride = self.most_made + 1
        picked = []
        for index, times in enumerate(self.cycle):
            held = sum(not time for time in times)
            made = range(1, len(times) - held + 1)
            picked += [index * stride + place for place in (*[0] * held, *made)]
        return picked

    @cached_property
    def moments(self) -> tuple[tuple[int, Fraction], ...]:
        """Return the moments of one cycle: source frame within the cycle, and time."""
        return tuple((index, time) for index, times in enumerate(self.cycle) for time in times)


def moving(durations: Sequence[Fraction], hold: float) -> Sequence[Fraction] | None:
    """Return the seconds at the end of each frame in which it moves on to the next; ``None`` where no frame is held.

    A frame is held if it lasts more than ``hold`` times the usual duration, the median of the frames around it; it then
    moves only in the last usual interval, since what a screen recorder or a decimator leaves out is the same picture.
    """
    if not durations:
        return None
    seconds = np.array([float(each) for each in durations])
    around = min(USUAL_AROUND, len(seconds))
    windows = np.lib.stride_tricks.sliding_window_view(seconds, around)
    places = np.argsort(windows, axis=1, kind="stable")[:, around // 2]
    first = np.clip(np.arange(len(seconds)) - around // 2, 0, len(windows) - 1)
    usual = first + places[first]
    held = seconds > float(hold) * seconds[usual]
    if not held.any():
        return None
    return [durations[int(usual[n])] if held[n] else lasts for n, lasts in enumerate(durations)]


def check_hold(hold: float | None) -> None:
    """Raise :class:`ArgumentError` unless it is a number from 1 up, or ``None``."""
    if hold is not None and not (is_real(hold) and hold >= 1):
        raise ArgumentError(f"hold is {hold!r}: it must be 1 or more, or None to hold no frame still")


def by_factor(sources: int, factor: Fraction, moving: Sequence[Fraction] | None = None) -> Timeline:
    """Return the time line that has ``factor`` times as many frames: floor(sources · factor) of them."""
    cycle: list[list[Fraction]] = [[] for _ in range(min(factor.denominator, sources))]
    for output in range(factor.numerator):
        position = output / factor
        if floor(position) >= len(cycle):
            break
        cycle[floor(position)].append(position - floor(position))
    return Timeline(sources, tuple(map(tuple, cycle)), floor(sources * factor), moving)


def by_rate(durations: Sequence[Fraction], fps: Fraction, moving: Sequence[Fraction] | None = None) -> Timeline:
    """Return the time line with a constant rate over source frames that last ``durations`` seconds each."""
    starts = list(accumulate(durations, initial=Fraction(0)))
    length = floor(starts[-1] * fps)
    cycle: list[list[Fraction]] = [[] for _ in durations]
    for output in range(length):
        moment = output / fps
        source = bisect_right(starts, moment) - 1
        moves = durations[source] if moving is None else moving[source]
        cycle[source].append(max(Fraction(0), 1 - (starts[source + 1] - moment) / moves))
    return Timeline(len(durations), tuple(map(tuple, cycle)), length, moving)


def as_factor(factor: int | float | Fraction) -> Fraction:
    """Return an exact factor above 1.  Raises :class:`ArgumentError`."""
    exact = as_fraction(factor, "factor", "2, 2.5 or Fraction(5, 2)")
    if not 1 < exact <= HIGHEST_FACTOR:
        raise ArgumentError(f"factor is {factor}: it must be above 1, and at most {HIGHEST_FACTOR}")
    return exact
