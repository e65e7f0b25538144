"""Shards: what is written is what the video holds, cuts and still frames apart; damage is found and named."""

from __future__ import annotations

import json
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
import vapoursynth as vs
from numpy.typing import NDArray
from PIL import Image

from vs_interp.errors import DatasetError
from vs_interp.spec import NetworkSpec
from vs_interp.training import shards
from vs_interp.training.footage import open_footage
from vs_interp.training.planar import FrameFormat, to_rgb
from vs_interp.training.shards import Shards, make_shards
from vs_interp.training.video import Video, VideoFootage
from vs_interp.training.windows import cut_windows

from .video import ffmpeg, make_variable, time_stamps

HEIGHT, WIDTH = 48, 64
RUNS = {0: 6, 6: 4, 12: 5}
"""First frame and length of the runs in :func:`film`."""


def picture(scene: int, moment: int) -> NDArray[np.uint8]:
    """Return the planes of waves that move by two pixels a moment; scenes differ in brightness and in colour."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    luma = 90 + 100 * (scene % 2) + 30 * np.sin((columns + 2 * moment) / 6 + rows / 9)
    chroma = np.full((2, HEIGHT // 2, WIDTH // 2), 110 + 40 * (scene % 2)) + np.arange(WIDTH // 2) / 4
    return np.concatenate((luma.ravel(), chroma.ravel())).astype(np.uint8)


def write_video(path: Path, frames: Sequence[NDArray[np.uint8]], *arguments: str) -> Path:
    """Write planes without loss."""
    raw = path.with_suffix(".raw")
    raw.write_bytes(b"".join(frame.tobytes() for frame in frames))
    ffmpeg("-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{WIDTH}x{HEIGHT}", "-r", "24", "-i", raw,
           "-c:v", "ffv1", *arguments, path)  # fmt: skip
    raw.unlink()
    return path


@pytest.fixture(scope="module")
def frames() -> list[NDArray[np.uint8]]:
    """Six frames that move, the last of them again and three that move on, a cut, two alone, a cut, five that move."""
    first = [(0, moment) for moment in (0, 1, 2, 3, 4, 5, 5, 6, 7, 8)]
    return [picture(*moment) for moment in [*first, (1, 0), (1, 1), *((2, moment) for moment in range(5))]]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory, frames: list[NDArray[np.uint8]]) -> Path:
    return write_video(tmp_path_factory.mktemp("film") / "film.mkv", frames)


@pytest.fixture
def folder(tmp_path: Path, film: Path) -> Path:
    make_shards([Video(film)], tmp_path / "shards")
    return tmp_path / "shards"


def test_runs_end_at_cuts_and_still_frames(film: Path) -> None:
    video = Video(film)
    kept = list(video.frames())
    begins = [frame.number for frame in kept if frame.difference is None]
    assert [frame.number for frame in kept] == [
        number for begin in RUNS for number in range(begin, begin + RUNS[begin])
    ]
    assert begins == list(RUNS)
    tally = video.tally
    assert (tally.frames, tally.kept, tally.cuts, tally.stills, tally.damaged, tally.uneven) == (17, 15, 2, 1, 0, 0)


def test_shards_hold_the_very_planes_of_the_video(folder: Path, frames: list[NDArray[np.uint8]]) -> None:
    data = Shards(folder)
    assert data.lengths == tuple(RUNS.values())
    assert [data.name(sequence) for sequence in range(3)] == [f"film.mkv, from frame {begin}" for begin in RUNS]
    for sequence, (begin, length) in enumerate(RUNS.items()):
        np.testing.assert_array_equal(data.planes(sequence), frames[begin : begin + length])
    assert list(data.check()) == [None] * 15
    assert sorted(path.name for path in folder.iterdir()) == ["00000.yuv", "index.json"]


def test_differences_are_those_of_rgb(folder: Path) -> None:
    """The mean absolute difference of RGB; taken of a sixteenth of the pixels, it differs a little."""
    data = Shards(folder)
    for sequence, length in enumerate(data.lengths):
        rgb = data.frames(sequence, range(length)).astype(np.float64)
        assert data.differences(sequence) == pytest.approx(np.abs(np.diff(rgb, axis=0)).mean((1, 2, 3)), rel=0.1)


def test_windows_of_shards_are_those_of_the_film(folder: Path) -> None:
    """What is left out of shards holds no window: they have as many as the frames' differences allow."""
    found = [(window.sequence, window.inputs) for window in cut_windows(Shards(folder), NetworkSpec(name="any"))]
    assert found == [(0, (0, 2)), (0, (1, 3)), (0, (2, 4)), (0, (3, 5)), (1, (0, 2)), (1, (1, 3)),
                     (2, (0, 2)), (2, (1, 3)), (2, (2, 4))]  # fmt: skip


