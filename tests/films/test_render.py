"""The renderer: a file holds the times and streams that went in, and one that fails is not left."""

from __future__ import annotations

import hashlib
import itertools
import os
import signal
import stat
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import pytest
import vapoursynth as vs

from tests.films.whole import convert
from tests.support import names
from tests.video import duration, ffmpeg, make_film, make_variable, make_video, time_stamps
from vs_interp.errors import EncoderError, SourceError
from vs_interp.films.ffmpeg import find_ffmpeg
from vs_interp.films.source import Stream

core = vs.core

STARTING = """
import sys, time
from vs_interp.films.render import run_ffmpeg
from vs_interp.interrupt import ending_on_signals

encoder = ["sh", "-c", "echo $$ > $0; kill -INT $PPID; exec sleep 60", sys.argv[1]]
with ending_on_signals(), run_ffmpeg(encoder):
    time.sleep(60)
"""


def doubled(stream: Stream) -> Stream:
    """Show every frame twice, each time half as long."""
    clip = core.std.Interleave([stream.clip, stream.clip])
    return replace(stream, clip=clip, tick=None if stream.tick is None else stream.tick / 2)


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
def test_constant_rate_keeps_exact_time_stamps(tmp_path: Path, each_ffmpeg: str, suffix: str) -> None:
    source, output = make_video(tmp_path / "in.mp4"), tmp_path / f"out.{suffix}"
    frames = convert(source, output, [doubled])
    assert frames == 48
    assert time_stamps(output) == [n * Fraction(1001, 48000) for n in range(48)]
    assert duration(output) == 48 * Fraction(1001, 48000)
    with av.open(str(output)) as container:
        assert container.streams.video[0].average_rate == Fraction(48000, 1001)


def test_matroska_states_the_constant_rate(tmp_path: Path, each_ffmpeg: str) -> None:
    source, output = make_video(tmp_path / "in.mkv"), tmp_path / "out.mkv"
    convert(source, output, [doubled])
    assert all(abs(t - n * Fraction(1001, 48000)) <= Fraction(1, 2000) for n, t in enumerate(time_stamps(output)))
    with av.open(str(output)) as container:
        rate = container.streams.video[0].average_rate
        assert rate is not None and abs(float(rate) - 48000 / 1001) < 0.001


def test_variable_rate_keeps_exact_time_stamps(tmp_path: Path, each_ffmpeg: str) -> None:
    source, output = make_variable(tmp_path / "in.mp4"), tmp_path / "out.mp4"
    before = time_stamps(source)
    assert len({b - a for a, b in itertools.pairwise(before)}) == 3
    convert(source, output, [doubled])
    after = time_stamps(output)
    assert after[::2] == before
    assert after[1::2][:-1] == [(a + b) / 2 for a, b in itertools.pairwise(before)]


def test_matroska_states_the_mean_of_a_variable_rate(tmp_path: Path, each_ffmpeg: str) -> None:
    """And not what libav takes for granted, 24 frames a second, by which televisions set their own rate."""
    source, output = make_variable(tmp_path / "in.mp4"), tmp_path / "out.mkv"
    convert(source, output, [doubled])
    stamps = time_stamps(output)
    mean = (len(stamps) - 1) / (stamps[-1] - stamps[0])
    with av.open(str(output)) as container:
        rate = container.streams.video[0].average_rate
        assert rate is not None and abs(rate - mean) < 0.05 * mean


def test_milliseconds_of_matroska_are_seen_as_the_constant_rate_they_round(tmp_path: Path) -> None:
    source, output = make_video(tmp_path / "in.mkv"), tmp_path / "out.mp4"
    convert(source, output, [])
    assert time_stamps(output) == [n * Fraction(1001, 24000) for n in range(24)]


def test_a_single_frame_is_a_video(tmp_path: Path) -> None:
    source, output = make_video(tmp_path / "in.mp4", frames=1), tmp_path / "out.mp4"
    convert(source, output, [])
    assert time_stamps(output) == [0]


def test_sound_subtitles_chapters_and_metadata_are_kept(tmp_path: Path, each_ffmpeg: str) -> None:
    source = make_film(tmp_path / "in.mkv")
    sounds = _sound_packets(source)
    assert len(sounds) == 2 and all(sounds)
    for suffix, codec in (("mkv", "subrip"), ("mp4", "mov_text")):
        output = tmp_path / f"out.{suffix}"
        convert(source, output, [doubled])
        with av.open(str(output)) as container:
            assert len(container.streams.video) == 1
            assert [stream.codec.canonical_name for stream in container.streams.subtitles] == [codec]
            assert [chapter["metadata"]["title"] for chapter in container.chapters()] == ["first", "second"]
            assert container.metadata["title"] == "A title"
            assert container.streams.video[0].metadata["language"] == "swe"
            assert container.streams.audio[1].metadata["language"] == "fin"
        assert _sound_packets(output) == sounds


