"""Films of all containers and kinds: picture and sound stay together, no frame is lost, and time lasts as long.

A table of films with marks at which the picture flashes and the sound beeps, measured by libav before and after.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path

import pytest

from tests.films.marks import MARKS, beeps, cut, film, flashes, joined, shown, telecined, thinned
from tests.films.test_render import doubled
from tests.films.whole import convert
from vs_interp.jobs.steps import Interpolation

GAP = "not(between(n,30,45))"
VARIABLE = "not(mod(n,3))+not(mod(n,5))"
FINE = "-video_track_timescale 1000000"

Maker = Callable[[Path], Path]
MADE: dict[str, tuple[Maker, str]] = {
    "plain": (film, "mkv mp4 mov ts vob mpg avi webm"),
    "late sound": (partial(film, late_sound=0.7), "mkv mp4 mov ts vob mpg webm"),
    "late picture": (partial(film, late_picture=0.72), "mkv mp4 mov ts vob mpg avi webm"),
    "gap": (partial(film, chosen=GAP), "mkv mp4 mov ts vob avi webm"),
    "stamps left out": (thinned, "vob mpg"),
    "repeated fields": (telecined, "mkv ts vob"),
    "variable rate": (partial(film, chosen=VARIABLE), "mkv mp4 mov ts webm"),
    "cut in mid-GOP": (cut, "mkv mp4 mov ts vob mpg avi webm"),
    "fine time base": (partial(film, chosen=VARIABLE, options=FINE), "mp4 mov"),
}
"""How a kind of film is made, and the containers that can hold it."""

TABLE = [pytest.param(maker, suffix, id=f"{kind} {suffix}") for kind, (maker, suffixes) in MADE.items()
         for suffix in suffixes.split()]  # fmt: skip

OUTPUT = {"vob": "mp4", "mpg": "mkv", "avi": "mp4", "webm": "mkv"}
"""What becomes of films in old containers, and of WebM, which test_excerpt.py writes; others stay in their own."""

SOUND_ROUNDING = 0.001
"""Seconds by which Matroska's milliseconds move a packet of sound."""


@pytest.mark.parametrize(("maker", "suffix"), TABLE)
def test_picture_and_sound_stay_together(tmp_path: Path, maker: Maker, suffix: str) -> None:
    source, output = maker(tmp_path / f"in.{suffix}"), tmp_path / f"out.{OUTPUT.get(suffix, suffix)}"
    before = shown(source)
    convert(source, output, [doubled])
    after = shown(output)
    assert len(after) == 2 * len(before)
    moments = [time - before[0] for time in before]
    halves = [*(half for pair in itertools.pairwise(moments) for half in (pair[0], sum(pair) / 2)), moments[-1]]
    strays = [abs(made - after[0] - true) for made, true in zip(after, halves, strict=False)]
    assert max(strays) <= Fraction(2, 1000), "every frame, its copy halfway"
    stays_together(source, output, 1 / 50)


@pytest.mark.parametrize(
    ("kind", "suffix"),
    [("gap", "mp4"), ("stamps left out", "vob"), ("repeated fields", "vob"), ("repeated fields", "mkv"),
     ("repeated fields", "ts"), ("variable rate", "mkv"), ("cut in mid-GOP", "ts")],
)  # fmt: skip
def test_a_wanted_rate_follows_the_time_stamps(tmp_path: Path, kind: str, suffix: str) -> None:
    source, output = MADE[kind][0](tmp_path / f"in.{suffix}"), tmp_path / "out.mp4"
    before = shown(source)
    convert(source, output, [Interpolation(network="super-slomo", fps=Fraction(60)).apply])
    after = shown(output)
    assert [time - after[0] for time in after] == [Fraction(n, 60) for n in range(len(after))]
    usual = before[-1] - before[-2]
    assert abs(len(after) / 60 - (before[-1] + usual - before[0])) <= max(Fraction(1, 60), usual)
    stays_together(source, output, 1 / 60 + float(usual) / 2)  # at a cut, as a flash is one, the nearer frame is shown


@pytest.mark.parametrize("suffix", ["ts", "vob", "mpg"])
def test_time_goes_on_where_films_are_joined(tmp_path: Path, suffix: str) -> None:
    source, output = joined(tmp_path / f"in.{suffix}"), tmp_path / "out.mkv"
    convert(source, output, [doubled])
    seen, heard = flashes(output), beeps(output)
    assert len(shown(output)) == 2 * len(shown(source))
    assert len(seen) == len(heard) == 2 * len(MARKS)
    assert seen[2] - seen[1] == pytest.approx(MARKS[0] - MARKS[1] + 3.2, abs=0.1)
    assert all(abs(flash - beep) <= 1 / 50 for flash, beep in zip(seen, heard, strict=True))


def test_frames_that_a_recorder_dropped_leave_the_gap_that_they_were_in(tmp_path: Path) -> None:
    """AVI says when packets are decoded, H.264 shows them in another order, and libav's guess is out of order."""
    source = film(tmp_path / "in.avi", chosen=GAP, options="-c:v libx264 -bf 2")
    output = tmp_path / "out.mkv"
    convert(source, output, [doubled])
    gaps = [later - sooner for sooner, later in itertools.pairwise(shown(output))]
    assert len(gaps) == 2 * 64 - 1
    assert [place for place, gap in enumerate(gaps) if gap > Fraction(1, 10)] == [58, 59]
    seen = flashes(output)
    assert seen[1] - seen[0] == pytest.approx(MARKS[1] - MARKS[0], abs=1 / 50)


def stays_together(source: Path, output: Path, frame: float) -> None:
    """Assert that flashes and beeps lie as far apart as before, to one output frame of so many seconds."""
    apart = [
        [beep - flash for flash, beep in zip(flashes(path), beeps(path), strict=True)] for path in (source, output)
    ]
    assert len(apart[0]) == len(MARKS)
    assert all(abs(after - before) <= frame + SOUND_ROUNDING for before, after in zip(*apart, strict=True)), apart
