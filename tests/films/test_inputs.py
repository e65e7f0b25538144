"""Folders and patterns of pictures, pipes and odd names: each is read, or says what to do."""

from __future__ import annotations

import io
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import pytest

from tests.clips import durations_of, pictures, same
from tests.command_line import COMMAND, run
from tests.films.marks import film, shown
from tests.films.test_true_times import VARIABLE
from tests.films.whole import convert
from tests.support import names
from tests.video import ffmpeg, make_video
from vs_interp.arguments import Rate
from vs_interp.errors import ArgumentError, SourceError
from vs_interp.films.inputs import openable, saved_pipe
from vs_interp.films.source import Reading, open_film, open_source


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    """A folder of twelve pictures whose names are sorted by their numbers alone."""
    folder = tmp_path / "frames"
    folder.mkdir()
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=32x32:r=24:d=0.5", "-start_number", "5", folder / "shot%d.png")
    return folder


@pytest.mark.parametrize("name", ["", "shot%d.png", "shot*.png", "*.png"])
def test_pictures_are_a_film_in_the_order_of_their_numbers(frames: Path, name: str) -> None:
    clip = open_film(frames / name, fps=24)
    assert (len(clip), clip.fps) == (12, 24)
    found = pictures(clip)
    for number in (0, 4, 5, 11):  # shot5, shot9, shot10, shot16
        alone = open_film(frames / f"shot{number + 5}.png", fps=24)
        assert same(pictures(alone)[0], found[number])


@pytest.mark.parametrize(("fps", "rate"), [(23.976, Fraction(24000, 1001)), ((25, 2), Fraction(25, 2))])
def test_rates_mean_the_same_as_in_filters(frames: Path, fps: Rate, rate: Fraction) -> None:
    assert open_film(frames, fps=fps).fps == rate
    with pytest.raises(ArgumentError, match="fps is 0: it must be above 0"):
        open_film(frames, fps=0)


