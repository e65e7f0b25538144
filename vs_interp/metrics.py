"""Quality metrics of a generated picture against the true one: the published definitions, in float64, without PyTorch.

Pictures are height×width or height×width×3, either uint8 or floats in [0, 1]; both of a pair have the same shape.
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
"""Least height and width for SSIM: the side of its window."""

MS_SMALLEST = 48
"""Least height and width for MS-SSIM here: halved four times, 3 pixels are left for the window of 3."""

_MS_WINDOW = 3
_SIGMA = 1.5
_K1, _K2 = 0.01, 0.03
_EXPONENTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of the scales in MS-SSIM, the full size first (Wang et al. 2003)."""


def mse(made: Picture, truth: Picture) -> float:
    """Return the mean squared error over pixels and channels, in squared 8-bit code values."""
    return float(np.mean(_difference(made, truth) ** 2)) * 255**2


def psnr(made: Picture, truth: Picture) -> float:
    """Return the peak signal-to-noise ratio in decibels, peak 255; infinite for equal pictures."""
    return decibels(mse(made, truth) / 255**2)


def decibels(error: float) -> float:
    """Return the PSNR for a mean squared error relative to the squared peak; infinite if it is 0."""
    return 0.0 - 10 * math.log10(error) if error else math.inf  # a difference, as −10 · log10(1) is −0.0


def interpolation_error(made: Picture, truth: Picture) -> float:
    """Return the interpolation error IE in 8-bit code values.

    This is the root of the mean squared length of the difference vector of a pixel.  For RGB it is √3 times the root
    mean square over channels (Baker et al. 2011, "A Database and Evaluation Methodology for Optical Flow", IJCV 92).
    """
    channels = truth.shape[2] if truth.ndim == 3 else 1
    return math.sqrt(channels * mse(made, truth))


def ssim(made: Picture, truth: Picture) -> float:
    """Return the mean structural similarity, at most 1; for RGB the mean over the channels.

    The window is an 11×11 Gaussian of σ 1.5 at every position inside the picture, K1 = 0.01, K2 = 0.03 (Wang et al.
    2004, "Image Quality Assessment", IEEE TIP 13).  Raises :class:`ArgumentError` for pictures below 11×11.
    """
    _check(made, truth)
    if min(truth.shape[:2]) < SMALLEST:
        raise ArgumentError(f"SSIM needs pictures of {SMALLEST}x{SMALLEST} and more, not {_size(truth)}")
    pair = zip(_channels(made), _channels(truth), strict=True)
    return float(np.mean([_similarity(a, b) for a, b in pair]))


def luma(picture: Picture) -> Plane:
    """Return BT.601 luma in limited range, [16, 235] / 255, from RGB or from luma in full range.

    8-bit video and the published tables of super-resolution use limited range; PSNR is 1.3 dB higher than in full
    range.
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
    luminance, contrast = _similarity_maps(made, truth, SMALLEST)
    return float(np.mean(luminance * contrast))


def _similarity_maps(made: Plane, truth: Plane, side: int) -> tuple[Plane, Plane]:
    """Return SSIM's luminance, and its contrast times its structure, for every window of ``side`` pixels."""
    mean_made, mean_truth = _blur(made, side), _blur(truth, side)
    squares, product = mean_made**2 + mean_truth**2, mean_made * mean_truth
    variances = _blur(made * made + truth * truth, side) - squares
    covariance = _blur(made * truth, side) - product
    return (2 * product + _K1**2) / (squares + _K1**2), (2 * covariance + _K2**2) / (variances + _K2**2)


