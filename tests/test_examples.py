"""The examples, run as a person runs them: by vspipe of the environment, and by the shell with ffmpeg."""

from __future__ import annotations

import os
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

from vs_interp.ffmpeg import find_ffmpeg

from .support import ROOT
from .video import ffmpeg, make_video, time_stamps

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
