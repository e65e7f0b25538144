"""Shards: what is written is what the video holds; damage is found and named, and a run that fails leaves nothing."""

from __future__ import annotations

import json
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tests.short_film import HEIGHT, RUNS, WIDTH, film_frames, picture, write_video
from vs_interp.datasets import shards
from vs_interp.datasets.readers import open_footage
from vs_interp.datasets.shards import Shards, make_shards
from vs_interp.datasets.video import Video
from vs_interp.datasets.windows import cut_windows
from vs_interp.errors import DatasetError
from vs_interp.spec import NetworkSpec


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("film") / "film.mkv", film_frames())


@pytest.fixture
def folder(tmp_path: Path, film: Path) -> Path:
    make_shards([Video(film)], tmp_path / "shards")
    return tmp_path / "shards"


def test_shards_hold_the_very_planes_of_the_video(folder: Path) -> None:
    data, frames = Shards(folder), film_frames()
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


def test_each_video_has_shards_of_its_own_and_full_ones_are_followed_by_others(
    tmp_path: Path, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "SHARD", 8 * HEIGHT * WIDTH * 3 // 2)
    index = make_shards([Video(film), Video(film, height=24)], tmp_path / "shards")
    assert index.frames == [10, 5, 15]
    data = Shards(tmp_path / "shards")
    assert data.lengths == tuple(RUNS.values()) * 2
    assert [data.frame_size(sequence) for sequence in range(6)] == [(WIDTH, HEIGHT)] * 3 + [(32, 24)] * 3
    assert list(data.check()) == [None] * 30
    np.testing.assert_array_equal(data.planes(2)[0], picture(2, 0))
    assert data.name(0) == data.name(3) and data.origin(0) != data.origin(3), "files of one name are told apart"


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
        ('"index"', '"content"', "is not an index of shards"),
        ("{", "", "is not an index of shards"),
        ("{", "[", "is not an index of shards"),
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
    with pytest.raises(DatasetError, match="is not an index of shards"):
        Shards(folder)


def test_what_is_there_is_not_overwritten(folder: Path, film: Path) -> None:
    before = sorted(path.read_bytes() for path in folder.iterdir())
    with pytest.raises(DatasetError, match=r"shards exists: remove it"):
        make_shards([Video(film)], folder)
    assert sorted(path.read_bytes() for path in folder.iterdir()) == before


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
        "from vs_interp.datasets.shards import make_shards\nfrom vs_interp.datasets.video import Video\n"
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
