"""Damaged films are converted as far as they can be: every frame of the file, in its time; what was done is said."""

from __future__ import annotations

import random
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import vapoursynth as vs

from tests.films.whole import convert
from tests.video import ffmpeg, time_stamps
from vs_interp.errors import SourceError
from vs_interp.films.damage import clock, cut_off
from vs_interp.films.source import Reading, open_source

ENCODED = {"ts": "libx264", "mkv": "libx264", "mp4": "libx264", "avi": "mpeg4"}


def film(folder: Path, suffix: str) -> Path:
    path = folder / f"whole.{suffix}"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=160x96:r=25:d=4", "-pix_fmt", "yuv420p", "-c:v", ENCODED[suffix],
           "-g", "25", "-b:v", "600k", *(("-movflags", "+faststart") if suffix == "mp4" else ()), path)  # fmt: skip
    return path


def flipped(path: Path) -> Path:
    """Flip a bit in every thousandth byte or so, but for the first and the last part of the file."""
    content, chance = bytearray(path.read_bytes()), random.Random(1)
    for _ in range(len(content) // 2000):
        content[chance.randrange(len(content) // 6, len(content) * 5 // 6)] ^= 1 << chance.randrange(8)
    path.write_bytes(content)
    return path


def zeroed(path: Path) -> Path:
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 12000] = bytes(12000)
    path.write_bytes(content)
    return path


def cut(path: Path) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 3 // 5])
    return path


@pytest.mark.parametrize("suffix", ENCODED)
def test_flipped_bits_do_not_end_the_work(tmp_path: Path, suffix: str) -> None:
    source, output = flipped(film(tmp_path, suffix)), tmp_path / "out.mkv"
    opened = open_source(source)
    frames = convert(source, output, [])
    assert frames == len(opened.stream.clip) >= 97
    stamps = time_stamps(output)
    assert len(stamps) == frames
    assert stamps[-1] - stamps[0] == pytest.approx(99 / 25, abs=0.05)


def test_frames_come_from_libav_once_one_was_refused(tmp_path: Path) -> None:
    """In any order, with the properties of the others; where the film is whole they are the same, bit by bit."""
    source = film(tmp_path, "mkv")
    whole, opened = open_source(source).stream.clip, open_source(source)
    clip, order = opened.stream.clip, [60, 61, 59, 0, 1, 99, 98, 50]
    assert opened.damage.goes_on_after(vs.Error("VideoSource: No frame returned for frame number 3"))
    assert not opened.damage.goes_on_after(vs.Error("VideoSource: No frame returned for frame number 3")), "once only"
    for number in order:
        before, after = whole.get_frame(number), clip.get_frame(number)
        assert all(np.array_equal(np.asarray(before[plane]), np.asarray(after[plane])) for plane in range(3))
        assert after.props["_Range"] == before.props["_Range"]
    assert opened.damage.report() == []


def test_lost_frames_are_counted_with_their_times(tmp_path: Path) -> None:
    source = zeroed(film(tmp_path, "mp4"))
    opened = open_source(source)
    lost = len(opened.damage.lost)
    assert 0 < lost == 100 - len(opened.stream.clip)
    (line,) = opened.damage.report()
    assert f"{lost} frame" in line and "(at 0:00:0" in line
    with pytest.raises(SourceError, match="leave out --on-error stop"):
        open_source(source, Reading(strict=True))


def test_a_strict_reader_stops_at_a_frame_that_is_refused(tmp_path: Path) -> None:
    opened = open_source(film(tmp_path, "mkv"), Reading(strict=True))
    assert not opened.damage.goes_on_after(vs.Error("VideoSource: No frame returned for frame number 3"))


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "ts"])
def test_a_truncated_film_gives_what_is_there(tmp_path: Path, suffix: str) -> None:
    source, output = cut(film(tmp_path, suffix)), tmp_path / "out.mkv"
    frames = convert(source, output, [])
    assert 45 <= frames <= 70
    notes = open_source(source).notes
    assert bool(notes) == (suffix != "ts"), "a broadcast says nowhere how long it is"
    if notes:
        assert notes[0].startswith("the file says that it lasts 0:00:04.000, and its picture ends after 0:00:0")


def test_what_is_missing() -> None:
    assert cut_off(Fraction(10), Fraction(19, 2) + Fraction(1, 10)) == []
    assert cut_off(None, Fraction(1)) == []
    assert cut_off(Fraction(3725), Fraction(60)) == [
        "the file says that it lasts 1:02:05.000, and its picture ends after 0:01:00.000: 3665.0 s are missing"
    ]
    assert clock(3725.25) == "1:02:05.250"


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_sound_that_lasts_longer_is_no_damage(tmp_path: Path, suffix: str) -> None:
    source = tmp_path / f"in{suffix}"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=96x64:r=25:d=1", "-f", "lavfi", "-i", "sine=d=4", source)
    assert open_source(source).notes == ()
