"""``vs-interp convert``: the frames and times of the file it writes, and that a signal leaves none."""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import pytest

from tests.command_line import COMMAND, run
from tests.support import names
from tests.video import ffmpeg, make_variable, make_video, time_stamps
from vs_interp.films.ffmpeg import find_ffmpeg, keep_time_stamps
from vs_interp.films.unfinished import finished_as


def convert(*arguments: str | Path) -> int:
    return run("convert", *arguments, "--interpolate", "super-slomo", "--quiet")


@pytest.mark.parametrize(
    ("rate", "frames", "seconds"),
    [(("--factor", "2"), 20, Fraction(1001, 48000)), (("--factor", "5/2"), 25, Fraction(1001, 60000)),
     (("--fps", "59.94"), 25, Fraction(1001, 60000)), (("--fps", "60"), 25, Fraction(1, 60))],
)  # fmt: skip
def test_convert_gives_the_frames_and_times_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rate: tuple[str, str], frames: int, seconds: Fraction
) -> None:
    source, output = make_video(tmp_path / "in.mp4", frames=10), tmp_path / "out.mp4"
    assert convert(source, output, *rate, "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["output"], summary["frames"]) == (str(output), frames)
    assert time_stamps(output) == [n * seconds for n in range(frames)]


def test_the_frames_told_are_the_files_where_ffmpeg_is_asked_for_fewer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, output = make_video(tmp_path / "in.mp4", frames=10), tmp_path / "out.mp4"
    assert convert(source, output, "--factor", "2", "--encoder-args", "-frames:v 4", "--json") == 0
    assert json.loads(capsys.readouterr().out)["frames"] == len(time_stamps(output)) == 4


def test_convert_divides_variable_durations_exactly(tmp_path: Path) -> None:
    source, output = make_variable(tmp_path / "in.mp4"), tmp_path / "out.mp4"
    before = time_stamps(source)
    assert convert(source, output, "--factor", "3") == 0
    after = time_stamps(output)
    assert after[::3] == before
    assert after[1:-3:3] == [first + (second - first) / 3 for first, second in itertools.pairwise(before)]


def test_a_rate_that_varies_only_later_is_followed(tmp_path: Path) -> None:
    """Of 4.8 s the first 4 s show every frame of 30 a second, the rest every third: nothing may be shown too soon."""
    source, output = tmp_path / "in.mp4", tmp_path / "out.mp4"
    ffmpeg("-f", "lavfi", "-i", "color=s=32x32:r=30:d=4.8", "-vf", "select='lt(n,120)+not(mod(n,3))'",
           *keep_time_stamps(find_ffmpeg()), "-c:v", "libx264", "-pix_fmt", "yuv420p", source)  # fmt: skip
    assert convert(source, output, "--fps", "60") == 0
    shown = time_stamps(source)[-1]
    assert Fraction(47, 10) <= shown <= time_stamps(output)[-1] <= shown + Fraction(1, 10)
    assert time_stamps(output) == [Fraction(n, 60) for n in range(len(time_stamps(output)))]


@pytest.mark.parametrize(("grain", "limit"), [(0, ()), (30, ("--repeat-limit", "0.025"))])
def test_a_film_on_twos_is_interpolated_from_drawing_to_drawing(
    tmp_path: Path, grain: int, limit: tuple[str, ...]
) -> None:
    """12 drawings a second, each shown twice: twice as many frames are one every 24th of a second, not every 48th."""
    source, output = tmp_path / "in.mkv", tmp_path / "out.mp4"
    ffmpeg("-f", "lavfi", "-i", f"testsrc2=s=96x64:r=12:d=1,fps=24,noise=c0s={grain}:c0f=t", "-c:v", "ffv1", source)
    assert convert(source, output, "--factor", "2", "--drop-repeats", *limit) == 0
    assert time_stamps(output) == [Fraction(n, 24) for n in range(24)]
    assert limit == () or convert(source, output, "--factor", "2", "--drop-repeats", "--overwrite") == 0
    assert limit == () or len(time_stamps(output)) > 24, "the default limit takes this grain for drawings"


def test_convert_interpolates_and_upscales_in_one_pass(tmp_path: Path) -> None:
    """Frames and time stamps are those of interpolation alone, the picture is twice as wide and as high."""
    source = make_variable(tmp_path / "in.mkv")
    both, plain, large = (tmp_path / name for name in ("both.mkv", "plain.mkv", "large.mkv"))
    assert convert(source, plain, "--factor", "2") == 0
    assert convert(source, both, "--factor", "2", "--scale", "2", "--tile", "64") == 0
    assert run("convert", source, large, "--scale", "3", "--scale-model", "fsrcnn-x3", "--quiet") == 0
    assert time_stamps(both) == time_stamps(plain)
    assert time_stamps(large) == time_stamps(source)
    for path, size in ((both, (192, 128)), (large, (288, 192))):
        with av.open(str(path)) as container:
            assert (container.streams.video[0].width, container.streams.video[0].height) == size


@pytest.mark.parametrize(
    ("number", "code", "presses"), [(signal.SIGINT, 130, 1), (signal.SIGINT, 130, 4), (signal.SIGTERM, 143, 2)]
)
@pytest.mark.slow
def test_an_interrupted_conversion_leaves_nothing(
    tmp_path: Path, number: signal.Signals, code: int, presses: int
) -> None:
    """Any number of signals: one line at once, the exit code within seconds, no crash, no file, no encoder left."""
    source, output = make_video(tmp_path / "in.mp4", frames=400, size="640x360"), tmp_path / "out.mkv"
    with rendering(source, output) as process:
        encoders = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        start = time.monotonic()
        for _ in range(presses):
            process.send_signal(number)
            time.sleep(0.05)
        _, told = process.communicate(timeout=60)
    assert process.returncode == code
    assert time.monotonic() - start < 5
    assert "stopping …" in told and told.endswith("interrupted, nothing was written\n")
    assert "Traceback" not in told
    assert names(tmp_path) == ["in.mp4"]
    assert not any(Path(f"/proc/{encoder}/exe").exists() for encoder in encoders)


@pytest.mark.slow
def test_what_a_killed_conversion_leaves_is_removed_by_the_next(tmp_path: Path) -> None:
    """And not what another that still runs is writing."""
    source, output = make_video(tmp_path / "in.mp4", frames=400, size="640x360"), tmp_path / "out.mkv"
    with rendering(source, output) as process:
        (running,) = tmp_path.glob(".*.partial.mkv")
        with finished_as(output, overwrite=False) as mine:
            assert names(tmp_path) == sorted([running.name, mine.name, "in.mp4"])
        output.unlink()
        process.kill()
    assert names(tmp_path) == [running.name, "in.mp4"]
    with finished_as(output, overwrite=False) as mine:
        assert names(tmp_path) == [mine.name, "in.mp4"]


@contextmanager
def rendering(source: Path, output: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a conversion in a process of its own, and hand it out when its file is being written."""
    command = [*COMMAND, "convert", source, output, "--interpolate", "super-slomo", "--factor", "4"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        _wait_for(lambda: any(output.parent.glob(".*.partial.mkv")))
        yield process


def _wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
