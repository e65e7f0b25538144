"""How far a made picture is from the true one, by the published definitions, in float64 and without PyTorch.

Pictures are height×width or height×width×3; unsigned bytes, or floats in [0, 1].  Both of a pair have one shape.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from .errors import ArgumentError
from .matrices import BT601

Picture = NDArray[Any]
Plane = NDArray[np.float64]

SMALLEST = 11
"""Height and width from which on SSIM is defined: the side of its window."""

_SIGMA = 1.5
_K1, _K2 = 0.01, 0.03


def mse(made: Picture, truth: Picture) -> float:
    """Return the mean squared difference over pixels and channels, in squared 8-bit code values."""
    return float(np.mean(_difference(made, truth) ** 2)) * 255**2


def psnr(made: Picture, truth: Picture) -> float:
    """Return the peak signal-to-noise ratio in decibels, peak 255; infinite for equal pictures."""
    return decibels(mse(made, truth) / 255**2)


def decibels(error: float) -> float:
    """Return the PSNR of a mean squared difference relative to the squared peak; infinite for none."""
    return -10 * math.log10(error) if error else math.inf


def interpolation_error(made: Picture, truth: Picture) -> float:
    """Return the interpolation error IE in 8-bit code values.

    The root of the mean over pixels of the squared difference, which for colours is the squared length of the vector
    of RGB differences: √3 times the root mean square over channels (Baker et al. 2011, "A Database and Evaluation
    Methodology for Optical Flow", IJCV 92).
    """
    channels = truth.shape[2] if truth.ndim == 3 else 1
    return math.sqrt(channels * mse(made, truth))


def ssim(made: Picture, truth: Picture) -> float:
    """Return the mean structural similarity, at most 1; of colours the mean over their channels.

    The window is an 11×11 Gaussian of σ 1.5 that lies wholly inside the picture, K1 = 0.01, K2 = 0.03 (Wang et al.
    2004, "Image Quality Assessment", IEEE TIP 13).  Raises :class:`ArgumentError` for pictures below 11×11.
    """
    _check(made, truth)
    if min(truth.shape[:2]) < SMALLEST:
        raise ArgumentError(f"SSIM needs pictures of {SMALLEST}x{SMALLEST} and more, not {_size(truth)}")
    pair = zip(_channels(made), _channels(truth), strict=True)
    return float(np.mean([_similarity(a, b) for a, b in pair]))


def luma(picture: Picture) -> Plane:
    """Return BT.601 luma in [16, 235] / 255, of RGB or of luma in the full range.

    8-bit video and the published tables of super-resolution hold luma in those 219 steps, which makes PSNR 1.3 dB
    higher than in 255 steps.
    """
    values = _values(picture)
    if values.ndim == 3:
        values = values @ np.array(BT601)
    scaled: Plane = (16 + 219 * values) / 255
    return scaled


def _values(picture: Picture) -> Plane:
    """Return a picture as floats in [0, 1]."""
    return picture / 255.0 if picture.dtype == np.uint8 else picture.astype(np.float64)


def _difference(made: Picture, truth: Picture) -> Plane:
    _check(made, truth)
    difference: Plane = _values(made) - _values(truth)
    return difference


def _check(made: Picture, truth: Picture) -> None:
    if made.shape != truth.shape:
        raise ArgumentError(f"pictures of {_size(made)} and {_size(truth)} cannot be compared: make them one size")


def _size(picture: Picture) -> str:
    return "x".join(map(str, picture.shape))


def _channels(picture: Picture) -> list[Plane]:
    values = _values(picture)
    return [values] if values.ndim == 2 else list(np.ascontiguousarray(np.moveaxis(values, 2, 0)))


def _similarity(made: Plane, truth: Plane) -> float:
    mean_made, mean_truth = _blur(made), _blur(truth)
    square_made, square_truth, product = mean_made**2, mean_truth**2, mean_made * mean_truth
    variances = _blur(made * made + truth * truth) - square_made - square_truth
    covariance = _blur(made * truth) - product
    luminance = (2 * product + _K1**2) / (square_made + square_truth + _K1**2)
    return float(np.mean(luminance * (2 * covariance + _K2**2) / (variances + _K2**2)))


def _blur(plane: Plane) -> Plane:
    """Return the Gaussian mean of each window inside the plane: 10 lines and columns fewer than went in."""
    weights = np.exp(-0.5 * ((np.arange(SMALLEST) - SMALLEST // 2) / _SIGMA) ** 2)
    weights /= weights.sum()
    for axis in (0, 1):
        plane = sliding_window_view(plane, SMALLEST, axis) @ weights
    return plane
