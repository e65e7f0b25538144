"""FSRCNN: what its training begins with, and what the bundled weights reach."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.evaluating import evaluate
from tests.reference import vectors
from vs_interp.networks.fsrcnn import Fsrcnn, FsrcnnConfig


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


@pytest.mark.parametrize(("scale", "gain"), [(2, 1.2), (3, 0.9), (4, 0.75)])
def test_the_bundled_weights_are_better_than_bicubic(scale: int, gain: float, tmp_path: Path) -> None:
    """Four real pictures that it never saw, by the model file that filters take; the catalogue has the records."""
    for name, frame in (
        ("rife_4_6", "frame0"),
        ("raft_small", "frame0"),
        ("raft_small_published", "frame0"),
        ("unet49", "frame"),
    ):
        Image.fromarray(np.moveaxis(vectors(name)[frame], 0, -1)).save(tmp_path / f"{name}.png")
    means = evaluate(f"fsrcnn-x{scale}", tmp_path).figures["methods"]
    assert means[f"fsrcnn-x{scale}"]["mean"]["psnr_luma"] - means["bicubic"]["mean"]["psnr_luma"] > gain
