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

MS_SMALLEST = 48
"""Height and width from which on MS-SSIM is defined here: five sizes, of which the last is 3."""

_SIGMA = 1.5
_K1, _K2 = 0.01, 0.03
_EXPONENTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""How much each size counts in MS-SSIM, the largest first."""


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


def ms_ssim(made: Plane, truth: Plane) -> float:
    """Return the multi-scale structural similarity of planes in [0, 1]: five sizes, a 3×3 Gaussian of σ 1.5.

    The window is that of the nowcasting network's published score, whose pictures of 64×64 are too small for the usual
    one of 11 (Wang et al. 2003; negative terms count as 0, as is usual).  Raises :class:`ArgumentError` below 48×48.
    """
    _check(made, truth)
    if min(truth.shape[:2]) < MS_SMALLEST:
        raise ArgumentError(f"MS-SSIM needs pictures of {MS_SMALLEST}x{MS_SMALLEST} and more, not {_size(truth)}")
    made, truth, result = made.astype(np.float64), truth.astype(np.float64), 1.0
    for size, exponent in enumerate(_EXPONENTS):
        if size:
            made, truth = _halved(made), _halved(truth)
        mean_made, mean_truth = _blur3(made), _blur3(truth)
        squares, product = mean_made**2 + mean_truth**2, mean_made * mean_truth
        variances = _blur3(made * made + truth * truth) - squares
        similar = (2 * (_blur3(made * truth) - product) + _K2**2) / (variances + _K2**2)
        if size == len(_EXPONENTS) - 1:
            similar = similar * (2 * product + _K1**2) / (squares + _K1**2)
        result *= max(float(similar.mean()), 0.0) ** exponent
    return result


def jaccard(made: NDArray[np.uint8], truth: NDArray[np.uint8], classes: int) -> float:
    """Return the mean over classes of intersection over union, over all pixels together: :func:`overlap_score`."""
    return overlap_score(overlap(made, truth, classes))


def overlap(made: NDArray[np.uint8], truth: NDArray[np.uint8], classes: int) -> NDArray[np.int64]:
    """Return how many pixels of each class both have, the one, and the other: 3 × classes, to be added up."""
    if made.shape != truth.shape:
        raise ArgumentError(f"labels of {made.shape} and {truth.shape} cannot be compared: make them one size")
    most = max(int(made.max(initial=0)), int(truth.max(initial=0)))
    if most >= classes:
        raise ArgumentError(f"there is the label {most}, and {classes} classes are 0 to {classes - 1}: mend the labels")
    return np.stack([np.bincount(part.ravel(), minlength=classes) for part in (made[made == truth], made, truth)])


def overlap_score(counts: NDArray[np.int64]) -> float:
    """Return the mean over classes of intersection over union, of counts of one picture, or of many added up.

    Classes that neither has are left out, as in torchmetrics' ``JaccardIndex`` of many classes.
    """
    both, either = counts[0], counts[1] + counts[2] - counts[0]
    return float((both[either > 0] / either[either > 0]).mean())


def _halved(plane: Plane) -> Plane:
    """Return the mean of every 2×2; a size that is odd is padded with zeros on both sides first."""
    rows, columns = (length % 2 for length in plane.shape)
    padded = np.pad(plane, ((rows, rows), (columns, columns)))
    padded = padded[: padded.shape[0] // 2 * 2, : padded.shape[1] // 2 * 2]
    halved: Plane = padded.reshape(padded.shape[0] // 2, 2, padded.shape[1] // 2, 2).mean((1, 3))
    return halved


def _blur3(plane: Plane) -> Plane:
    weights = np.exp(-0.5 * (np.arange(-1, 2) / _SIGMA) ** 2)
    weights /= weights.sum()
    for axis in (0, 1):
        plane = sliding_window_view(plane, 3, axis) @ weights
    return plane
