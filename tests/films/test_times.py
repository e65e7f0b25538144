"""The arithmetic of time lines: what stamps say is kept, what they do not say is filled in evenly."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vs_interp.films.stamps import from_decoding_times
from vs_interp.films.times import ascending, time_line

MILLISECOND = Fraction(1, 1000)
NTSC = Fraction(24000, 1001)
RATES = [Fraction(*pair) for pair in ((24, 1), (24000, 1001), (25, 1), (30000, 1001), (50, 1), (60000, 1001), (120, 1))]


@settings(deadline=None, derandomize=True)
@given(
    st.sampled_from(RATES),
    st.sampled_from([MILLISECOND, Fraction(1, 90000), Fraction(1, 16000), Fraction(1, 1_000_000)]),
    st.integers(4, 3000),
    st.integers(0, 10**9),
    st.floats(0, 1, exclude_max=True),
)
def test_rounded_stamps_of_a_constant_rate_are_that_rate(
    rate: Fraction, tick: Fraction, frames: int, first: int, phase: float
) -> None:
    """However they are rounded: down, up or to the nearest."""
    stamps = [first + int(number / (rate * tick) + Fraction(phase)) for number in range(frames)]
    line = time_line(stamps, tick, [rate])
    assert (line.rate, line.first) == (rate, first)
    assert line.seconds == frames / rate


@settings(deadline=None, derandomize=True)
@given(st.lists(st.integers(1, 400), min_size=3, max_size=60), st.integers(-(10**6), 10**12))
def test_stamps_of_a_variable_rate_are_kept(steps: list[int], first: int) -> None:
    stamps = [first, *(first + np.cumsum(steps)).tolist()]
    line = time_line(stamps, MILLISECOND, [Fraction(25)])
    if line.rate is None:
        assert (line.starts[:-1] + first).tolist() == stamps
        assert (line.durations > 0).all()
    else:
        strays = [abs(stamp - first - number * 1000 / line.rate) for number, stamp in enumerate(stamps)]
        assert max(strays) <= 2, "only what could be rounding is straightened"


@settings(deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 50), min_size=1, max_size=80))
def test_as_many_stamps_as_can_be_ascend(stamps: list[int]) -> None:
    """Against the definition, worked out slowly."""
    longest = [1] * len(stamps)
    for later in range(len(stamps)):
        for sooner in range(later):
            if stamps[sooner] < stamps[later]:
                longest[later] = max(longest[later], longest[sooner] + 1)
    found = ascending(stamps)
    assert len(found) == max(longest)
    assert all(stamps[a] < stamps[b] and a < b for a, b in itertools.pairwise(found))


@settings(deadline=None, derandomize=True)
@given(st.data())
def test_what_is_left_out_of_a_constant_rate_is_filled_in(data: st.DataObject) -> None:
    frames = data.draw(st.integers(3, 300))
    stamps: list[int | None] = [round(number * 1001 / 24) for number in range(frames)]
    for number in data.draw(st.sets(st.integers(0, frames - 1), max_size=frames - 2)):
        stamps[number] = None
    assert time_line(stamps, MILLISECOND, [NTSC]).rate == NTSC


def test_no_stamps_at_all_mean_the_first_rate() -> None:
    line = time_line([None] * 5, MILLISECOND, [NTSC, Fraction(25)])
    assert (line.rate, line.first, line.seconds) == (NTSC, None, 5 / NTSC)


def test_a_frame_left_out_is_no_rounding() -> None:
    """Ticks as long as a frame, as in AVI, and a dropped frame or two at any place."""
    for place in (1, 20, 39):
        for missing in (1, 2):
            stamps = [number + missing * (number >= place) for number in range(40)]
            line = time_line(stamps, Fraction(1, 25), [Fraction(25)])
            assert line.rate is None
            assert line.durations[place - 1] == 1 + missing


def test_a_stamp_that_contradicts_all_others_is_not_believed() -> None:
    stamps = [number * 40 for number in range(50)]
    stamps[20], stamps[30] = 10**9, 3
    assert time_line(stamps, MILLISECOND, [Fraction(25)]).rate == 25


def test_frames_that_share_a_stamp_last_a_tick_at_least() -> None:
    line = time_line([0, 40, 40, 40, 200, 240], MILLISECOND, [Fraction(25)])
    assert line.rate is None
    assert line.durations.min() >= 1
    assert line.starts[[0, 4, 5]].tolist() == [0, 200, 240]


@pytest.mark.parametrize(("last", "expected"), [(1, 50), (30, 30), (5000, 5000)])
def test_the_last_frame_lasts_as_told_unless_that_is_a_blink(last: int, expected: int) -> None:
    line = time_line([0, 50, 90, 140, 190, 210, 260], MILLISECOND, [Fraction(25)])
    assert line.ending_after(last).durations[-1] == expected


def test_pictures_are_shown_when_the_decoder_lets_them_go() -> None:
    """Thirty frames, a hole of sixteen, and a decoder that holds two back: the hole is after the thirtieth frame."""
    times = [*range(32), *range(48, 80)]
    shown = from_decoding_times(times, 64, 2)
    assert shown[:32] == [number - 2 + 0 for number in range(2, 32)] + [46, 47]
    assert shown[-2:] == [None, None]
