"""A film in a script: the exact clip that convert uses, whose durations need not be decoded, and what others lack."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path

import pytest
import vapoursynth as vs

from tests.clips import CPU, durations_of, moving, with_props
from tests.films.marks import film, shown, telecined
from tests.films.test_true_times import GAP, VARIABLE
from vs_interp import open_film, super_slomo
from vs_interp.errors import SourceError
from vs_interp.films.durations import variable_durations

core = vs.core


def test_a_film_of_variable_rate_has_the_durations_of_its_time_stamps(tmp_path: Path) -> None:
    source = film(tmp_path / "in.mp4", chosen=VARIABLE)
    clip = open_film(source)
    stamps = shown(source)
    assert clip.fps == 0
    assert durations_of(clip)[:-1] == [later - sooner for sooner, later in itertools.pairwise(stamps)]


def test_durations_are_known_without_decoding_the_film(tmp_path: Path) -> None:
    """Also after filters that keep the number of frames; cut, the clip's own frames are read instead."""
    clip = open_film(film(tmp_path / "in.mkv", chosen=VARIABLE))
    asked: list[int] = []

    def note(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        asked.append(n)
        return f

    noted = clip.resize.Bicubic(width=48, height=32).std.ModifyFrame(clip.resize.Bicubic(width=48, height=32), note)
    assert variable_durations(noted) == durations_of(clip)
    assert set(asked) == {0}
    assert variable_durations(clip[:5]) == durations_of(clip)[:5]
    assert variable_durations(clip[2:] + clip[:2]) == durations_of(clip[2:] + clip[:2])


def test_a_telecined_film_has_its_true_rate(tmp_path: Path) -> None:
    clip = open_film(telecined(tmp_path / "in.vob"))
    assert float(sum(durations_of(clip))) == pytest.approx(76 * 1001 / 24000, abs=1 / 24)


def test_a_held_picture_stays_still_until_its_last_usual_interval(tmp_path: Path) -> None:
    """Sixteen of 25 frames a second are missing: frame 29 lasts 0.68 s, and moves in the last 0.04 s of them."""
    clip = open_film(film(tmp_path / "in.mp4", chosen=GAP))
    usual, lasts = Fraction(1, 25), Fraction(17, 25)
    held = durations_of(super_slomo(clip, factor=2, backend=CPU))
    assert held[58:60] == [lasts - usual / 2, usual / 2]
    assert set(held[:58] + held[60:]) == {usual / 2}
    moved = durations_of(super_slomo(clip, factor=2, hold=None, backend=CPU))
    assert moved[58:60] == [lasts / 2, lasts / 2]


@pytest.mark.parametrize("rate", [{"factor": 2}, {"fps": 60}])
def test_a_clip_whose_rate_cannot_be_relied_on_is_refused(tmp_path: Path, rate: dict[str, int]) -> None:
    source = telecined(tmp_path / "in.vob")
    bare = core.bs.VideoSource(str(source), cachemode=0)
    with pytest.raises(vs.Error, match=r"frame 0 has no duration.*open_film.*AssumeFPS"):
        super_slomo(bare, backend=CPU, **rate)
    super_slomo(bare.std.AssumeFPS(fpsnum=24000, fpsden=1001), backend=CPU, **rate)


@pytest.mark.parametrize("factor", [2, 5 / 2])
def test_a_later_frame_without_a_duration_ends_the_work_with_its_number(factor: float) -> None:
    """But for the last: BestSource does not know how long that lasts."""
    for untimed in (3, 5):
        clip = with_props(moving(vs.GRAY8, moments=range(6)), lambda n, gone=untimed: {"_DurationNum": int(n != gone)})
        made = super_slomo(clip, factor=factor, backend=CPU)
        if untimed == 5:
            assert sum(1 for _ in made.frames(close=True)) == 6 * factor
            continue
        with pytest.raises(vs.Error, match=r"frame 3 has no duration.*open_film.*AssumeFPS"):
            list(made.frames(close=True))


def test_a_frame_without_a_duration_lasts_as_long_as_the_one_before() -> None:
    own = [Fraction(1, 10), Fraction(1, 20), Fraction(1, 5)]
    clip = with_props(
        core.std.BlankClip(moving(vs.GRAY8, moments=range(3)), fpsnum=0, fpsden=1),
        lambda n: {"_DurationNum": own[n].numerator if n != 1 else 0, "_DurationDen": own[n].denominator},
    )
    assert variable_durations(clip) == [own[0], own[0], own[2]]


@pytest.mark.parametrize("later", [False, True])
def test_interlaced_frames_anywhere_stop_the_run_with_their_number(later: bool) -> None:
    clip = with_props(moving(vs.YUV420P8, moments=range(6)), lambda n: {"_FieldBased": 2 * (n == 4 * later)})
    with pytest.raises(vs.Error, match=f"frame {4 * later} is interlaced"):
        list(super_slomo(clip, backend=CPU).frames(close=True))


def test_a_missing_film_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="there is no such file"):
        open_film(tmp_path / "none.mkv")
    with pytest.raises(SourceError, match=r"^cannot read /dev/null: it is neither a file nor a folder$"):
        open_film(Path("/dev/null"))