def _blur(plane: Plane, side: int) -> Plane:
    """Return the Gaussian mean of every window inside the plane, which shrinks by ``side`` - 1 lines and columns."""
    weights = np.exp(-0.5 * ((np.arange(side) - side // 2) / _SIGMA) ** 2)
    weights /= weights.sum()
    for axis in (0, 1):
        plane = sliding_window_view(plane, side, axis) @ weights
    return plane


def ms_ssim(made: Plane, truth: Plane) -> float:
    """Return the multi-scale structural similarity of planes in [0, 1] (Wang et al. 2003): five scales.

    The window is a 3×3 Gaussian of σ 1.5, as in the nowcasting network's published score, since its pictures of 64×64
    are too small for the usual 11×11.  Negative terms count as 0, as is usual.  Raises :class:`ArgumentError` below
    48×48.
    """
    _check(made, truth)
    if min(truth.shape[:2]) < MS_SMALLEST:
        raise ArgumentError(f"MS-SSIM needs pictures of {MS_SMALLEST}x{MS_SMALLEST} and more, not {_size(truth)}")
    made, truth, result = made.astype(np.float64), truth.astype(np.float64), 1.0
    for scale, exponent in enumerate(_EXPONENTS):
        if scale:
            made, truth = _halved(made), _halved(truth)
        luminance, similarity = _similarity_maps(made, truth, _MS_WINDOW)
        if scale == len(_EXPONENTS) - 1:  # luminance counts at the smallest scale only
            similarity = similarity * luminance
        result *= max(float(similarity.mean()), 0.0) ** exponent
    return result


def overlap(made: NDArray[np.uint8], truth: NDArray[np.uint8], classes: int) -> NDArray[np.int64]:
    """Count the pixels of each class: those that agree, those of ``made``, those of ``truth`` (3 × classes).

    Counts of several pictures can be added up.  Raises :class:`ArgumentError` for unequal sizes and unknown labels.
    """
    if made.shape != truth.shape:
        raise ArgumentError(f"labels of {made.shape} and {truth.shape} cannot be compared: make them one size")
    most = max(int(made.max(initial=0)), int(truth.max(initial=0)))
    if most >= classes:
        raise ArgumentError(
            f"there is the label {most}, but {classes} classes end at {classes - 1}: correct the labels"
        )
    return np.stack([np.bincount(part.ravel(), minlength=classes) for part in (made[made == truth], made, truth)])


def overlap_score(counts: NDArray[np.int64]) -> float:
    """Return the mean over classes of intersection over union, from the counts of :func:`overlap`.

    Classes that occur in neither picture are left out, as in torchmetrics' multi-class ``JaccardIndex``.
    """
    both, either = counts[0], counts[1] + counts[2] - counts[0]
    return float((both[either > 0] / either[either > 0]).mean())


def rand_index(made: NDArray[np.uint8], truth: NDArray[np.uint8]) -> float:
    """Return the adjusted Rand index of labels over the pixels of objects (where ``truth`` is not 0), at most 1.

    It asks which pixels belong together, whatever their numbers: 0 is chance, or all in one (Hubert and Arabie 1985).
    Slot attention's masks are scored so (arXiv:2006.15055).  What is seen as one object in both is right: 1.
    """
    inside = truth > 0
    counts = np.bincount(made[inside].astype(np.int64) * 256 + truth[inside], minlength=256 * 256).reshape(256, 256)

    def pairs(sizes: NDArray[np.int64]) -> float:
        return float((sizes * (sizes - 1) / 2).sum())

    sizes = counts, counts.sum(1), counts.sum(0), counts.sum(keepdims=True)
    both, first, second, most = map(pairs, sizes)
    if both == first == second:
        return 1.0
    chance = first * second / most
    return (both - chance) / ((first + second) / 2 - chance)


def _halved(plane: Plane) -> Plane:
    """Return the mean of every 2×2 pixels; an odd size is first padded with zeros on both sides."""
    rows, columns = (length % 2 for length in plane.shape)
    padded = np.pad(plane, ((rows, rows), (columns, columns)))
    padded = padded[: padded.shape[0] // 2 * 2, : padded.shape[1] // 2 * 2]
    halved: Plane = padded.reshape(padded.shape[0] // 2, 2, padded.shape[1] // 2, 2).mean((1, 3))
    return halved