def test_a_cache_that_cannot_be_used_is_told(frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where links are kept in it: a film in one file needs none."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("VS_INTERP_CACHE", str(tmp_path / "file"))
    with pytest.raises(SourceError, match=f"^cannot write into {tmp_path}/file/links .*VS_INTERP_CACHE"):
        open_film(frames, fps=24)
    assert len(open_film(frames / "shot5.png", fps=24)) == 1


def test_an_index_that_cannot_be_kept_stops_no_film(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """BestSource keeps that of a longer film; and the alpha of VP9 is kept as a film of its own."""
    monkeypatch.setenv("VS_INTERP_CACHE", os.devnull)
    assert len(open_film(make_video(tmp_path / "film.mkv", frames=240))) == 240
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=48x32:r=24:d=0.5,format=yuva420p", "-c:v", "libvpx-vp9",
           tmp_path / "alpha.webm")  # fmt: skip
    assert len(open_film(tmp_path / "alpha.webm")) == 12


def test_what_a_killed_process_of_the_same_number_left_stops_no_other(
    frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container, where each run has number 1."""
    monkeypatch.setenv("VS_INTERP_CACHE", str(tmp_path / "cache"))
    opened = openable(frames).parent
    opened.rename(opened.with_name(f".{opened.name}.{os.getpid()}.partial"))
    assert openable(frames).parent == opened
    assert names(opened.parent) == [opened.name]


def test_pictures_become_a_video(frames: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    convert(frames, output, [], reading=Reading(rate=Fraction(24000, 1001)))
    assert shown(output) == [number * Fraction(1001, 24000) for number in range(12)]


def test_what_is_no_film_is_told(frames: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    shutil.copy(frames / "shot5.png", frames / "other.jpg")
    for path, told in (
        (frames / "%d.png", "matches no pictures"),
        (tmp_path / "empty", "a folder without pictures"),
        (frames, r"several kinds \(.jpg, .png\): give a pattern"),
        (frames / "shot%d.png", "no frame rate: give --source-fps"),
        (tmp_path / ("n" * 300), "File name too long"),
    ):
        with pytest.raises(SourceError, match=told):
            open_source(path)


@pytest.mark.parametrize(
    ("size", "pixels", "told"),
    [
        ("48x32", "rgb24", "shot12.png is 48x32 in rgb24, and shot5.png is 32x32 in rgb24"),
        ("32x32", "gray", "shot12.png is 32x32 in gray, and shot5.png is 32x32 in rgb24"),
    ],
)
def test_pictures_that_differ_are_named(frames: Path, size: str, pixels: str, told: str) -> None:
    """By the user's name for them, not by the links through which they are read."""
    ffmpeg("-f", "lavfi", "-i", f"testsrc2=s={size}", "-frames:v", "1", "-pix_fmt", pixels, frames / "shot12.png")
    with pytest.raises(SourceError, match=re.escape(f"{frames}/{told}: make all pictures alike")):
        open_film(frames, fps=24)


def test_pictures_that_are_none_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.png").write_text("no picture")
    with pytest.raises(SourceError, match=f"^{folder} cannot be decoded") as told:
        open_film(folder, fps=24)
    assert "links" not in str(told.value)


def test_a_picture_that_is_none_is_not_left_out(frames: Path) -> None:
    (frames / "shot8.png").write_text("no picture")
    with pytest.raises(SourceError, match=r"^1 of the 12 pictures in .*frames cannot be decoded, such as shot8.png: "):
        open_film(frames, fps=24)


def test_a_name_that_is_no_text_is_opened(tmp_path: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.mp4"))
    make_video(tmp_path / "plain.mp4", frames=5).rename(odd)
    output = tmp_path / "out.mkv"
    convert(odd, output, [])
    assert len(shown(output)) == 5


@contextmanager
def piped(source: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let a pipe, in which nobody can seek, be the standard input."""
    with subprocess.Popen(["cat", source], stdout=subprocess.PIPE, text=True) as process:
        monkeypatch.setattr("sys.stdin", process.stdout)
        yield


@pytest.mark.parametrize("suffix", ["y4m", "nut", "ts"])
def test_a_pipe_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    source, output = make_video(tmp_path / "in.mkv", frames=6), tmp_path / "out.mkv"
    ffmpeg("-i", source, *(["-c", "copy"] if suffix != "y4m" else []), tmp_path / f"piped.{suffix}")
    with piped(tmp_path / f"piped.{suffix}", monkeypatch):
        assert run("convert", "-", output, "--scale", "2", "--quiet") == 0
    assert len(shown(output)) == 6


def test_a_named_pipe_is_read_and_nothing_is_left(tmp_path: Path) -> None:
    content = make_video(tmp_path / "in.mkv", frames=6).read_bytes()
    fifo, output = tmp_path / "fifo", tmp_path / "out.mkv"
    os.mkfifo(fifo)
    with pytest.raises(SourceError, match="is a pipe"):
        open_source(fifo)
    writer = threading.Thread(target=fifo.write_bytes, args=[content])
    writer.start()
    assert run("convert", fifo, output, "--scale", "2", "--quiet") == 0
    writer.join()
    assert names(tmp_path) == ["fifo", "in.mkv", "out.mkv"]
    assert len(shown(output)) == 6


def test_an_interrupted_pipe_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the process has to end by force, in the middle of the frames."""
    source = make_video(tmp_path / "in.ts", frames=240)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    command = [
        *COMMAND,
        "convert",
        "-",
        tmp_path / "out.mkv",
        "--interpolate",
        "super-slomo",
        "--factor",
        "4",
        "--whole",
    ]
    with source.open("rb") as pipe, subprocess.Popen(command, stdin=pipe, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob(".out.*")):
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.05)
        for _ in range(3):
            process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    assert names(tmp_path) == ["in.ts"]


def test_what_a_killed_process_left_of_its_pipe_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not what another that still runs reads from."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "vs-interp-pipe-killed").mkdir()
    (tmp_path / "vs-interp-pipe-killed" / "film").write_bytes(b"left")
    with saved_pipe(Path("-"), io.BytesIO(b"first"), lambda _: None) as first:
        assert names(tmp_path) == [first.parent.name]
        with saved_pipe(Path("-"), io.BytesIO(b"second"), lambda _: None) as second:
            assert names(tmp_path) == sorted([first.parent.name, second.parent.name])
            assert (first.read_bytes(), second.read_bytes()) == (b"first", b"second")
    assert names(tmp_path) == []


def test_an_empty_pipe_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="nothing came"), saved_pipe(Path("-"), io.BytesIO(), lambda _: None):
        pass


def test_the_index_is_kept_and_how_far_it_is_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A film in AVI with dropped frames needs libav's guess too, which decodes it: neither is worked out again."""
    monkeypatch.setenv("VS_INTERP_CACHE", str(tmp_path / "cache"))
    source = film(tmp_path / "in.avi", chosen=VARIABLE)
    told: list[float] = []
    first = durations_of(open_source(source, progress=told.append).stream.clip)
    assert told
    assert all(0 <= part <= 1 for part in told)
    monkeypatch.setattr("vs_interp.films.stamps.best_guess", _must_not_be_called)
    assert durations_of(open_source(source).stream.clip) == first


def _must_not_be_called(*_: object, **__: object) -> None:
    raise AssertionError("the film is decoded again")


def test_the_sound_of_a_pipe_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, output = film(tmp_path / "in.ts", late_sound=0.7), tmp_path / "out.mkv"
    with piped(source, monkeypatch):
        assert run("convert", "-", output, "--scale", "2", "--scale-model", "anime4k-s-x2", "--quiet") == 0
    with av.open(str(output)) as container:
        assert len(container.streams.audio) == 1
