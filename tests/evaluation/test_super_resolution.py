"""FSRCNN: what its training begins with, how it is measured, and what the bundled weights reach."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.reference import vectors
from vs_interp.errors import DatasetError
from vs_interp.networks.fsrcnn import Fsrcnn, FsrcnnConfig
from vs_interp.training.super_resolution import evaluate, pair, psnr, read_luma
from vs_interp.weights.catalogue import catalogue


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two smooth pictures, so that small and large patches can be compared, and one that is too small."""
    folder = tmp_path / "photos"
    folder.mkdir()
    y, x = np.mgrid[:96, :128]
    for index, (width, height) in enumerate([(128, 96), (96, 80), (20, 20)]):
        waves = np.stack([np.sin((x + c * y + index) / (9 + c)) for c in range(3)], -1) * 100 + 128
        Image.fromarray(waves.astype(np.uint8)[:height, :width]).save(folder / f"{index}.png")
    return folder


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_training_begins_at_linear_enlargement(scale: int) -> None:
    """The channel that carries the picture gives bilinear enlargement exactly; the others are silenced here."""
    torch.manual_seed(1)
    network = Fsrcnn(FsrcnnConfig(scale=scale)).eval()
    network.initialise()
    torch.nn.init.zeros_(network.enlarge.bias)  # type: ignore[arg-type]
    with torch.no_grad():
        network.enlarge.weight[1:] = 0
        frame = torch.rand(1, 1, 9, 12)
        made = network(frame)
    wanted = torch.nn.functional.interpolate(frame, scale_factor=scale, mode="bilinear")
    inner = slice(scale, -scale)
    assert made.shape == wanted.shape
    assert (made - wanted)[..., inner, inner].abs().max() < 1e-5


def test_psnr_is_that_of_the_definition() -> None:
    truth = np.zeros((10, 12), np.float32)
    made = truth + np.float32(0.1)
    made[:2], made[-2:], made[:, :2], made[:, -2:] = 1, 1, 1, 1
    assert abs(psnr(made, truth) - 20) < 1e-5, "the border does not count"


def test_shrinking_is_antialiased() -> None:
    """A checkerboard becomes grey; without a filter it would stay black and white."""
    board = (np.indices((32, 32)).sum(0) % 2).astype(np.float32)
    small, _ = pair(board, 2)
    assert np.abs(small[2:-2, 2:-2] - 0.5).max() < 0.01


def test_an_empty_folder_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"holds no pictures \(\.png, \.jpg\)"):
        evaluate(Fsrcnn(), tmp_path)


def test_scores_stand_beside_those_of_interpolation(photos: Path) -> None:
    """A network that enlarges linearly is as good as bicubic on pictures as smooth as these, within a decibel or so."""
    torch.manual_seed(1)
    network = Fsrcnn(FsrcnnConfig(scale=2)).eval()
    network.initialise()
    torch.nn.init.zeros_(network.enlarge.bias)  # type: ignore[arg-type]
    with torch.no_grad():
        network.enlarge.weight[1:] = 0
    scores = evaluate(network, photos)
    assert scores.keys() == {"network", "bicubic", "lanczos"}
    assert 30 < scores["network"] < scores["bicubic"]


@pytest.mark.parametrize(("scale", "gain"), [(2, 1.2), (3, 0.9), (4, 0.75)])
def test_the_bundled_weights_are_better_than_bicubic(tmp_path: Path, scale: int, gain: float) -> None:
    """Four real pictures that it never saw, by the model file that filters take; the catalogue has the records."""
    from trt_build.backends.openvino import OpenVINO
    from trt_build.model_file import ModelFile
    from trt_build.profile import Profile
    from vs_interp.training.super_resolution import resize

    model = ModelFile.load(catalogue()[f"fsrcnn-x{scale}"].model_file)
    gains = []
    for name, frame in (
        ("rife_4_6", "frame0"),
        ("raft_small", "frame0"),
        ("raft_small_published", "frame0"),
        ("unet49", "frame"),
    ):
        path = tmp_path / f"{name}.png"
        Image.fromarray(np.moveaxis(vectors(name)[frame], 0, -1)).save(path)
        small, large = pair(read_luma(path), scale)
        profile = Profile(width=small.shape[1], height=small.shape[0])
        made = np.empty_like(large)
        OpenVINO(streams=1).open(model, profile)[0].run([[small]], [0], [0.0], [[made]])
        bicubic = resize(small, large.shape[1], large.shape[0])
        gains.append(psnr(made.clip(0, 1), large) - psnr(bicubic, large))
    assert np.mean(gains) > gain
