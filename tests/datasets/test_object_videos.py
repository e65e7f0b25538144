"""The student project's data set of objects: its layout, its broken videos, and labels that are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vs_interp.datasets.readers import open_footage
from vs_interp.datasets.windows import cut_windows
from vs_interp.errors import DatasetError
from vs_interp.networks.simvp import Simvp, SimvpConfig
from vs_interp.networks.unet49 import Unet49, Unet49Config

FRAMES, HEIGHT, WIDTH = 12, 32, 48


def video(folder: Path, number: int, *, masks: int | None = FRAMES, largest: int = 48) -> Path:
    """Write a video whose frame n is of grey 10 + n, and whose mask is n everywhere but for one pixel."""
    path = folder / f"video_{number:05}"
    path.mkdir(parents=True)
    for n in range(FRAMES):
        Image.new("RGB", (WIDTH, HEIGHT), (10 + n,) * 3).save(path / f"image_{n}.png")
    if masks is not None:
        labels = np.repeat(np.arange(masks, dtype=np.uint8), HEIGHT * WIDTH).reshape(masks, HEIGHT, WIDTH)
        labels[:, 0, 0] = largest
        np.save(path / "mask.npy", labels)
    return path


def test_frames_are_in_the_order_of_their_numbers_and_masks_beside_them(tmp_path: Path) -> None:
    for part, number in (("train", 0), ("train", 1), ("val", 1000)):
        video(tmp_path / part, number)
    footage = open_footage(f"object-videos:{tmp_path}", "train")
    assert [footage.name(sequence) for sequence in range(2)] == ["video_00000", "video_00001"]
    assert footage.frames(0, range(FRAMES))[:, 5, 5, 0].tolist() == [10 + n for n in range(FRAMES)]
    assert open_footage(f"object-videos:{tmp_path}", "test").name(0) == "video_01000"
    pair = footage.window(Unet49(Unet49Config(width=2)).spec, 1, [11, 11], (0, 0, HEIGHT, WIDTH))
    assert pair[:, 5, 5, 0].tolist() == [21, 11] and pair[1, 0, 0, 0] == 48
    labels = open_footage(f"object-masks:{tmp_path}", "train")
    spec = Simvp(SimvpConfig(frames=6, channels=14, labels=True, width=2, inner=4, layers=2)).spec
    assert len(cut_windows(labels, spec)) == 2
    assert labels.frames(0, [3], (4, 8, 16, 16)).max() == 3


def test_broken_videos_are_passed_over_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    video(tmp_path / "val", 1)
    video(tmp_path / "val", 1370, masks=FRAMES - 1)
    video(tmp_path / "val", 2, masks=None)
    (video(tmp_path / "val", 3) / "mask.npy").write_bytes(b"\x93NUMPY")
    np.save(video(tmp_path / "val", 4) / "mask.npy", np.array([{}], object))
    footage = open_footage(f"object-videos:{tmp_path}", "validation")
    said = capsys.readouterr().err
    assert footage.lengths == (FRAMES,) and footage.name(0) == "video_00001"
    assert "video_01370: mask.npy has 11 masks for 12 pictures" in said
    assert said.count("mask.npy is missing or damaged") == 3


def test_parts_without_masks_are_pictures_alone(tmp_path: Path) -> None:
    video(tmp_path / "unlabeled", 7, masks=None)
    footage = open_footage(f"object-videos:{tmp_path / 'unlabeled'}")
    assert footage.labels is None and footage.lengths == (FRAMES,)
    with pytest.raises(DatasetError, match=r"has no mask\.npy"):
        open_footage(f"object-masks:{tmp_path / 'unlabeled'}")
    with pytest.raises(DatasetError, match="train is not a folder"):
        open_footage(f"object-videos:{tmp_path}")


def test_labels_beyond_the_classes_are_refused(tmp_path: Path) -> None:
    video(tmp_path / "train", 0, largest=52)
    with pytest.raises(DatasetError, match="has the label 52, but classes are 0 to 48"):
        open_footage(f"object-masks:{tmp_path}").frames(0, [2])
