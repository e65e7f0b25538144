"""Chunks joined are the film in one piece: its frames, its time stamps, its sound and what it says of colour."""

from __future__ import annotations

import errno
import os
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import pytest

from tests.films.marks import film, shown
from tests.films.test_true_times import VARIABLE
from tests.video import SUBTITLES, ffmpeg, make_variable
from vs_interp.errors import EncoderError
from vs_interp.films.codecs import Choice
from vs_interp.films.ffmpeg import find_ffmpeg
from vs_interp.films.render import BUFFER, frames_in, render
from vs_interp.jobs.chunk import ChunkFolder, Record, delay_of
from vs_interp.jobs.conversion import Conversion
from vs_interp.jobs.here import make_chunks
from vs_interp.jobs.join import TimeStamps, join
from vs_interp.jobs.plan import plan
from vs_interp.jobs.room import guess
from vs_interp.jobs.run import wants_one_encoder
from vs_interp.jobs.steps import Interpolation

from .films import Decoded, decoded, enlargement, make_film, unheard

REORDERED = "lossless=1:bframes=2:b-adapt=0:pools=none:frame-threads=1:log-level=error"
"""Options of x265 for pictures that are kept to the bit and are not stored in order; x264 can only have one of it.

Without threads: those of several encoders wait for each other."""

SMALL = "48x32"
"""Time stamps are what these films are about, not what is in their pictures."""


def both_ways(conversion: Conversion, folder: Path, seconds: float = 0.5) -> tuple[Decoded, Decoded]:
    """Return what a conversion gives in chunks, and what in one piece."""
    job = conversion.open()
    manifest = plan(conversion, job, seconds)
    assert len(manifest.chunks) >= 3
    chunks = ChunkFolder(folder)
    records = dict(make_chunks(job, chunks, manifest.borders, range(len(manifest.chunks)), unheard))
    join(job, chunks, [records[number] for number in sorted(records)], conversion.output, overwrite=False)
    whole = conversion.output.with_stem("whole")
    render(job.encoding, whole, overwrite=False, ahead=4, advance=lambda: None)
    return decoded(conversion.output), decoded(whole)


@pytest.mark.parametrize(
    ("suffix", "choice"),
    [
        (".mkv", Choice(codec="ffv1")),
        (".avi", Choice(codec="ffv1")),
        (".mov", Choice(codec="prores")),
        (".mp4", Choice(arguments=("-c:v", "libx264", "-crf", "0"))),
        (".ts", Choice(arguments=("-c:v", "libx264", "-crf", "0"))),
        (".mp4", Choice(arguments=("-c:v", "libx265", "-x265-params", REORDERED))),
        (".avi", Choice(arguments=("-c:v", "utvideo"))),
        (".avi", Choice(arguments=("-c:v", "magicyuv"))),
        (".avi", Choice(arguments=("-c:v", "rawvideo"))),
        (".mkv", Choice(arguments=("-c:v", "utvideo"))),
        (".mkv", Choice(arguments=("-c:v", "magicyuv"))),
        (".mkv", Choice(arguments=("-c:v", "libx265", "-x265-params", REORDERED))),
    ],
    ids=lambda value: value if isinstance(value, str) else value.codec or value.arguments[1],
)
def test_frames_stamps_sound_and_colour_are_those_of_one_piece(tmp_path: Path, suffix: str, choice: Choice) -> None:
    source = make_film(tmp_path / "in.mp4", "30000/1001", 2, SMALL)
    conversion = replace(enlargement(source, tmp_path / f"out{suffix}"), choice=choice)
    chunked, whole = both_ways(conversion, tmp_path)
    assert chunked == whole
    assert len(chunked.times) == 60


def test_a_name_with_a_colon_is_no_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """libav takes what precedes the colon of a relative path for one, such as ``http``."""
    monkeypatch.chdir(tmp_path)
    Path("Part: two").mkdir()
    conversion = enlargement(make_film(Path("in.mkv"), seconds=1, size=SMALL), Path("Part: two/out.mkv"), "h264")
    job = conversion.open()
    manifest, chunks = plan(conversion, job, 0.3), ChunkFolder(Path("Part: two"))
    assert guess(job, manifest)
    records = dict(make_chunks(job, chunks, manifest.borders, range(len(manifest.chunks)), unheard))
    join(job, chunks, [records[number] for number in sorted(records)], conversion.output, overwrite=False)
    assert frames_in(conversion.output) == 25


