"""Shrinking reads few pixels, and warping can leave out the others."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from vs_interp.networks.resizing import enlarged, shrunk
from vs_interp.networks.warp import Warp

FACTORS = [1, 2, 4, 8, 16]


def noise(*size: int) -> torch.Tensor:
    return torch.rand(size, generator=torch.Generator().manual_seed(7), dtype=torch.float64)


@pytest.mark.parametrize("factor", FACTORS)
def test_shrinking_is_bilinear_interpolation_without_a_filter(factor: int) -> None:
    picture = noise(2, 3, 32, 64)
    wanted = functional.interpolate(picture, scale_factor=1 / factor, mode="bilinear", align_corners=False)
    assert torch.allclose(shrunk(picture, factor), wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("factor", FACTORS[:-1])
@pytest.mark.parametrize("more", [2, 4])
def test_enlarging_and_shrinking_again_is_enlarging_less(factor: int, more: int) -> None:
    """What RIFE relies on: a block's features are not enlarged to the size of the frames for the next block."""
    picture = noise(1, 9, 5, 7)
    assert torch.allclose(shrunk(enlarged(picture, factor * more), factor), enlarged(picture, more), rtol=0, atol=1e-12)


@pytest.mark.parametrize("factor", FACTORS)
def test_a_warp_that_shrinks_is_a_warp_and_then_shrinking(factor: int) -> None:
    """Flows of up to 20 pixels, beyond every edge."""
    picture, flow = noise(1, 7, 32, 64).float(), (40 * noise(1, 2, 32, 64) - 20).float()
    warp = Warp(align_corners=True, padding="border", exact=True)
    assert torch.allclose(warp(picture, flow, factor), shrunk(warp(picture, flow), factor), rtol=0, atol=1e-6)
