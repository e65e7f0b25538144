"""What cannot be written is told before the first frame is made, in ffmpeg's own words, and nothing is left."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import vapoursynth as vs

from tests.films.whole import convert
from tests.support import names
from tests.video import make_film, make_variable, make_video, time_stamps
from vs_interp.errors import ArgumentError, EncoderError
from vs_interp.films import rehearsal
from vs_interp.films.codecs import Choice
from vs_interp.films.encoding import Encoding
from vs_interp.films.render import run_ffmpeg
from vs_interp.films.source import open_source


def untouched(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
    raise AssertionError("no frame is to be made")


def encoding(source: Path, output: Path, *arguments: str, codec: str | None = None) -> Encoding:
    """Return an encoding whose frames fail, were they asked for."""
    film = open_source(source)
    made = Encoding.prepare(film, film.stream, output, Choice(codec=codec, arguments=arguments))
    clip = made.stream.clip
    return replace(made, stream=replace(made.stream, clip=clip.std.ModifyFrame(clip, untouched)))


@pytest.mark.parametrize(
    ("suffix", "arguments", "told"),
    [
        ("mkv", ("-c:v", "nope"), "Unknown encoder 'nope'"),
        ("mkv", ("-crf", "abc"), "Error setting option crf to value abc"),
        ("mkv", ("-nonsense", "3"), "Unrecognized option 'nonsense'"),
        ("mkv", ("-preset", "nope"), "nope"),
        ("mp4", ("-c:v", "utvideo"), "codec not currently supported in container"),
    ],
)
def test_arguments_and_containers_that_will_not_do(
    tmp_path: Path, each_ffmpeg: str, suffix: str, arguments: tuple[str, ...], told: str
) -> None:
    source, output = make_film(tmp_path / "in.mkv"), tmp_path / f"out.{suffix}"
    before = names(tmp_path)
    with pytest.raises(EncoderError, match=told):
        rehearsal.rehearse(encoding(source, output, *arguments), output, overwrite=False)
    assert names(tmp_path) == before


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "mov", "webm", "ts"])
def test_what_will_do_leaves_nothing(tmp_path: Path, each_ffmpeg: str, suffix: str) -> None:
    output = tmp_path / f"out.{suffix}"
    for source in (make_film(tmp_path / "in.mkv"), make_variable(tmp_path / "variable.mp4")):
        before = names(tmp_path)
        rehearsal.rehearse(encoding(source, output), output, overwrite=False)
        assert names(tmp_path) == before


def test_names_folders_and_disks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = make_video(tmp_path / "in.mp4", frames=3)
    there = tmp_path / "there.mkv"
    there.write_text("mine")
    for output, told in ((tmp_path / ("a" * 300 + ".mkv"), "too long"), (tmp_path / "no" / "a.mkv", "No such file")):
        with pytest.raises(EncoderError, match=told):
            rehearsal.rehearse(encoding(source, tmp_path / "a.mkv"), output, overwrite=False)
    with pytest.raises(ArgumentError, match="exists: remove it"):
        rehearsal.rehearse(encoding(source, there), there, overwrite=False)
    monkeypatch.setattr(rehearsal, "LEAST_ROOM", 1 << 62)
    with pytest.raises(EncoderError, match="MB free: make room"):
        rehearsal.rehearse(encoding(source, there), there, overwrite=True)
    assert there.read_text() == "mine"


def test_an_error_of_the_system_is_told_where_ffmpeg_says_nothing() -> None:
    for code, told in ((243, "Permission denied"), (228, "No space left on device")):
        with pytest.raises(EncoderError, match=told), run_ffmpeg(["sh", "-c", f"exit {code}"]) as pipe:
            pipe.write(b"frame")


def test_an_encoder_that_wants_no_more_frames_has_succeeded(tmp_path: Path) -> None:
    source, output = make_video(tmp_path / "in.mp4", frames=100), tmp_path / "out.mkv"
    convert(source, output, [], choice=Choice(arguments=("-frames:v", "7")))
    assert len(time_stamps(output)) == 7


def test_an_option_without_its_value_does_not_pass_for_a_film(tmp_path: Path) -> None:
    """It would take the output's name for its value, and ffmpeg would be content."""
    source = make_video(tmp_path / "in.mkv")
    opened = open_source(source)
    output = tmp_path / "out.mkv"
    encoding = Encoding.prepare(opened, opened.stream, output, Choice(arguments=("-crf",)))
    with pytest.raises(EncoderError, match="lacks its value"):
        rehearsal.rehearse(encoding, output, overwrite=False)
    assert [path.name for path in tmp_path.iterdir()] == ["in.mkv"]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("second.mkv",), "second.mkv"),
        (("-crf", "20", "-y", "second.mkv"), "second.mkv"),
        (("-shortest", "second.mkv", "-preset", "fast"), "second.mkv"),
        (("-crf", "20", "-"), "-"),
    ],
)
def test_words_that_would_be_further_outputs_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, each_ffmpeg: str, arguments: tuple[str, ...], word: str
) -> None:
    """Before ffmpeg writes a file of that name, or over the user's."""
    monkeypatch.chdir(tmp_path)
    film, output = open_source(make_film(tmp_path / "in.mkv")), tmp_path / "out.mkv"
    (tmp_path / "second.mkv").write_text("mine")
    before = names(tmp_path)
    for option, choice in (
        ("--encoder-args", Choice(arguments=arguments)),
        ("--audio-args", Choice(sound_arguments=("-b:a", "64k", *arguments))),
    ):
        with pytest.raises(ArgumentError, match=f"^'{word}' in {option} is not the value of an option"):
            rehearsal.rehearse(Encoding.prepare(film, film.stream, output, choice), output, overwrite=False)
    assert (tmp_path / "second.mkv").read_text() == "mine"
    assert names(tmp_path) == before


def test_options_without_a_value_are_allowed(tmp_path: Path, each_ffmpeg: str) -> None:
    source, output = make_film(tmp_path / "in.mkv"), tmp_path / "out.mkv"
    arguments = ("-shortest", "-y", "-x264-params", "bframes=0:ref=1", "-metadata", "title=a b.mkv", "-bitexact")
    rehearsal.rehearse(encoding(source, output, *arguments), output, overwrite=False)