def test_options_for_the_file_and_the_other_streams_hold_as_in_one_piece(tmp_path: Path) -> None:
    """ffmpeg's arguments may be about anything; those of the encoder mean nothing to the join."""
    source, subtitles = tmp_path / "in.mkv", tmp_path / "in.srt"
    subtitles.write_text(SUBTITLES)
    ffmpeg("-i", make_film(tmp_path / "sound.mkv", seconds=2, size=SMALL), "-i", subtitles,
           "-map", "0", "-map", "1", "-c", "copy", source)  # fmt: skip
    given = ("-preset", "ultrafast", "-pix_fmt", "yuv444p", "-an", "-video_track_timescale", "90000")
    conversion = replace(enlargement(source, tmp_path / "out.mp4"), choice=Choice(codec="h264", arguments=given))
    job = conversion.open()
    manifest, chunks = plan(conversion, job, 0.5), ChunkFolder(tmp_path)
    records = dict(make_chunks(job, chunks, manifest.borders, range(len(manifest.chunks)), unheard))
    join(job, chunks, [records[number] for number in sorted(records)], conversion.output, overwrite=False)
    with av.open(str(conversion.output)) as joined:
        picture = joined.streams.video[0]
        assert [stream.type for stream in joined.streams] == ["video", "subtitle"]
        assert (picture.type, picture.time_base, picture.frames) == ("video", Fraction(1, 90_000), 50)
        assert picture.codec_context.format.name == "yuv444p"


@pytest.mark.parametrize(
    ("suffix", "choice"),
    [
        (".mkv", Choice(codec="prores", preset="hq")),
        (".mp4", Choice(codec="h264", arguments=("-preset", "ultrafast", "-profile:v", "high", "-level", "4.1"))),
        (".mp4", Choice(codec="h264", arguments=("-preset", "ultrafast", "-profile", "high", "-level:v", "1b"))),
    ],
)
def test_what_the_encoder_alone_understands_is_kept_from_the_join(tmp_path: Path, suffix: str, choice: Choice) -> None:
    """ffmpeg parses named profiles and levels with the encoder, of which there is none where packets are copied."""
    source = make_film(tmp_path / "in.mp4", seconds=2, size=SMALL)
    conversion = replace(enlargement(source, tmp_path / f"out{suffix}"), choice=choice)
    chunked, whole = both_ways(conversion, tmp_path)
    assert chunked.times == whole.times


def test_bitstream_filters_are_applied_once(tmp_path: Path) -> None:
    """Where chunks are made, and not where they are joined."""
    source = make_film(tmp_path / "in.mp4", seconds=2, size=SMALL)
    noted = "086f3693-b7b3-4f2c-9653-21492feee5b8"
    given = ("-preset", "ultrafast", "-bsf:v", f"h264_metadata=sei_user_data={noted}+once")
    conversion = replace(enlargement(source, tmp_path / "out.mp4"), choice=Choice(codec="h264", arguments=given))
    both_ways(conversion, tmp_path)
    with av.open(str(conversion.output)) as joined:
        packets = [bytes(packet) for packet in joined.demux(video=0) if packet.is_keyframe]
    assert len(packets) >= 3
    assert [packet.count(b"once") for packet in packets] == [1] * len(packets)


@pytest.mark.parametrize(
    ("arguments", "whole"),
    [
        ("-b:v 2M", True), ("-b 2M", True), ("-filter:v:0 hflip", True), ("-vf hflip", True), ("-t 3", True),
        ("-b:a 64k", False), ("-filter:a:0 volume=0.5", False), ("-frames:s 9", False), ("-crf 20", False),
    ],
)  # fmt: skip
def test_options_of_the_other_streams_leave_the_film_in_chunks(arguments: str, whole: bool) -> None:
    assert wants_one_encoder(arguments.split()) == whole


def test_sound_is_filtered_in_a_job_as_in_one_piece(tmp_path: Path) -> None:
    source = make_film(tmp_path / "in.mp4", seconds=2, size=SMALL)
    given = ("-preset", "ultrafast", "-b:a", "64k", "-filter:a", "atrim=end=1")
    choice = Choice(codec="h264", arguments=given, sound_arguments=("-c:a", "aac"))
    chunked, whole = both_ways(replace(enlargement(source, tmp_path / "out.mp4"), choice=choice), tmp_path)
    assert chunked.sound == whole.sound
    assert chunked.sound[1] == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("rate", [{"factor": Fraction(5, 2)}, {"fps": Fraction(60)}], ids=["5/2", "60"])
def test_rates_that_do_not_divide_keep_their_stamps(tmp_path: Path, rate: dict[str, Fraction]) -> None:
    source = make_film(tmp_path / "in.mkv", "24000/1001", 1, SMALL)
    step = Interpolation(network="super-slomo", backend="openvino:threads=1", **rate)
    conversion = Conversion(source=source, output=tmp_path / "out.mkv", steps=(step,), choice=Choice(codec="ffv1"))
    chunked, whole = both_ways(conversion, tmp_path, 0.3)
    assert chunked == whole


