"""A part of a film: its frames and its sound from one moment to another, together as in the whole."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.films.bitmap_subtitles import make_bitmaps, shown_bitmaps
from tests.films.marks import MARKS, beeps, film, flashes, shown
from tests.films.test_fields import needs_bwdif
from tests.films.test_render import doubled
from tests.films.whole import convert
from tests.video import ffmpeg, make_film, make_interlaced, make_variable, make_video, time_stamps
from vs_interp.errors import ArgumentError
from vs_interp.films.excerpt import Excerpt, excerpt
from vs_interp.films.source import Reading, open_source
from vs_interp.jobs.steps import Interpolation

START = Fraction(3, 4)
"""Within frame 18 of 25 a second, which begins at 0.72."""


@pytest.mark.parametrize("late_sound", [0, 0.9])
@pytest.mark.parametrize("suffix", ["mkv", "mp4", "mov", "ts", "vob", "mpg", "webm"])
def test_sound_is_cut_along(tmp_path: Path, suffix: str, late_sound: float) -> None:
    source = film(tmp_path / f"in.{suffix}", late_sound=late_sound)
    output = tmp_path / ("out.webm" if suffix == "webm" else "out.mkv")
    convert(source, output, [doubled], part=Excerpt(start=START, duration=Fraction(1)))
    times = shown(output)
    assert len(times) == 2 * 26
    assert flashes(output)[0] - float(times[0]) == pytest.approx(MARKS[0] - 0.72, abs=0.002)
    assert beeps(output)[0] - flashes(output)[0] == pytest.approx(beeps(source)[0] - flashes(source)[0], abs=0.003)
    assert len(beeps(output)) == 1, "the second mark is not in it"


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (Excerpt(start=Fraction(1, 4)), range(6, 24)),
        (Excerpt(frames=5), range(5)),
        (Excerpt(start=Fraction(1, 2), frames=100), range(12, 24)),
        (Excerpt(duration=Fraction(1, 4)), range(6)),
        (Excerpt(start=Fraction(1, 2), duration=Fraction(1, 1000)), range(12, 13)),
    ],
)
def test_which_frames(tmp_path: Path, part: Excerpt, expected: range) -> None:
    """At 24 frames a second; a frame is in where any of its time is."""
    source, output = make_video(tmp_path / "in.mp4", rate="24"), tmp_path / "out.mp4"
    assert convert(source, output, [], part=part) == len(expected)
    assert time_stamps(output) == [Fraction(number, 24) for number in range(len(expected))]


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "mov"])
@pytest.mark.parametrize("end", [0.5, 0.8, 1.25])
def test_chapters_and_subtitles_end_with_the_picture(tmp_path: Path, each_ffmpeg: str, suffix: str, end: float) -> None:
    """Subtitles are on from 0.2 to 0.9 s and from 1 to 1.5 s; the second chapter begins at 0.8 s."""
    source, output = make_film(tmp_path / "in.mkv"), tmp_path / f"out.{suffix}"
    frames = convert(source, output, [], part=Excerpt(duration=Fraction(str(end))), reading=Reading(rate=Fraction(20)))
    assert frames == end * 20
    with av.open(str(output)) as container:
        chapters = [
            [float(each[edge] * each["time_base"]) for edge in ("start", "end")] for each in container.chapters()
        ]
        lasts = (container.duration or 0) / av.time_base
        subtitles = [packet for packet in container.demux(subtitles=0) if packet.size > 2 and packet.duration]
    assert np.allclose(chapters, [[0, 0.8], [0.8, end]] if end > 0.8 else [[0, end]], atol=0.001)
    assert end <= lasts <= end + 0.05, "whole packets of sound"
    assert float((subtitles[-1].pts + subtitles[-1].duration) * subtitles[-1].time_base) == pytest.approx(end)


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (("0.8", "0.5"), [(0, 0.5, "two")]),
        (("0.5", "0.3"), [(0, 0.3, r"one = 1; a #b \ c")]),
        (("0.75", "0.1"), [(0, 0.05, r"one = 1; a #b \ c"), (0.05, 0.1, "two")]),
    ],
    ids=["begins with one", "ends with one", "across"],
)
def test_chapters_that_only_touch_the_part_are_not_in_it(
    tmp_path: Path, each_ffmpeg: str, suffix: str, part: tuple[str, str], expected: list[tuple[float, float, str]]
) -> None:
    titles, source, output = tmp_path / "titles.txt", tmp_path / f"in.{suffix}", tmp_path / f"out.{suffix}"
    one, two = ("[CHAPTER]\nTIMEBASE=1/10\nSTART={}\nEND={}\ntitle={}\n".format(*chapter)
                for chapter in ((0, 8, r"one \= 1\; a \#b \\ c"), (8, 20, "two")))  # fmt: skip
    titles.write_text(f";FFMETADATA1\n{one}{two}")
    ffmpeg("-i", make_film(tmp_path / "film.mkv"), "-i", titles, "-map", "0:v", "-map", "0:a", "-c", "copy",
           "-map_chapters", "1", source)  # fmt: skip
    start, seconds = map(Fraction, part)
    convert(source, output, [], part=Excerpt(start=start, duration=seconds), reading=Reading(rate=Fraction(20)))
    with av.open(str(output)) as container:
        found = [(*(float(each[edge] * each["time_base"]) for edge in ("start", "end")), each["metadata"]["title"])
                 for each in container.chapters()]  # fmt: skip
    assert [title for *_, title in found] == [title for *_, title in expected]
    assert np.allclose([times for *times, _ in found], [times for *times, _ in expected], atol=0.001)


def test_many_chapters_and_titles_that_are_not_utf_8_are_kept(tmp_path: Path) -> None:
    """More than fit on a command line, of Linux (128 KiB a word) or of Windows (32 KiB in all)."""
    titles, source, output = tmp_path / "titles.txt", tmp_path / "in.mkv", tmp_path / "out.mkv"
    head, chapter = (
        b";FFMETADATA1\n",
        b"[CHAPTER]\nTIMEBASE=1/1000\nSTART=%d\nEND=%d\ntitle=K\xe4\xe4pitel, %d of many\n",
    )
    titles.write_bytes(head + b"".join(chapter % (number, number + 1, number) for number in range(2000)))
    ffmpeg(
        "-i", make_film(tmp_path / "film.mkv"), "-i", titles, "-map", "0:v", "-c", "copy", "-map_chapters", "1", source
    )
    convert(source, output, [], part=Excerpt(duration=Fraction(19, 10)), reading=Reading(rate=Fraction(20)))
    with av.open(str(source)) as before, av.open(str(output)) as after:
        kept = [chapter["metadata"]["title"] for chapter in after.chapters()]
        assert kept == [chapter["metadata"]["title"] for chapter in before.chapters()][:1900]


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "mov", "webm"])
@pytest.mark.parametrize(("start", "expected"), [("0.5", [(0, 0.4), (0.5, 0.75)]), ("0.95", [(0.05, 0.55)])])
def test_a_subtitle_that_is_on_at_the_start_is_cut(
    tmp_path: Path, each_ffmpeg: str, suffix: str, start: str, expected: list[tuple[float, float]]
) -> None:
    """And moves nothing else, copied or encoded again, with a key frame between its begin and the start; one that is
    over is not there."""
    source, output = make_film(tmp_path / "in.mkv"), tmp_path / f"out.{suffix}"
    part = Excerpt(start=Fraction(start), duration=Fraction(3, 4))
    convert(source, output, [], part=part, reading=Reading(rate=Fraction(20)))
    assert time_stamps(output)[0] == 0
    with av.open(str(output)) as container:
        packets = [packet for packet in container.demux(subtitles=0) if packet.size > 2 and packet.duration]
    times = [(float(each.pts * each.time_base), float((each.pts + each.duration) * each.time_base)) for each in packets]
    assert np.allclose(times, expected, atol=0.002)


@pytest.mark.parametrize("kind", ["sup", "mkv"], ids=["Blu-ray", "DVD"])
@pytest.mark.parametrize(("start", "expected"), [("0.5", [(0, 0.4), (0.5, 0.75)]), ("0.95", [(0.05, 0.55)])])
def test_bitmap_subtitles_are_cut_likewise(
    tmp_path: Path, kind: str, start: str, expected: list[tuple[float, float]]
) -> None:
    """Those of Blu-rays, which have no durations, stay on if they are at the start, and off if they are."""
    bitmaps = make_bitmaps(tmp_path / f"bitmaps.{kind}", [(0.2, 0.9), (1, 1.5)])
    source, output = tmp_path / "in.mkv", tmp_path / "out.mkv"
    film = make_film(tmp_path / "film.mkv")
    ffmpeg("-copyts", "-i", film, "-i", bitmaps, "-map", "0:v", "-map", "0:a:0", "-map", "1", "-c", "copy", source)
    part = Excerpt(start=Fraction(start), duration=Fraction(3, 4))
    convert(source, output, [], part=part, reading=Reading(rate=Fraction(20)))
    assert np.allclose(shown_bitmaps(output), expected, atol=0.05), "whole packets of sound, that last as long"


def test_a_variable_rate_keeps_its_durations(tmp_path: Path) -> None:
    source, output = make_variable(tmp_path / "in.mp4"), tmp_path / "out.mp4"
    before = time_stamps(source)
    convert(source, output, [], part=Excerpt(start=before[7], frames=9))
    assert time_stamps(output) == [time - before[7] for time in before[7:16]]


@pytest.mark.parametrize(
    ("start", "seconds", "begins", "expected"),
    [
        ("0.2", "0.8", "0.2", [0.04] * 4 + [0.64]),
        ("1", "0.5", "1", [0.5]),
        ("2.3", "0.3", "2.3", [0.14] + [0.04] * 4),
        ("2.43", "0.05", "2.4", [0.04, 0.04]),
    ],
    ids=["last", "only", "first", "at its end"],
)
def test_a_held_frame_is_cut(tmp_path: Path, start: str, seconds: str, begins: str, expected: list[float]) -> None:
    """Frame 9 of a film of 25 frames a second is held from 0.36 to 2.44 s; no other frame is shortened."""
    source = open_source(film(tmp_path / "in.mkv", chosen="not(between(n,10,60))"))
    part = excerpt(source, Excerpt(start=Fraction(start), duration=Fraction(seconds)))
    assert [float(each * part.line.tick) for each in part.line.durations] == pytest.approx(expected)
    assert part.window == (Fraction(begins), part.line.seconds)


@needs_bwdif
def test_frames_are_counted_before_each_field_is_made_one(tmp_path: Path) -> None:
    source = open_source(make_interlaced(tmp_path / "in.ts"), Reading(fields="double"))
    assert len(excerpt(source, Excerpt(frames=3)).stream.clip) == 6
    part = excerpt(source, Excerpt(start=Fraction(6, 25), frames=3))
    assert (part.first, len(part.stream.clip)) == (6, 6)


@pytest.mark.parametrize(
    ("at", "seconds", "rate", "expected"),
    [
        (1, 1.44, {"factor": Fraction(2)}, [0]),
        (1, 1.44, {"fps": Fraction(25)}, [Fraction(n, 25) for n in range(36)]),
        (0, 0.04, {"fps": Fraction(100)}, [Fraction(n, 100) for n in range(4)]),
    ],
)
def test_a_single_frame_is_a_still(
    tmp_path: Path, at: int, seconds: float, rate: dict[str, Fraction], expected: list[Fraction]
) -> None:
    """Frame 9 of a film of 25 frames a second is held from 0.36 to 2.44 s; there is nothing to interpolate."""
    source, output = film(tmp_path / "in.mkv", chosen="not(between(n,10,60))"), tmp_path / "out.mkv"
    still = Interpolation(network="super-slomo", **rate).apply
    convert(source, output, [still], part=Excerpt(start=Fraction(at), frames=1))
    assert shown(output) == pytest.approx(expected, abs=0.001)
    with av.open(str(output)) as container:
        assert (container.duration or 0) / av.time_base == pytest.approx(seconds, abs=0.05), "whole packets of sound"


def test_a_single_frame_of_a_constant_rate_is_doubled(tmp_path: Path) -> None:
    source, output = make_video(tmp_path / "in.mp4", rate="24"), tmp_path / "out.mp4"
    step = Interpolation(network="super-slomo", factor=Fraction(2)).apply
    assert convert(source, output, [step], part=Excerpt(frames=1)) == 2
    assert time_stamps(output) == [0, Fraction(1, 48)]


def test_a_start_beyond_the_end_is_refused(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", rate="24")
    with pytest.raises(ArgumentError, match="--start is 1 s, but the film ends after 1 s"):
        convert(source, tmp_path / "out.mp4", [], part=Excerpt(start=Fraction(1)))


def test_only_damage_within_the_part_is_told(tmp_path: Path) -> None:
    source = film(tmp_path / "in.mkv", chosen="not(between(n,30,45))")
    whole = open_source(source)
    assert "16 between 0:00:01.160 and 0:00:01.840" in whole.damage.report()[0]
    assert excerpt(whole, Excerpt(start=Fraction(2))).damage.report() == []
    assert excerpt(whole, Excerpt(duration=Fraction(1))).damage.report() == []
    part = excerpt(whole, Excerpt(start=Fraction(1), duration=Fraction(1)))
    assert part.damage.report() == whole.damage.report()
    whole.damage.missing.add(30)
    assert "1 frame could not be decoded" in part.damage.report()[0], "what is found while frames are made is told"