def test_a_short_video_in_memory_equals_its_shards(folder: Path, film: Path) -> None:
    data, memory = Shards(folder), open_footage(f"video:{film}")
    assert (memory.lengths, memory.name(1)) == (data.lengths, data.name(1))
    for sequence in range(3):
        np.testing.assert_array_equal(memory.frames(sequence, [2, 0]), data.frames(sequence, [2, 0]))
        np.testing.assert_array_equal(memory.differences(sequence), data.differences(sequence))


def test_a_video_too_long_for_memory_is_refused(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vs_interp.training.video.MEMORY", 10 * HEIGHT * WIDTH * 3 // 2)
    with pytest.raises(DatasetError, match=r"more than 10 frames, .*vs-interp dataset make .*film.mkv -o DIR"):
        VideoFootage(film)


@pytest.mark.parametrize("matrix", ["bt601", "bt709", "bt2020"])
@pytest.mark.parametrize("full", [False, True])
def test_crops_are_converted_as_zimg_does(matrix: str, full: bool) -> None:
    """Any box, on odd and even lines, against zimg's linear interpolation of the whole frame."""
    height, width = 18, 34
    planes = np.random.default_rng(0).integers(0, 256, (2, height * width * 3 // 2), np.uint8)
    blank = vs.core.std.BlankClip(format=vs.YUV420P8, width=width, height=height, length=1)
    codes = {"bt601": vs.MATRIX_ST170_M, "bt709": vs.MATRIX_BT709, "bt2020": vs.MATRIX_BT2020_NCL}

    def fill(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        filled = f.copy()
        begin = 0
        for plane in range(3):
            target = np.asarray(filled[plane])
            target[:] = planes[1, begin : begin + target.size].reshape(target.shape)
            begin += target.size
        filled.props.update(_Matrix=codes[matrix], _Range=int(full), _ChromaLocation=0)
        return filled

    clip = vs.core.std.ModifyFrame(blank, blank, fill)
    with vs.core.resize.Bilinear(clip, format=vs.RGB24).get_frame(0) as frame:
        expected = np.stack([np.asarray(frame[plane]) for plane in range(3)], -1)
    frame_format = FrameFormat(height, width, matrix, full)
    for box in ((0, 0, height, width), (3, 5, 7, 11), (4, 6, 1, 1), (11, 0, 7, 34)):
        top, left, rows, columns = box
        made = to_rgb(planes, frame_format, [1, 0], box)[0]
        wanted = expected[top : top + rows, left : left + columns]
        assert np.abs(made.astype(int) - wanted).max() <= 1


def test_tall_frames_are_shrunk_and_small_ones_kept(film: Path) -> None:
    assert Video(film, height=24).frame_format == FrameFormat(24, 32, "bt601", False)
    assert Video(film, height=720).frame_format == FrameFormat(HEIGHT, WIDTH, "bt601", False)
    planes = next(Video(film, height=24).frames()).planes
    luma = picture(0, 0)[: HEIGHT * WIDTH].reshape(24, 2, 32, 2).mean((1, 3))
    assert np.abs(planes[: 24 * 32].reshape(24, 32) - luma).mean() < 1


@pytest.mark.parametrize(
    ("pixels", "arguments", "frame_format"),
    [
        ("yuv422p10le", (), FrameFormat(HEIGHT, WIDTH, "bt601", False)),
        ("yuv444p", ("-colorspace", "bt709"), FrameFormat(HEIGHT, WIDTH, "bt709", False)),
        ("yuv420p", ("-color_range", "pc", "-colorspace", "bt2020nc"), FrameFormat(HEIGHT, WIDTH, "bt2020", True)),
        ("bgr0", (), FrameFormat(HEIGHT, WIDTH, "bt601", True)),
    ],
)
def test_any_format_becomes_eight_bit_planes(
    tmp_path: Path, frames: list[NDArray[np.uint8]], pixels: str, arguments: tuple[str, ...], frame_format: FrameFormat
) -> None:
    path = write_video(tmp_path / "film.mkv", frames[:4], "-pix_fmt", pixels, *arguments)
    data = open_footage(f"video:{path}")
    assert isinstance(data, VideoFootage)
    assert data.sequences[0].frame_format == frame_format
    shown = tmp_path / "shown.png"
    ffmpeg("-i", path, "-frames:v", "1", "-vf", "scale=flags=bilinear+full_chroma_int+accurate_rnd", shown)
    expected = np.asarray(Image.open(shown).convert("RGB")).astype(int)
    assert np.abs(data.frames(0, [0])[0] - expected).mean() < 2


def test_uneven_steps_in_time_end_a_run(tmp_path: Path) -> None:
    """Frames last 60, 40, 20, 60, 20, 40 and 60 ms, again and again: only 60 and 60, 60 and 40 are near enough."""
    path = make_variable(tmp_path / "variable.mp4")
    steps = [after - before for before, after in pairwise(time_stamps(path))]
    assert steps[:7] == [Fraction(step, 1000) for step in (60, 40, 20, 60, 20, 40, 60)]
    video = Video(path)
    assert _runs(video) == [(0, 3), (6, 4), (13, 4), (20, 3)]
    assert video.tally.uneven == 12


def _runs(video: Video) -> list[tuple[int, int]]:
    numbers = [(frame.number, frame.difference is None) for frame in video.frames()]
    begins = [place for place, (_, first) in enumerate(numbers) if first]
    return [(numbers[begin][0], end - begin) for begin, end in zip(begins, [*begins[1:], len(numbers)], strict=True)]


def test_damaged_frames_end_a_run_and_are_counted(tmp_path: Path) -> None:
    """What follows up to the next key frame is predicted from the damaged frame, and is left out with it."""
    coded = ("-c:v", "libx264", "-qp", "10", "-g", "6", "-bf", "0", "-sc_threshold", "0")
    path = write_video(tmp_path / "film.mp4", [picture(0, moment) for moment in range(18)], *coded)
    with av.open(str(path)) as container:
        packet = list(container.demux(video=0))[8]
    content = bytearray(path.read_bytes())
    begin = packet.pos + packet.size // 2
    content[begin : packet.pos + packet.size] = bytes(packet.size - packet.size // 2)
    path.write_bytes(content)
    video = Video(path)
    assert _runs(video) == [(0, 8), (12, 6)]
    assert (video.tally.frames, video.tally.damaged) == (18, 4)


def test_each_video_has_shards_of_its_own_and_full_ones_are_followed_by_others(
    tmp_path: Path, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "SHARD", 8 * HEIGHT * WIDTH * 3 // 2)
    index = make_shards([Video(film), Video(film, height=24)], tmp_path / "shards")
    assert index.frames == [10, 5, 15]
    data = Shards(tmp_path / "shards")
    assert data.lengths == tuple(RUNS.values()) * 2
    assert [data.size(sequence) for sequence in range(6)] == [(HEIGHT, WIDTH)] * 3 + [(24, 32)] * 3
    assert list(data.check()) == [None] * 30
    np.testing.assert_array_equal(data.planes(2)[0], picture(2, 0))


def _mean(data: Shards, window: tuple[int, int]) -> float:
    sequence, number = window
    return float(data.frames(sequence, [number], (2, 4, 16, 16)).mean())


def test_workers_read_the_same_frames_in_any_order(folder: Path) -> None:
    data = Shards(folder)
    places = [(sequence, number) for sequence, length in enumerate(data.lengths) for number in range(length)]
    np.random.default_rng(0).shuffle(places)
    here = [_mean(data, place) for place in places]
    assert len(pickle.dumps(data)) < 1000, "a worker is told the folder, not the frames"
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as workers:
        assert list(workers.map(_mean, [data] * len(places), places)) == here


def test_shards_cut_short_or_lost_are_named(folder: Path) -> None:
    shard = folder / "00000.yuv"
    size = shard.stat().st_size
    os.truncate(shard, size - 1)
    with pytest.raises(DatasetError, match=rf"00000.yuv has {size - 1} bytes where {size} were expected"):
        Shards(folder)
    shard.unlink()
    with pytest.raises(DatasetError, match=r"00000.yuv is missing"):
        Shards(folder)


def test_a_flipped_byte_is_found_and_its_frame_named(folder: Path) -> None:
    shard = folder / "00000.yuv"
    content = bytearray(shard.read_bytes())
    content[8 * HEIGHT * WIDTH * 3 // 2 + 100] ^= 1
    shard.write_bytes(content)
    problems = list(Shards(folder).check())
    assert [place for place, problem in enumerate(problems) if problem] == [8]
    assert "00000.yuv, frame 8 (film.mkv, from frame 6, + 2): its CRC-32 differs" in str(problems[8])


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ('"first": 6', '"first": 7', "is damaged, its SHA-256 differs"),
        ('"version": 1', '"version": 2', "another version of vs-interp"),
        ('"runs"', '"sequences"', "is damaged"),
        ('"index"', '"content"', "is no index of shards"),
        ("{", "", "is no index of shards"),
        ("{", "[", "is no index of shards"),
    ],
)
def test_a_damaged_index_is_refused(folder: Path, before: str, after: str, told: str) -> None:
    path = folder / "index.json"
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))
    with pytest.raises(DatasetError, match=told):
        Shards(folder)
    path.write_text(json.dumps([1]))
    with pytest.raises(DatasetError, match="is no index of shards"):
        Shards(folder)


def test_what_is_there_is_not_overwritten(folder: Path, film: Path) -> None:
    before = sorted(path.read_bytes() for path in folder.iterdir())
    with pytest.raises(DatasetError, match=r"shards exists: remove it"):
        make_shards([Video(film)], folder)
    assert sorted(path.read_bytes() for path in folder.iterdir()) == before


def test_videos_without_motion_leave_nothing(tmp_path: Path) -> None:
    path = write_video(tmp_path / "still.mkv", [picture(0, 0)] * 5)
    with pytest.raises(DatasetError, match=r"no 3 consecutive frames of \S+still.mkv move"):
        make_shards([Video(path)], tmp_path / "shards")
    with pytest.raises(DatasetError, match=r"no 3 consecutive frames that move"):
        VideoFootage(path)
    assert [path.name for path in tmp_path.iterdir()] == ["still.mkv"]


def test_an_interrupted_run_leaves_nothing(tmp_path: Path, film: Path) -> None:
    def interrupt(count: int) -> None:
        assert any(path.name.startswith(".shards.") for path in tmp_path.iterdir())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_shards([Video(film)], tmp_path / "shards", interrupt)
    assert list(tmp_path.iterdir()) == []


def _make_and(what: str, film: Path, output: Path) -> subprocess.CompletedProcess[str]:
    code = (
        "import os, resource, signal, sys\nfrom pathlib import Path\n"
        "from vs_interp.training.shards import make_shards\nfrom vs_interp.training.video import Video\n"
        f"make_shards([Video(Path(sys.argv[1]))], Path(sys.argv[2]), lambda count: {what})"
    )
    return subprocess.run(
        [sys.executable, "-c", code, str(film), str(output)], capture_output=True, text=True, check=False
    )


def test_a_killed_run_leaves_no_data_set_under_the_name(tmp_path: Path, film: Path) -> None:
    killed = _make_and("os.kill(os.getpid(), signal.SIGKILL)", film, tmp_path / "shards")
    assert killed.returncode == -signal.SIGKILL
    assert [path.name.startswith(".shards.") for path in tmp_path.iterdir()] == [True]


def test_a_full_disk_is_told_and_nothing_kept(tmp_path: Path, film: Path) -> None:
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))"
    failed = _make_and(limit, film, tmp_path / "shards")
    assert failed.stderr.splitlines()[-1].endswith("cannot be written (File too large), and nothing of it was kept")
    assert list(tmp_path.iterdir()) == []