def test_a_variable_rate_keeps_every_duration(tmp_path: Path) -> None:
    silent = make_variable(tmp_path / "silent.mkv")
    source = tmp_path / "in.mkv"
    ffmpeg("-i", silent, "-f", "lavfi", "-i", "sine=d=1", "-map", "0:v", "-map", "1:a", "-c:v", "copy", source)
    lossless = Choice(arguments=("-c:v", "libx265", "-x265-params", REORDERED))
    conversion = replace(enlargement(source, tmp_path / "out.mp4"), choice=lossless)
    chunked, whole = both_ways(conversion, tmp_path, 0.2)
    assert replace(chunked, span=whole.span) == whole  # ffmpeg by itself leaves the last duration out
    assert chunked.span == (-2 * chunked.times[1], 1), "two frames ahead, and a second long"
    assert len({later - earlier for earlier, later in zip(chunked.times, chunked.times[1:], strict=False)}) > 1


@pytest.mark.parametrize(("codec", "suffix"), [("h264", "mkv"), ("ffv1", "mkv"), ("h264", "mp4")])
def test_a_variable_rate_states_its_mean(tmp_path: Path, codec: str, suffix: str) -> None:
    """Left to itself, libav guesses from the shortest step: 60 or 30,000 frames a second."""
    source, output = film(tmp_path / "in.mp4", chosen=VARIABLE), tmp_path / f"out.{suffix}"
    conversion = enlargement(source, output, codec)
    both_ways(conversion, tmp_path, 0.5)
    with av.open(str(output)) as joined, av.open(str(output.with_stem("whole"))) as whole:
        rate, expected = joined.streams.video[0].average_rate, whole.streams.video[0].average_rate
        assert rate == expected
    stamps = shown(output)
    assert float(rate or 0) == pytest.approx(len(stamps) / float(stamps[-1] - stamps[0]), rel=0.1)


@pytest.mark.skipif(sys.platform == "win32", reason="a shell's script")
@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_the_reason_is_told_where_ffmpeg_ends_while_chunks_are_joined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    """A disk that is full, say; PyAV has a word of its own for a pipe that nobody reads."""
    source = tmp_path / "in.mkv"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=1.4,noise=alls=100:allf=t",
           "-c:v", "libx264", "-preset", "ultrafast", source)  # fmt: skip
    lossless = Choice(arguments=("-c:v", "libx264", "-preset", "ultrafast", "-qp", "0"))
    conversion = replace(enlargement(source, tmp_path / f"out{suffix}"), choice=lossless)
    fails = tmp_path / "ffmpeg"
    fails.write_text(
        f'#!/bin/sh\ncase "$*" in *"-c:v:0 copy"*) head -c 100000 >/dev/null; '
        f'echo "Error writing: {os.strerror(errno.ENOSPC)}" >&2; exit 228;; *) exec {find_ffmpeg()} "$@";; esac\n'
    )
    fails.chmod(0o755)
    monkeypatch.setenv("VS_INTERP_FFMPEG", str(fails))
    job = conversion.open()
    manifest, chunks = plan(conversion, job, 0.5), ChunkFolder(tmp_path)
    records = dict(make_chunks(job, chunks, manifest.borders, range(len(manifest.chunks)), unheard))
    assert sum(record.bytes for record in records.values()) > BUFFER, "it is written to before it ends"
    with pytest.raises(EncoderError, match=r"Error writing: No space left on device \(make room"):
        join(job, chunks, [records[number] for number in sorted(records)], conversion.output, overwrite=False)
    assert not conversion.output.exists() and not list(tmp_path.glob(".*partial*"))


def test_packets_are_decoded_in_order_and_never_after_they_are_shown() -> None:
    """Two chunks of one variable film, whose second lasts ten times as long, reordered by two places."""
    stored = [0, 4, 2, 1, 3, 5]
    assert delay_of(stored) == 2
    records = [
        Record(frames=6, ticks=ticks, delay=2, bytes=1, sha256="", seconds=1, maker="")
        for ticks in ((1,) * 6, (10,) * 6)
    ]
    stamps = TimeStamps(records, Fraction(1, 100), None)
    decoding = [stamps.decoded(place) for place in range(12)]
    showing = [stamps.shown(base + frame) for base in (0, 6) for frame in stored]
    assert decoding == sorted(set(decoding))
    assert all(early <= late for early, late in zip(decoding, showing, strict=True))
