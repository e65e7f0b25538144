"""The examples, run as a person runs them: by vspipe of the environment, and by the shell with ffmpeg."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import vapoursynth as vs
from numpy.typing import NDArray

from vs_interp.films.ffmpeg import find_ffmpeg

from . import foreseen
from .support import ROOT
from .video import ffmpeg, make_video, time_stamps

pytestmark = pytest.mark.slow

EXAMPLES = ROOT / "examples"
BUNDLED = ROOT / "vs_interp/clips/bbb_360p24.mp4"
BT709 = ("-color_range", "tv", "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709")


@pytest.fixture
def activated(tmp_path: Path) -> dict[str, str]:
    """The variables of an activated environment, with an ffmpeg in its path."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "ffmpeg").symlink_to(find_ffmpeg())
    path = os.pathsep.join([str(Path(sys.executable).parent), str(programs), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "VIRTUAL_ENV": sys.prefix}


def run(command: list[str | Path], environment: dict[str, str], folder: Path) -> None:
    done = subprocess.run(
        command, env=environment, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def luma(path: Path, count: int) -> list[NDArray[Any]]:
    """Return the luma of the first frames as they are decoded."""
    clip = vs.core.bs.VideoSource(str(path), cachemode=0, showprogress=False)[:count]
    return [np.asarray(frame[0]).copy() for frame in clip.frames(close=True)]


@pytest.mark.parametrize("named", [False, True])
def test_the_script_gives_the_video_at_twice_its_rate(tmp_path: Path, activated: dict[str, str], named: bool) -> None:
    video = make_video(tmp_path / "film.mkv") if named else BUNDLED
    arguments = ["-a", f"source={video}"] if named else []
    output = tmp_path / "made.y4m"
    run(["vspipe", "-c", "y4m", "-e", "3", *arguments, EXAMPLES / "01_interpolate.vpy", output], activated, tmp_path)
    got, source = luma(output, 5), luma(video, 2)
    assert len(got) == 4
    assert (b"F48000:1001" if named else b"F48:1") in output.read_bytes().split(b"\n")[0].split()
    assert np.array_equal(got[0], source[0])
    assert np.array_equal(got[2], source[1])
    assert not any(np.array_equal(got[1], shown) for shown in source)


def test_the_shell_line_encodes_frames_colours_and_sound(tmp_path: Path, activated: dict[str, str]) -> None:
    picture, film, output = tmp_path / "picture.mkv", tmp_path / "film with sound.mkv", tmp_path / "made.mkv"
    make_video(picture)
    ffmpeg("-i", picture, "-f", "lavfi", "-i", "sine=d=1", "-c:v", "copy", "-c:a", "aac", *BT709, film)
    run(["bash", EXAMPLES / "01_interpolate.sh", film, output], activated, tmp_path)
    stamps = time_stamps(output)
    assert len(stamps) == 48
    assert all(abs(at - n * Fraction(1001, 48000)) <= Fraction(1, 1000) for n, at in enumerate(stamps))
    with av.open(str(output)) as container:
        video = container.streams.video[0].codec_context
        assert (video.color_range, video.colorspace, video.color_primaries, video.color_trc) == (1, 1, 1, 1)
        assert [stream.codec_context.name for stream in container.streams.audio] == ["aac"]
    for got, source in zip(luma(output, 48)[::2], luma(film, 24), strict=True):
        assert abs(got.astype(float) - source).mean() < 4


def piped(script: str, video: Path, output: Path, environment: dict[str, str], *arguments: str) -> bytes:
    """Write the first four frames that a script makes of a video, and return the y4m header."""
    named = [part for argument in (f"source={video}", *arguments) for part in ("-a", argument)]
    command = ["vspipe", "-c", "y4m", "-e", "3", *named, EXAMPLES / script, output]
    run(command, environment, output.parent)
    return output.read_bytes().split(b"\n")[0]


def test_flavr_makes_three_frames_between_two(tmp_path: Path, activated: dict[str, str]) -> None:
    video, output = make_video(tmp_path / "film.mkv", frames=4), tmp_path / "made.y4m"
    header = piped("02_flavr_4x.vpy", video, output, activated)
    assert b"F96000:1001" in header.split()
    got, source = luma(output, 4), luma(video, 1)
    assert len(got) == 4
    assert [np.array_equal(shown, source[0]) for shown in got] == [True, False, False, False]


@pytest.mark.parametrize(
    ("script", "rate"), [("03_upscale.vpy", b"F24000:1001"), ("04_interpolate_and_upscale.vpy", b"F48000:1001")]
)
def test_frames_are_enlarged(tmp_path: Path, activated: dict[str, str], script: str, rate: bytes) -> None:
    """Shrunk again by the mean of 2×2 pixels, what was enlarged is the source's frame."""
    video, output = make_video(tmp_path / "film.mkv"), tmp_path / "made.y4m"
    assert {b"W192", b"H128", rate} <= set(piped(script, video, output, activated).split())
    shown = luma(output, 4)[:: 2 if rate == b"F48000:1001" else 1]
    for got, source in zip(shown, luma(video, len(shown)), strict=True):
        assert abs(got.reshape(64, 2, 96, 2).mean((1, 3)) - source).mean() < 4


def test_the_line_for_mpv_pipes_the_video_at_twice_its_rate(tmp_path: Path, activated: dict[str, str]) -> None:
    """A stand-in for mpv keeps what it is given, and its options."""
    player = tmp_path / "programs" / "mpv"
    player.write_text('#!/bin/sh\nprintf "%s\\n" "$@" > options; cat > piped.y4m\n')
    player.chmod(0o755)
    video = make_video(tmp_path / "a film.mkv", frames=4)
    run(["bash", EXAMPLES / "05_mpv.sh", video], activated, tmp_path)
    assert b"F48000:1001" in (tmp_path / "piped.y4m").read_bytes().split(b"\n")[0]
    assert len(luma(tmp_path / "piped.y4m", 8)) == 8
    assert f"--audio-file={video}" in (tmp_path / "options").read_text().splitlines()


def test_flow_is_drawn_and_leads_back(tmp_path: Path, activated: dict[str, str]) -> None:
    """The second output is each frame made of the next along the flow: near to the frame itself."""
    video = make_video(tmp_path / "film.mkv", frames=4)
    for number in ("0", "1"):
        output, shown = tmp_path / f"{number}.y4m", ["-c", "y4m", "-o", number, "-e", "1"]
        run(["vspipe", *shown, "-a", f"source={video}", EXAMPLES / "07_optical_flow.vpy", output], activated, tmp_path)
    drawn, warped = (luma(tmp_path / f"{number}.y4m", 2) for number in (0, 1))
    assert drawn[0].shape == (64, 96) and drawn[0].std() > 0
    assert np.abs(warped[0].astype(float) - luma(video, 1)[0]).mean() < 4


def test_a_video_is_moved_on_beyond_its_end(tmp_path: Path, activated: dict[str, str]) -> None:
    video, output = make_video(tmp_path / "film.mkv", frames=6), tmp_path / "made.y4m"
    command = ["vspipe", "-c", "y4m", "-a", f"source={video}", EXAMPLES / "10_nowcast.vpy", output]
    run(command, activated, tmp_path)
    shown = luma(output, 18)
    assert len(shown) == 18
    assert all(np.array_equal(got, source) for got, source in zip(shown[:6], luma(video, 6), strict=True))
    assert not any(np.array_equal(got, shown[5]) for got in shown[6:])


def test_many_machines_make_the_film_of_one(tmp_path: Path, activated: dict[str, str]) -> None:
    """The scheduler and two workers on the loopback interface."""
    pytest.importorskip("distributed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    video, output = make_video(tmp_path / "film.mkv", frames=72), tmp_path / "made.mkv"
    environment = {**activated, "PORT": port, "CHUNK": "0.5"}
    run(["bash", EXAMPLES / "06_many_machines.sh", video, output], environment, tmp_path)
    assert len(time_stamps(output)) == 72
    assert sorted(path.name for path in tmp_path.glob("*.mkv*")) == ["film.mkv", "made.mkv"]


def test_ten_frames_of_digits_are_followed_by_ten(tmp_path: Path, activated: dict[str, str]) -> None:
    """The truth above, what was foreseen below: nearer to the truth than the last frame again."""
    output = tmp_path / "made.y4m"
    run(["vspipe", "-c", "y4m", EXAMPLES / "08_predict.vpy", output], activated, tmp_path)
    truth, foreseen = np.split(np.stack(luma(output, 20)).astype(float), 2, axis=1)
    assert len(truth) == 20 and np.array_equal(truth[:10], foreseen[:10])

    def off(made: NDArray[np.float64]) -> float:
        return float(((made - truth[10:]) ** 2).mean())

    assert off(foreseen[10:]) < 0.7 * off(foreseen[9:10])


def test_labels_to_come_stand_over_the_true_ones(tmp_path: Path, activated: dict[str, str]) -> None:
    """With models whose arithmetic is known: pixels of bright green are class 7, and so they stay."""
    seen = foreseen.bright(tmp_path / "bright.onnx")
    model = foreseen.drifting(tmp_path / "labels.onnx", seen=11, made=11, channels=1, labels=True)
    output = tmp_path / "made.y4m"
    named = ["-a", f"masks_model={seen}", "-a", f"model={model}"]
    run(["vspipe", "-c", "y4m", *named, EXAMPLES / "09_masks_to_come.vpy", output], activated, tmp_path)
    shown = luma(output, 22)
    assert len(shown) == 22 and shown[0].shape == (64 + 512, 384)
