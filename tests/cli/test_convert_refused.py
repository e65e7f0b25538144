"""What ``vs-interp convert`` refuses: one line that says why, exit code 2, and nothing written or replaced."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command_line import refused, run
from tests.video import ffmpeg, make_video
from trt_build.backends import choose


def convert(*arguments: str | Path) -> int:
    return run("convert", *arguments, "--interpolate", "super-slomo", "--quiet")


@pytest.fixture(autouse=True, scope="module")
def what_it_runs_on_was_said() -> None:
    """It is said once in a process, and on a machine without a GPU alone."""
    choose(None)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_video(tmp_path / "in.mp4", frames=4)


def test_sources_that_are_no_videos_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, empty, sound = tmp_path / "in.txt", tmp_path / "in.mkv", tmp_path / "in.m4a"
    text.write_text("words\n" * 100)
    empty.touch()
    ffmpeg("-f", "lavfi", "-i", "sine=d=0.2", sound)
    output = tmp_path / "out.mkv"
    for wrong, told in (
        (tmp_path / "missing.mp4", "no such file"),
        (tmp_path / ("a" * 300), "File name too long"),
        (text, "no video"),
        (empty, "not a video file"),
        (sound, "no video in it"),
    ):
        assert told in refused(capsys, convert(wrong, output, "--factor", "2"))
        assert not output.exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "either --factor or --fps"),
        (("--factor", "2", "--fps", "60"), "either --factor or --fps"),
        (("--factor", "1"), "above 1"),
        (("--factor", "-2"), "above 1"),
        (("--factor", "1000"), "at most"),
        (("--factor", "2", "--chunk", "nan"), "'nan' is not a number that can be used: give a finite number"),
        (("--factor", "2", "--chunk", "inf"), "'inf' is not a number that can be used: give a finite number"),
        (("--factor", "two"), "such as 2, 2.5 or 5/2"),
        (("--factor", "1/0"), "such as 2, 2.5 or 5/2"),
        (("--fps", "fast"), "such as 60, 59.94 or 60000/1001"),
        (("--fps", "nan"), "such as 60, 59.94 or"),
        (("--fps", "12"), "already has 23.976"),
        (("--factor", "2", "--backend", "abacus"), "no backend is called 'abacus'"),
        (("--factor", "2", "--backend", "openvino:colour=red"), "has no option 'colour=red'"),
        (("--factor", "2", "--model", "missing.onnx"), "missing.onnx"),
        (("--factor", "2", "--scene-threshold", "much"), "give one, or none"),
        (("--factor", "2", "--interpolate", "magic"), "magic"),
        (("--fps", "60", "--interpolate", "flavr"), "give --factor"),
        (("--factor", "2", "--scale", "5"), "no weights of fsrcnn with scale 5"),
        (("--factor", "2", "--scale", "2", "--scale-model", "rife"), "no weights of rife with scale 2"),
        (("--factor", "2", "--tile", "64"), "--tile belongs to --scale"),
        (("--factor", "2", "--start", "1:75"), "'1:75' is not a time: give seconds"),
        (("--factor", "2", "--start", "-1"), "is not a time"),
        (("--factor", "2", "--start", "9"), "the film ends after"),
        (("--factor", "2", "--duration", "0"), "give a time above 0"),
        (("--factor", "2", "--frames", "0"), "0 is not in the range"),
        (("--factor", "2", "--frames", "3", "--duration", "1"), "either --duration or --frames"),
        (("--factor", "2", "--codec", "mpeg2"), "'mpeg2' is not one of"),
        (("--factor", "2", "--codec", "ffv1", "--quality", "3"), "no quality to choose"),
        (("--factor", "2", "--audio-args", "'-b:a"), "--audio-args"),
    ],
)
def test_arguments_that_cannot_be_used_are_refused(
    source: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], told: str
) -> None:
    output = source.with_name("out.mkv")
    code = run("convert", source, output, "--interpolate", "super-slomo", "--quiet", *arguments)
    assert told in refused(capsys, code)
    assert [path.name for path in source.parent.iterdir()] == ["in.mp4"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "give --interpolate NETWORK, --scale N, or both"),
        (("--factor", "2"), "give --interpolate NETWORK, --scale N, or both"),
        (("--scale", "2", "--factor", "2"), "--factor belongs to --interpolate"),
        (("--scale", "2", "--model", "rife-4.0"), "--model belongs to --interpolate"),
        (
            ("--interpolate", "rife", "--factor", "2", "--repeat-limit", "0.1"),
            "--repeat-limit belongs to --drop-repeats",
        ),
        (("--scale", "0"), "0 is not in the range"),
        (("--scale", "two"), "'two' is not a valid whole number"),
    ],
)
def test_a_step_must_be_asked_for(
    source: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], told: str
) -> None:
    assert told in refused(capsys, run("convert", source, source.with_name("out.mkv"), "--quiet", *arguments))


def test_outputs_that_must_not_be_written_are_refused(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    there = source.with_name("there.mkv")
    there.write_text("mine")
    content = source.read_bytes()
    for output, told in (
        (there, "--overwrite"),
        (source, "source itself"),
        (source.parent, "is a folder"),
        (source.parent / "nowhere" / "out.mkv", "does not exist"),
        (source.parent / f"{'a' * 300}.mkv", "File name too long"),
        (source.with_name("out.xyz"), "suffix"),
        (source.with_name("out"), "suffix"),
        (source.with_name("out.wav"), "cannot hold"),
        (source.with_name("out.png"), "cannot hold"),
    ):
        assert told in refused(capsys, convert(source, output, "--factor", "2"))
    assert there.read_text() == "mine"
    assert source.read_bytes() == content
    assert sorted(path.name for path in source.parent.iterdir()) == ["in.mp4", "there.mkv"]


@pytest.mark.parametrize("binary", ["false", "/dev/null", "no-such-program"])
def test_a_broken_ffmpeg_is_refused(
    source: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, binary: str
) -> None:
    monkeypatch.setenv("VS_INTERP_FFMPEG", binary)
    assert binary in refused(capsys, convert(source, source.with_name("out.mkv"), "--factor", "2"))
    assert [path.name for path in source.parent.iterdir()] == ["in.mp4"]
