"""super_slomo on the time line: counts, durations, cuts, repeated frames, any order of requests."""

from __future__ import annotations

import random
from fractions import Fraction
from itertools import accumulate, pairwise
from math import floor

import pytest
import vapoursynth as vs
from vs_interp.filters import between, super_slomo

from tests.clips import CPU, Noting, clip_of, durations_of, lasting, moving, picture, pictures, same, wave, with_props
from trt_build.backends import OpenVINO

core = vs.core

FILM = Fraction(24000, 1001)
UNEVEN = [Fraction(1, 10), Fraction(1, 20), Fraction(1, 5), Fraction(1, 20)]


def hard_cut() -> vs.VideoNode:
    """Two frames of the pattern, then two of its negative."""
    shown = [wave(0, 96, 64), wave(1, 96, 64), *([1.6 - plane for plane in wave(n, 96, 64)] for n in (2, 3))]
    return core.resize.Bicubic(clip_of(shown, vs.RGBS), format=vs.RGB24)


@pytest.mark.parametrize("factor", [2, 3, Fraction(5, 2), 2.5])
def test_a_factor_gives_floor_of_n_times_factor_frames_and_keeps_the_duration(factor: float | Fraction) -> None:
    """Frame k is shown from k / factor source frames on; the last one until the source ends."""
    clip = moving(vs.YUV420P8, range(5), rate=FILM)
    made = super_slomo(clip, factor=factor, backend=CPU)
    count = floor(5 * Fraction(factor))
    each = 1 / (FILM * Fraction(factor))
    assert len(made) == count
    assert made.fps == FILM * Fraction(factor)
    assert durations_of(made) == [each] * (count - 1) + [5 / FILM - (count - 1) * each]


def test_a_rate_gives_frames_of_equal_duration() -> None:
    """Eight frames at 24000/1001 are 0.33367 s: 20 whole frames at 60."""
    clip = moving(vs.YUV420P8, range(8), rate=FILM)
    made = super_slomo(clip, fps=60, backend=CPU)
    assert (len(made), made.fps) == (20, 60)
    assert durations_of(made) == [Fraction(1, 60)] * 20


@pytest.mark.parametrize("factor", [2, Fraction(5, 2)])
def test_a_factor_divides_every_duration_of_a_variable_rate(factor: int | Fraction) -> None:
    made = super_slomo(lasting(moving(vs.YUV420P8), UNEVEN), factor=factor, backend=CPU)
    starts = list(accumulate(UNEVEN, initial=Fraction(0)))
    positions = [k / Fraction(factor) for k in range(floor(4 * factor))]
    shown = [starts[floor(at)] + (at - floor(at)) * UNEVEN[floor(at)] for at in positions] + [starts[-1]]
    assert durations_of(made) == [after - before for before, after in pairwise(shown)]
    assert made.fps == 0


def test_a_rate_is_laid_over_the_true_time_stamps_of_a_variable_rate() -> None:
    """At 40 a second: 4 output frames in the first source frame, 2 in the second, 8 in the third, 2 in the last."""
    clip, noting = moving(vs.YUV420P8), Noting()
    made = super_slomo(lasting(clip, UNEVEN), fps=40, backend=noting)
    got, source = pictures(made), pictures(clip)
    assert (len(got), made.fps) == (16, 40)
    assert sorted(noting.runs) == [
        ((0, 1), (0.25, 0.5, 0.75)),
        ((1, 2), (0.5,)),
        ((2, 3), (0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875)),
    ]
    assert durations_of(made) == [Fraction(1, 40)] * 16
    assert all(same(got[at], source[number]) for number, at in enumerate((0, 4, 6, 14)))


@pytest.mark.parametrize("form", [vs.YUV420P8, vs.YUV420P10])
@pytest.mark.parametrize(("factor", "passed"), [(2, {0: 0, 2: 1, 4: 2, 6: 3}), (Fraction(5, 2), {0: 0, 5: 2})])
def test_source_frames_on_an_output_time_are_passed_on_bit_exact(
    form: int, factor: int | Fraction, passed: dict[int, int]
) -> None:
    clip = moving(form)
    got, source = pictures(super_slomo(clip, factor=factor, backend=CPU)), pictures(clip)
    last = floor(3 * factor)  # from there on the last source frame repeats
    for at, shown in enumerate(got[:last]):
        equal = [number for number, other in enumerate(source) if same(shown, other)]
        assert equal == ([passed[at]] if at in passed else [])
    assert all(same(shown, source[-1]) for shown in got[last + 1 :])


@pytest.mark.parametrize(("factor", "sides"), [(2, [1]), (4, [1, 1, 2])])
def test_at_a_cut_the_nearer_source_frame_is_repeated(factor: int, sides: list[int]) -> None:
    clip, noting = hard_cut(), Noting()
    got, source = pictures(super_slomo(clip, factor=factor, backend=noting)), pictures(clip)
    assert all(same(got[factor + 1 + index], source[side]) for index, side in enumerate(sides))
    assert sorted(keys for keys, _ in noting.runs) == [(0, 1), (2, 3)]


