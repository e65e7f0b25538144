"""Where chunks start: at cuts, if there are some near, and further apart where frames are small."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
import vapoursynth as vs

from vs_interp.films.excerpt import Excerpt
from vs_interp.films.source import Reading
from vs_interp.jobs.borders import borders, usual_seconds

from .films import enlargement, make_film


@pytest.mark.parametrize(
    ("size", "film", "seconds"),
    [
        ((3840, 2160), 7200, 10),
        ((1280, 720), 7200, 10),
        ((640, 360), 7200, 40),  # a quarter of the pixels, four times as long
        ((192, 108), 7200, 60),  # and never longer than a minute: that much is lost in a crash
        ((192, 108), 320, 40),  # an eighth of the film, for workers to share
        ((192, 108), 60, 10),
    ],
)
def test_chunks_of_small_frames_are_longer_in_a_long_film(size: tuple[int, int], film: float, seconds: float) -> None:
    width, height = size
    assert usual_seconds(width * height, film) == seconds


def test_the_length_that_is_given_holds_for_small_frames_too(tmp_path: Path) -> None:
    job = enlargement(make_film(tmp_path / "in.mkv", "2", 160, "48x32"), tmp_path / "out.mkv").open()
    assert 7 <= len(list(borders(job))) - 1 <= 9
    assert 14 <= len(list(borders(job, 10))) - 1 <= 18


def test_chunks_start_at_key_frames_that_are_near(tmp_path: Path) -> None:
    """The film has one every ten frames; near is within a fifth of a chunk."""
    job = enlargement(make_film(tmp_path / "in.mkv", seconds=2), tmp_path / "out.mkv").open()
    assert list(borders(job, 12 / 25)) == [0, 10, 20, 30, 40, 50]
    assert list(borders(job, 7 / 25)) == [0, 7, 14, 20, 27, 34, 40, 47, 50]


@pytest.mark.skipif(not hasattr(vs.core, "bwdif"), reason="bwdif is not installed")
def test_key_frames_are_those_of_the_film_where_fields_become_frames(tmp_path: Path) -> None:
    film = make_film(tmp_path / "in.mkv", seconds=2)
    conversion = replace(enlargement(film, tmp_path / "out.mkv"), reading=Reading(fields="double"))
    assert list(borders(conversion.open(), 12 / 25)) == [0, 20, 40, 60, 80, 100]
    part = replace(conversion, part=Excerpt(start=Fraction(10, 25)))
    assert list(borders(part.open(), 12 / 25)) == [0, 20, 40, 60, 80]
