"""The time line: frame counts, order, exact durations; checked against plain definitions with random rates."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vs_interp.filters.timeline import HOLD, Timeline, as_factor, by_factor, by_rate, moving

from vs_interp.arguments import as_rate
from vs_interp.errors import ArgumentError

factors = st.fractions(min_value=Fraction(61, 60), max_value=8, max_denominator=60)
durations = st.lists(
    st.fractions(min_value=Fraction(1, 240), max_value=Fraction(1, 4), max_denominator=1000), min_size=1, max_size=40
)


def positions(timeline: Timeline) -> list[Fraction]:
    """All output moments as one number, source frame plus time."""
    moments = timeline.moments
    count = len(timeline.cycle)
    found = [
        Fraction(n // len(moments) * count + moments[n % len(moments)][0]) + moments[n % len(moments)][1]
        for n in range(timeline.length)
    ]
    return found


@settings(deadline=None, derandomize=True)
@given(st.integers(1, 200), factors)
def test_output_frame_k_lies_at_k_over_factor(sources: int, factor: Fraction) -> None:
    timeline = by_factor(sources, factor)
    assert timeline.length == floor(sources * factor)
    assert positions(timeline) == [k / factor for k in range(timeline.length)]


@settings(deadline=None, derandomize=True)
@given(st.integers(1, 200), factors)
def test_offsets_pick_the_moments_from_source_and_made_frames_in_turn(sources: int, factor: Fraction) -> None:
    timeline = by_factor(sources, factor)
    stride = timeline.most_made + 1
    for offset, (source, time) in zip(timeline.offsets(), timeline.moments, strict=True):
        made = [t for t in timeline.cycle[source] if t > 0]
        assert offset // stride == source
        assert time == ([0, *made][offset % stride])


@settings(deadline=None, derandomize=True)
@given(durations, st.fractions(min_value=4, max_value=300, max_denominator=1001))
def test_a_constant_rate_follows_the_true_time_stamps(lasts: list[Fraction], fps: Fraction) -> None:
    timeline = by_rate(lasts, fps)
    starts = [sum(lasts[:n], Fraction(0)) for n in range(len(lasts))]
    assert timeline.length == floor(sum(lasts) * fps)
    for k, (source, time) in enumerate(timeline.moments):
        assert 0 <= time < 1
        assert starts[source] + time * lasts[source] == k / fps


@settings(deadline=None, derandomize=True)
@given(durations, factors, st.booleans())
def test_durations_add_up_and_held_frames_stay(lasts: list[Fraction], factor: Fraction, hold: bool) -> None:
    """The output lasts as long as the source, and each frame begins where its moment lies."""
    moves = moving(lasts, 1.5) if hold else None
    timeline = by_factor(len(lasts), factor, moves)
    starts = [sum(lasts[:n], Fraction(0)) for n in range(len(lasts) + 1)]
    begins = Fraction(0)
    for output in range(timeline.length):
        source, time = timeline.moment(output)
        still = lasts[source] - (moves or lasts)[source]
        assert begins == starts[source] + (still if time else 0) + time * (moves or lasts)[source]
        begins += timeline.duration(output, lasts[source], lasts[min(source + 1, len(lasts) - 1)])
    assert begins == starts[-1] or timeline.moment(timeline.length - 1)[0] < len(lasts) - 2


@settings(deadline=None, derandomize=True)
@given(durations, st.fractions(min_value=4, max_value=120, max_denominator=1001))
def test_a_held_frame_moves_in_its_last_usual_interval_alone(lasts: list[Fraction], fps: Fraction) -> None:
    moves = moving(lasts, 1.5)
    timeline = by_rate(lasts, fps, moves)
    ends = [sum(lasts[: n + 1], Fraction(0)) for n in range(len(lasts))]
    for k, (source, time) in enumerate(timeline.moments):
        assert time == max(0, 1 - (ends[source] - k / fps) / (moves or lasts)[source])
    for offset, (source, time) in zip(timeline.offsets(), timeline.moments, strict=True):
        made = [t for t in timeline.cycle[source] if t > 0]
        assert time == [0, *made][offset - source * (timeline.most_made + 1)]


def test_frames_are_held_that_last_far_beyond_what_is_usual_around_them() -> None:
    """A recording at 60 a second with a pause, then one at 10 a second: there 0.1 s is usual."""
    quick, slow = Fraction(1, 60), Fraction(1, 10)
    lasts = [quick] * 30 + [Fraction(2)] + [quick] * 29 + [slow] * 30 + [slow * 3] + [slow] * 10
    moves = moving(lasts, HOLD)
    assert moves is not None
    assert moves[30] == quick
    assert moves[75:] == lasts[75:]
    assert moving([quick, 3 * quick, quick], HOLD) is None


@pytest.mark.parametrize(
    ("given_rate", "exact"),
    [
        (60, Fraction(60)), (59.94, Fraction(60000, 1001)), (23.976, Fraction(24000, 1001)),
        (119.88, Fraction(120000, 1001)), (29.97, Fraction(30000, 1001)), ((60000, 1001), Fraction(60000, 1001)),
        (12.5, Fraction(25, 2)), (Fraction(50), Fraction(50)),
    ],
)  # fmt: skip
def test_rates_are_read_as_people_write_them(given_rate: object, exact: Fraction) -> None:
    assert as_rate(given_rate) == exact  # type: ignore[arg-type]


@pytest.mark.parametrize("factor", [1, 0, -2, 0.5, 1000, float("nan"), float("inf"), "2", True, 2**0.5])
def test_a_factor_that_makes_no_sense_is_refused_with_its_value(factor: object) -> None:
    with pytest.raises(ArgumentError, match=r"factor is"):
        as_factor(factor)  # type: ignore[arg-type]


@pytest.mark.parametrize("fps", [0, -1, (60,), (60, 0), ("60", 1), "60"])
def test_a_rate_that_makes_no_sense_is_refused_with_its_value(fps: object) -> None:
    with pytest.raises(ArgumentError, match=r"fps is"):
        as_rate(fps)  # type: ignore[arg-type]