def test_without_a_threshold_nothing_is_a_cut() -> None:
    clip, noting = hard_cut(), Noting()
    pictures(super_slomo(clip, factor=2, backend=noting, scene_threshold=None))
    assert sorted(keys for keys, _ in noting.runs) == [(0, 1), (1, 2), (2, 3)]


@pytest.mark.parametrize("marks", [{1: "_SceneChangeNext"}, {2: "_SceneChangePrev"}])
@pytest.mark.parametrize("threshold", [0.1, None])
def test_marked_cuts_are_honoured_and_the_marks_left_out(marks: dict[int, str], threshold: float | None) -> None:
    """Marks of the source are wrong at twice the rate: after a mark on frame 1 its repetition follows, no cut."""
    clip, noting = with_props(moving(vs.RGB24), lambda n: {marks[n]: 1} if n in marks else {}), Noting()
    made = super_slomo(clip, factor=2, backend=noting, scene_threshold=threshold)
    assert same(pictures(made)[3], picture(clip.get_frame(1)))
    assert sorted(keys for keys, _ in noting.runs) == [(0, 1), (2, 3)]
    assert not any(name.startswith("_SceneChange") for frame in made.frames(close=True) for name in frame.props)


def test_frames_marked_as_no_cut_are_not_asked_about_again() -> None:
    noting = Noting()
    pictures(super_slomo(with_props(hard_cut(), lambda n: {"_SceneChangeNext": 0}), factor=2, backend=noting))
    assert sorted(keys for keys, _ in noting.runs) == [(0, 1), (1, 2), (2, 3)]


def test_equal_frames_are_repeated_without_inference_and_a_single_pixel_makes_them_unequal() -> None:
    first, noting = pictures(moving(vs.RGB24))[0], Noting()
    speck = [plane.copy() for plane in first]
    speck[2][63, 95] += 1
    made = super_slomo(clip_of([first, first, speck, speck], vs.RGB24), factor=3, backend=noting)
    got = pictures(made)
    assert [keys for keys, _ in noting.runs] == [(1, 2)]
    assert all(same(shown, first) for shown in got[:4])
    assert all(same(shown, speck) for shown in got[6:])


def test_any_order_of_requests_gives_the_same_frames() -> None:
    clip = moving(vs.YUV420P8, range(6))
    in_order = pictures(super_slomo(clip, factor=3, backend=CPU))
    seeking = super_slomo(clip, factor=3, backend=CPU)
    numbers = [*range(18), *range(18)]
    random.Random(4).shuffle(numbers)
    for number in numbers:
        with seeking.get_frame(number) as frame:
            assert same(picture(frame), in_order[number]), number


@pytest.mark.parametrize(("factor", "at_work"), [(3, [(0, 1), (1, 2)]), (2, [(0, 1)])])
def test_all_slots_work_where_a_window_is_asked_for_many_times(factor: int, at_work: list[tuple[int, ...]]) -> None:
    """Else those who ask for few frames at once keep one slot busy only; one frame a window needs no such help."""
    noting = Noting()
    super_slomo(moving(vs.YUV420P8, range(6)), factor=factor, backend=noting).get_frame(1).close()
    assert sorted(keys for keys, _ in noting.runs) == at_work


def test_parts_and_slots_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the pictures of a window do not fit together they are made in several runs; one slot does for all."""
    clip = moving(vs.YUV420P8)
    together = pictures(super_slomo(clip, factor=4, backend=CPU))
    one_slot = pictures(super_slomo(clip, factor=4, backend=OpenVINO(threads=2, streams=1)))
    assert all(map(same, one_slot, together))
    parts: dict[int, list[tuple[float, ...]]] = {1: [(0.25,), (0.5,), (0.75,)], 2: [(0.25, 0.5), (0.75,)]}
    for most, times in parts.items():
        noting = Noting()
        monkeypatch.setattr(between, "MEMORY", most * 96 * 64 * 3 * 4)
        assert all(map(same, pictures(super_slomo(clip, factor=4, backend=noting)), together))
        assert sorted(asked for _, asked in noting.runs) == sorted(times * 3)


def test_a_frame_is_made_at_the_time_asked_for() -> None:
    """Made frames are nearer to the pattern as it looks at their time than to any other quarter."""
    got = pictures(super_slomo(moving(vs.RGBS, (0, 4, 8)), factor=4, backend=CPU, scene_threshold=None))
    for number in range(8):
        distances = [
            sum(abs(a - b)[8:-8, 16:-16].mean() for a, b in zip(got[number], wave(moment, 96, 64), strict=True))
            for moment in range(9)
        ]
        assert distances.index(min(distances)) == number