def _sound_packets(path: Path) -> list[list[str]]:
    """Return the digests of every sound packet, a list for each stream."""
    with av.open(str(path)) as container:
        found: dict[int, list[str]] = {stream.index: [] for stream in container.streams.audio}
        for packet in container.demux(container.streams.audio):
            if packet.size:
                found[packet.stream.index].append(hashlib.sha256(bytes(packet)).hexdigest())
        return list(found.values())


@pytest.mark.parametrize(("suffix", "tick"), [("mkv", 1e-3), ("mov", 5e-5), ("ts", 5e-5), ("avi", 1 / 48)])
@pytest.mark.parametrize("late", ["0.5", "0.49"], ids=["whole frames", "between frames"])
def test_a_picture_that_begins_after_the_sound_still_does(
    tmp_path: Path, each_ffmpeg: str, late: str, suffix: str, tick: float
) -> None:
    plain, source, output = tmp_path / "plain.mkv", tmp_path / "in.mkv", tmp_path / f"out.{suffix}"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=96x64:r=24:d=1", "-f", "lavfi", "-i", "sine=d=1.5",
           "-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "mp2", plain)  # fmt: skip
    ffmpeg("-itsoffset", late, "-i", plain, "-i", plain, "-map", "0:v", "-map", "1:a", "-c", "copy", source)
    convert(source, output, [doubled])
    before, after = (float(time_stamps(path)[0] - _first_sound(path)) for path in (source, output))
    assert after == pytest.approx(before, abs=tick)
    assert before == pytest.approx(float(late), abs=0.03)
    assert len(time_stamps(output)) == 48
    with av.open(str(output)) as container:
        assert container.streams.video[0].average_rate == 48


def _first_sound(path: Path) -> Fraction:
    with av.open(str(path)) as container:
        packet = next(packet for packet in container.demux(audio=0) if packet.pts is not None)
        return packet.pts * Fraction(str(packet.time_base))


def test_the_scripts_own_error_is_told_and_nothing_is_left(tmp_path: Path) -> None:
    source, output = make_video(tmp_path / "in.mp4"), tmp_path / "out.mkv"

    def fails_at_ten(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        if n == 10:
            raise RuntimeError("the network has caught a cold")
        return f

    def step(stream: Stream) -> Stream:
        return Stream(stream.clip.std.ModifyFrame(stream.clip, fails_at_ten), None)

    with pytest.raises(SourceError, match=r"the network has caught a cold.*\(at frame 10 of 24\)"):
        convert(source, output, [step])
    assert names(tmp_path) == ["in.mp4"]


def test_a_killed_encoder_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, output = make_video(tmp_path / "in.mp4", frames=100), tmp_path / "out.mkv"
    output.write_text("what was there before")
    killed = tmp_path / "ffmpeg"
    killed.write_text(
        '#!/bin/sh\ncase "$*" in *pipe:0*) head -c 100000 >/dev/null; kill -9 $$;; '
        f'*) exec {find_ffmpeg()} "$@";; esac\n'
    )
    killed.chmod(killed.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("VS_INTERP_FFMPEG", str(killed))
    with pytest.raises(EncoderError, match="SIGKILL"):
        convert(source, output, [], overwrite=True)
    assert output.read_text() == "what was there before"
    assert names(tmp_path) == ["ffmpeg", "in.mp4", "out.mkv"]


@pytest.mark.skipif(sys.platform == "win32", reason="sh is not there")
def test_an_encoder_that_is_just_starting_ends_with_a_signal(tmp_path: Path) -> None:
    """It would write its file after the conversion has removed its own."""
    marks = [tmp_path / str(number) for number in range(4)]  # the moment differs: without care 3 of 4 live on
    commands = ([sys.executable, "-c", STARTING, str(mark)] for mark in marks)
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE) for command in commands]
    assert [process.communicate(timeout=60) and process.returncode for process in processes] == [130] * 4
    for mark in marks:
        with pytest.raises(ProcessLookupError):
            os.kill(int(mark.read_text()), signal.SIGKILL)
