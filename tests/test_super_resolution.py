"""Training of FSRCNN: what it begins with, what it is fed, how it is measured, and that a run ends in a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from vs_interp.checkpoint import load_checkpoint
from vs_interp.errors import DatasetError
from vs_interp.networks.fsrcnn import Fsrcnn, FsrcnnConfig
from vs_interp.training.super_resolution import Patches, evaluate, initialised, pair, psnr, read_luma, train
from vs_interp.weights import catalogue

from .support import SHARED, needs_shared


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
    network = initialised(FsrcnnConfig(scale=scale)).eval()
    torch.nn.init.zeros_(network.enlarge.bias)  # type: ignore[arg-type]
    with torch.no_grad():
        network.enlarge.weight[1:] = 0
        frame = torch.rand(1, 1, 9, 12)
        made = network(frame)
    wanted = torch.nn.functional.interpolate(frame, scale_factor=scale, mode="bilinear")
    inner = slice(scale, -scale)
    assert made.shape == wanted.shape
    assert (made - wanted)[..., inner, inner].abs().max() < 1e-5


def test_patches_show_the_same_place_the_same_way_round(photos: Path) -> None:
    """The mean over each scale×scale block of the large patch is nearly the pixel of the small one."""
    patches = Patches(photos, 4, 12, [1.0, 0.75], seed=3)
    assert len(patches.pairs) == 4, "the third picture is smaller than a patch"
    small, large = patches.draw(8)
    assert (small.shape, large.shape) == ((8, 1, 12, 12), (8, 1, 48, 48))
    assert (torch.nn.functional.avg_pool2d(large, 4) - small).abs().max() < 0.04
    again, _ = Patches(photos, 4, 12, [1.0, 0.75], seed=3).draw(8)
    assert torch.equal(again, small)


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
        Patches(tmp_path, 2, 8, [1.0], seed=1)


def test_a_short_run_leaves_a_checkpoint_that_says_how_it_was_made(photos: Path, tmp_path: Path) -> None:
    recipe: dict[str, Any] = {
        "network": {"scale": 2, "features": 8, "shrunk": 4, "mappings": 1},
        "data": {"photos": str(photos), "shrinks": [1.0], "side": 16, "batch": 2},
        "training": {"seed": 1, "threads": 1, "steps": 3, "exact_from": 2, "learning_rate": 1e-4}
        | {"average": 0.5, "clip": 1.0},
    }
    train(recipe, tmp_path / "run")
    network = load_checkpoint(tmp_path / "run" / "fsrcnn.safetensors")
    assert isinstance(network, Fsrcnn)
    assert network.config.features == 8
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["fsrcnn.safetensors"]
    scores = evaluate(network, photos)
    assert scores["network"] > 20


@needs_shared
@pytest.mark.parametrize(("scale", "gain"), [(2, 1.2), (3, 0.7), (4, 0.5)])
def test_the_bundled_weights_are_better_than_bicubic(scale: int, gain: float) -> None:
    """Four pictures of the test set, by the model file that filters take; the records are in the catalogue."""
    from trt_build.backends.openvino import OpenVINO
    from trt_build.model_file import ModelFile
    from trt_build.profile import Profile
    from vs_interp.training.super_resolution import resize

    model = ModelFile.load(catalogue()[f"fsrcnn-x{scale}"].model_file)
    gains = []
    for number in (1, 5, 13, 20):
        small, large = pair(read_luma(SHARED / "data" / "kodak" / f"{number}.png"), scale)
        profile = Profile(width=small.shape[1], height=small.shape[0])
        made = np.empty_like(large)
        OpenVINO(slots=1).open(model, profile)[0].run([[small]], [0], [0.0], [[made]])
        bicubic = resize(small, large.shape[1], large.shape[0])
        gains.append(psnr(made.clip(0, 1), large) - psnr(bicubic, large))
    assert np.mean(gains) > gain
