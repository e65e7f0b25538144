"""Damaged films are converted as far as they can be: every frame of the file, in its time; what was done is said."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import vapoursynth as vs

from tests.films.whole import convert
from tests.video import ffmpeg, make_video, time_stamps
from vs_interp import open_film
from vs_interp.errors import SourceError
from vs_interp.films import damage
from vs_interp.films.codecs import Choice
from vs_interp.films.excerpt import Excerpt
from vs_interp.films.missing import clock, cut_off, gaps
from vs_interp.films.source import Reading, open_source
from vs_interp.films.times import time_line
from vs_interp.jobs.conversion import Conversion

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


class Refusing:
    """BestSource's frames, but for one that it refuses."""

    def __init__(self, clip: vs.VideoNode, number: int) -> None:
        self._clip, self._number = clip, number
        self.format, self.width, self.height = clip.format, clip.width, clip.height

    def __len__(self) -> int:
        return len(self._clip)

    def get_frame(self, n: int) -> vs.VideoFrame:
        if n == self._number:
            raise vs.Error(f"VideoSource: {damage.REFUSED} {n}")
        return self._clip.get_frame(n)


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let BestSource refuse frame 59 of every film, as it does in damaged ones, in an order that nobody knows."""
    guard = damage._Guard.__init__

    def refusing(self: damage._Guard, clip: vs.VideoNode, *others: object, **more: object) -> None:
        guard(self, Refusing(clip, 59), *others, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(damage._Guard, "__init__", refusing)


def test_frames_come_from_libav_once_one_was_refused(tmp_path: Path, refused: None) -> None:
    """In any order, in scripts too, with the properties of the others; here they are the same, bit by bit."""
    source = film(tmp_path, "mkv")
    opened = open_source(source)
    whole = vs.core.bs.VideoSource(str(source), cachemode=0)
    for number in [60, 61, 59, 0, 1, 99, 98, 50]:
        before, after = whole.get_frame(number), opened.stream.clip.get_frame(number)
        assert all(np.array_equal(np.asarray(before[plane]), np.asarray(after[plane])) for plane in range(3))
        assert after.props["_Range"] == before.props["_Range"]
    assert opened.damage.report() == []
    assert sum(1 for _ in open_film(source).std.FlipVertical().frames(close=True)) == 100


def test_a_strict_reader_stops_only_at_frames_that_libav_cannot_decode_either(tmp_path: Path, refused: None) -> None:
    """BestSource refuses whole frames too, after damage and by chance."""
    clip = open_source(film(tmp_path, "mkv"), Reading(strict=True)).stream.clip
    assert clip.get_frame(59).width == clip.width
    broken = open_source(flipped(film(tmp_path, "mkv")), Reading(strict=True)).stream.clip
    with pytest.raises(vs.Error, match=r"cannot be decoded whole: leave out --on-error stop"):
        for _ in broken.frames(close=True):
            pass


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_damaged_sound_does_not_end_the_work(tmp_path: Path, capsys: pytest.CaptureFixture[str], suffix: str) -> None:
    """One byte in the header of a broadcast's AAC; by itself ffmpeg then writes no more."""
    source, output = tmp_path / "in.ts", tmp_path / f"out.{suffix}"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=48x32:r=25:d=2", "-f", "lavfi", "-i", "sine=d=2",
           "-c:v", "libx264", "-c:a", "aac", source)  # fmt: skip
    content = bytearray(source.read_bytes())
    headers = [found.start() for found in re.finditer(rb"\xff\xf1[\x40-\x5f]", content)]
    content[headers[len(headers) // 2]] = 0
    source.write_bytes(content)
    assert convert(source, output, []) == 50
    with av.open(str(output)) as container:
        packets = sum(1 for packet in container.demux(audio=0) if packet.size)
    assert len(headers) - 2 <= packets < len(headers)
    assert "packets of sound or subtitles that ffmpeg cannot read are left out" in capsys.readouterr().err


def test_lost_frames_are_counted_with_their_times(tmp_path: Path) -> None:
    source = zeroed(film(tmp_path, "mp4"))
    opened = open_source(source)
    lost = len(opened.damage.lost)
    assert 0 < lost == 100 - len(opened.stream.clip)
    (line,) = opened.damage.report()
    assert f"{lost} frame" in line and "(at 0:00:0" in line
    with pytest.raises(SourceError, match="leave out --on-error stop"):
        open_source(source, Reading(strict=True)).damage.check()


def test_frames_lost_at_the_end_are_not_said_to_be_repeated(tmp_path: Path) -> None:
    source = film(tmp_path, "mp4")
    with av.open(str(source)) as container:
        places = sorted((packet.pos, packet.size) for packet in container.demux(video=0) if packet.size)
    data = bytearray(source.read_bytes())
    for place, size in places[-20:]:
        data[place : place + size] = bytes(size)
    source.write_bytes(data)
    opened = open_source(source)
    lines = " ".join(opened.damage.report())
    assert len(opened.damage.lost) == 100 - len(opened.stream.clip) > 0
    assert "after the last picture could not be decoded" in lines and "is repeated" not in lines


@pytest.mark.parametrize("suffix", ENCODED)
def test_a_truncated_film_gives_what_is_there(tmp_path: Path, suffix: str) -> None:
    """Every frame that libav decodes, one picture after another in one thread."""
    source, output = cut(film(tmp_path, suffix)), tmp_path / "out.mkv"
    frames = convert(source, output, [])
    assert 45 <= frames == len(decodable(source)) <= 70
    (note,) = open_source(source).notes
    if suffix == "ts":
        assert note.startswith("the file ends in the middle of a packet, after 0:00:02.")
    else:
        assert note.startswith("the file states a duration of 0:00:04.000, but its picture ends after 0:00:0")


def decodable(path: Path) -> list[int]:
    """Return the stamps of the frames that libav decodes."""
    found = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        for packet in container.demux(stream):
            with suppress(av.FFmpegError):
                found += [frame.pts for frame in packet.decode()]
    return found


def without(path: Path, gone: set[int]) -> Path:
    """Leave some packets out of a film, by their place in the file; stamps stay."""
    whole = path.rename(path.with_stem("before"))
    with av.open(str(whole)) as source, av.open(str(path), "w") as target:
        stream = source.streams.video[0]
        kept = target.add_stream_from_template(stream)
        for place, packet in enumerate(packet for packet in source.demux(stream) if packet.size):
            if place not in gone:
                packet.stream = kept
                target.mux(packet)
    return path


@pytest.mark.parametrize("suffix", ENCODED)
def test_packets_that_were_cut_out_are_counted_with_their_times(tmp_path: Path, suffix: str) -> None:
    source, output = without(film(tmp_path, suffix), {30, 31, 32, 60}), tmp_path / "out.mkv"
    opened = open_source(source)
    assert convert(source, output, []) == len(opened.stream.clip) == 96
    assert sum(gap.frames for gap in opened.damage.gaps) == 4
    line = opened.damage.report()[-1]
    assert line.startswith("4 frames are missing, or the recorder skipped what did not change")
    assert "between 0:00:01." in line and "1 between 0:00:02." in line
    stamps = time_stamps(output)
    assert stamps[-1] - stamps[0] == pytest.approx(99 / 25, abs=0.05)


def torn(path: Path) -> Path:
    """Take a packet out of the middle of a broadcast, within a frame."""
    content = path.read_bytes()
    place = next(place for place in range(len(content) // 376 * 188, len(content), 188)
                 if content[place + 1] & 0x5F == 0x01 and content[place + 3] & 0x10)  # fmt: skip
    path.write_bytes(content[:place] + content[place + 188 :])
    return path


def test_packets_cut_out_of_a_broadcast_are_found_by_their_numbers(tmp_path: Path) -> None:
    """Within a frame, too, which leaves no gap between frames."""
    source = torn(film(tmp_path, "ts"))
    opened = open_source(source)
    assert len(opened.stream.clip) == 100
    (line,) = opened.damage.report()
    assert line.startswith("the film is damaged: 1 frame came in incomplete packets, or after missing ones (at 0:00:0")
    with pytest.raises(SourceError, match="leave out --on-error stop"):
        open_source(source, Reading(strict=True)).damage.check()


@pytest.mark.parametrize(("harm", "rate"), [(torn, 25), (zeroed, 25), (torn, 50)])
def test_only_damage_within_the_part_stops_a_strict_run(
    tmp_path: Path, harm: Callable[[Path], Path], rate: int
) -> None:
    """The film of a hundred frames is damaged in the middle, whatever rate it is given."""
    source = harm(film(tmp_path, "ts"))

    def frames(part: Excerpt) -> int:
        opened = Conversion(
            source=source, output=tmp_path / "out.mkv", steps=(), choice=Choice(), part=part,
            reading=Reading(rate=None if rate == 25 else Fraction(rate), strict=True),
        ).open_source()  # fmt: skip
        return sum(1 for _ in opened.stream.clip.frames(close=True))

    with pytest.raises(SourceError, match=r"damaged: .* leave out --on-error stop"):
        frames(Excerpt(start=Fraction(25, rate), duration=Fraction(50, rate)))
    assert frames(Excerpt(duration=Fraction(25, rate))) == 25
    assert frames(Excerpt(start=Fraction(75, rate), duration=Fraction(25, rate))) == 25


def test_only_films_of_a_constant_rate_have_gaps() -> None:
    tick, rate = Fraction(1, 1000), [Fraction(25)]
    stamps = [number * 40 for number in range(100)]
    assert gaps(time_line(stamps, tick, rate)) == []
    (gap,) = gaps(time_line(stamps[:50] + stamps[53:], tick, rate))
    assert (gap.frames, gap.begins, gap.ends) == (3, Fraction(49, 25), Fraction(53, 25))
    assert gaps(time_line([n * 40 for n in range(100) if n % 3 or n % 5 == 0], tick, rate)) == []


def test_a_film_without_its_index_says_so(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", frames=20)
    source.write_bytes(source.read_bytes()[:-600])
    with pytest.raises(SourceError, match=r"cut off before its index \(moov\) was written"):
        open_source(source)


def test_what_is_missing() -> None:
    assert cut_off(Fraction(10), Fraction(19, 2) + Fraction(1, 10), None) == []
    assert cut_off(None, Fraction(1), None) == []
    assert cut_off(Fraction(3725), Fraction(60), None) == [
        "the file states a duration of 1:02:05.000, but its picture ends after 0:01:00.000: 3665.0 s are missing"
    ]
    assert clock(3725.25) == "1:02:05.250"


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_sound_that_lasts_longer_is_no_damage(tmp_path: Path, suffix: str) -> None:
    source = tmp_path / f"in{suffix}"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=96x64:r=25:d=1", "-f", "lavfi", "-i", "sine=d=4", source)
    assert open_source(source).notes == ()


def test_a_film_that_begins_late_is_whole(tmp_path: Path) -> None:
    """Matroska counts its duration from time 0, at which a recorder that was started long ago has nothing."""
    source = tmp_path / "in.mkv"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=96x64:d=1", "-output_ts_offset", "5000", "-c:v", "libx264", source)
    assert open_source(source).notes == ()


def test_a_rate_that_replaces_the_stamps_makes_no_film_seem_cut_off(tmp_path: Path) -> None:
    assert open_source(film(tmp_path, "mkv"), Reading(rate=Fraction(50))).notes == ()
