"""Metrics: against torchmetrics, and against what can be said in closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from vs_interp.errors import ArgumentError
from vs_interp.metrics import interpolation_error, luma, mse, psnr, ssim

METRICS = (mse, psnr, ssim, interpolation_error)


def pair(*shape: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return a made picture and its truth: waves, and the same with noise."""
    random = np.random.default_rng(1)
    y, x = np.mgrid[: shape[0], : shape[1]]
    waves = 128 + 60 * np.sin(x / 5 + y / 9) + 40 * np.cos(y / 4)
    truth = waves[:, :, None] * (1, 0.9, 0.8) if len(shape) == 3 else waves
    made = truth + random.normal(0, 12, truth.shape)
    return np.clip(made, 0, 255).astype(np.uint8), np.clip(truth, 0, 255).astype(np.uint8)


def as_tensor(picture: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(np.atleast_3d(picture)).permute(2, 0, 1)[None].double()


@pytest.mark.parametrize("shape", [(40, 56, 3), (33, 29)])
def test_psnr_and_ssim_are_those_of_torchmetrics(shape: tuple[int, ...]) -> None:
    """SSIM without the windows that reach over the edge, where torchmetrics mirrors the picture."""
    from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure  # is slow

    made, truth = pair(*shape)
    tensors = as_tensor(made), as_tensor(truth)
    assert psnr(made, truth) == pytest.approx(float(peak_signal_noise_ratio(*tensors, data_range=255.0)), rel=1e-6)
    _, similarity = structural_similarity_index_measure(*tensors, data_range=255.0, return_full_image=True)
    assert ssim(made, truth) == pytest.approx(float(similarity[..., 5:-5, 5:-5].mean()), abs=1e-9)


def test_a_difference_of_ten_codes_in_each_channel() -> None:
    truth = np.full((16, 16, 3), 100, np.uint8)
    made = truth + np.uint8(10)
    assert mse(made, truth) == pytest.approx(100)
    assert psnr(made, truth) == pytest.approx(20 * math.log10(25.5))
    assert ssim(made, truth) == pytest.approx((2 * 110 * 100 + 2.55**2) / (110**2 + 100**2 + 2.55**2))


def test_the_interpolation_error_of_colours_is_the_length_of_the_difference() -> None:
    """3, 4 and 12 codes off at a quarter of the pixels: √(13² / 4).  In one channel alone, 12 codes: √(12² / 4)."""
    truth = np.full((12, 12, 3), 50, np.uint8)
    made = truth.copy()
    made[:6, :6] += np.array((3, 4, 12), np.uint8)
    assert interpolation_error(made, truth) == pytest.approx(6.5)
    assert interpolation_error(made[..., 2], truth[..., 2]) == pytest.approx(6)


@pytest.mark.parametrize("metric", METRICS)
def test_bytes_and_floats_mean_the_same_picture(metric) -> None:  # type: ignore[no-untyped-def]
    made, truth = pair(24, 24, 3)
    assert metric(made / 255, truth / 255.0) == pytest.approx(metric(made, truth), rel=1e-9)


def test_equal_pictures() -> None:
    truth = pair(24, 24, 3)[1]
    assert (mse(truth, truth), psnr(truth, truth), interpolation_error(truth, truth)) == (0, math.inf, 0)
    assert ssim(truth, truth) == pytest.approx(1, abs=1e-12)


def test_luma_has_the_codes_of_bt_601() -> None:
    """The primaries' luma codes in 8-bit limited range, from the standard's table of colour bars at full amplitude."""
    colours = {(255, 255, 255): 235, (0, 0, 0): 16, (255, 0, 0): 81, (0, 255, 0): 145, (0, 0, 255): 41}
    picture = np.array([list(colours)], np.uint8)
    assert np.round(luma(picture) * 255).astype(int).tolist() == [list(colours.values())]
    assert luma(np.array([[0.0, 1.0]])) * 255 == pytest.approx(np.array([[16, 235]]))


@pytest.mark.parametrize("metric", METRICS)
def test_pictures_of_different_sizes_are_refused(metric) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ArgumentError, match=r"12x12x3 and 12x13x3 cannot be compared"):
        metric(np.zeros((12, 12, 3), np.uint8), np.zeros((12, 13, 3), np.uint8))


def test_ssim_of_a_picture_below_its_window_is_refused() -> None:
    with pytest.raises(ArgumentError, match="needs pictures of 11x11 and more, not 10x64"):
        ssim(np.zeros((10, 64)), np.zeros((10, 64)))
