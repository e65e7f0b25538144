"""Interlaced films: fields become frames, or stay where they are wrongly flagged."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import vapoursynth as vs

from tests.clips import durations_of
from tests.video import make_interlaced
from vs_interp.films.fields import Fields, deinterlaced
from vs_interp.films.source import open_film

needs_bwdif = pytest.mark.skipif(not hasattr(vs.core, "bwdif"), reason="bwdif is not installed")


@needs_bwdif
@pytest.mark.parametrize(("fields", "count", "rate"), [("keep", 10, 25), ("double", 20, 50)])
def test_fields_become_frames(tmp_path: Path, fields: Fields, count: int, rate: int) -> None:
    source = make_interlaced(tmp_path / "in.ts")
    assert open_film(source).get_frame(3).props["_FieldBased"] == 2
    clip = open_film(source, deinterlace=fields)
    assert (len(clip), clip.fps) == (count, rate)
    assert all(frame.props["_FieldBased"] == 0 for frame in clip.frames(close=True))
    assert durations_of(clip) == [Fraction(1, rate)] * count


@needs_bwdif
@pytest.mark.parametrize("fields", ["keep", "double"])
@pytest.mark.parametrize(("kind", "height"), [(vs.YUV420P8, 70), (vs.YUV444P8, 35)])
def test_the_last_line_of_a_field_that_is_short_of_one_is_a_picture_too(fields: Fields, kind: int, height: int) -> None:
    grey = vs.core.std.BlankClip(
        width=96, height=height, format=kind, length=6, color=[90, 100, 110]
    ).std.SetFieldBased(2)
    made = deinterlaced(grey, fields)
    assert (made.width, made.height) == (96, height)
    for frame in made.frames(close=True):
        assert [{*np.asarray(plane).flat} for plane in frame] == [{90}, {100}, {110}]


def test_frames_may_be_taken_for_progressive(tmp_path: Path) -> None:
    clip = open_film(make_interlaced(tmp_path / "in.ts"), assume_progressive=True)
    assert {frame.props["_FieldBased"] for frame in clip.frames(close=True)} == {0}
    assert len(clip) == 10
