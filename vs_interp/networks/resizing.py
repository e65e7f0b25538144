"""Bilinear enlarging and shrinking by whole factors, and the few pixels that shrinking reads."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def enlarged(x: Tensor, factor: int) -> Tensor:
    """Return pictures (B×C×H×W) ``factor`` times as large."""
    if factor == 1:
        return x
    return functional.interpolate(x, scale_factor=float(factor), mode="bilinear", align_corners=False)


def shrunk(x: Tensor, factor: int) -> Tensor:
    """Return pictures (B×C×H×W) ``factor`` times smaller, without a filter: each pixel is the mean of four.

    The factor is 1 or even, and divides height and width.
    """
    if factor == 1:
        return x
    size = x.shape[2] // factor, x.shape[3] // factor
    few = middle_pairs(middle_pairs(x, factor, 2), factor, 3)
    return functional.interpolate(few, size, mode="bilinear", align_corners=False)


def middle_pairs(x: Tensor, factor: int, axis: int) -> Tensor:
    """Return the rows or columns that :func:`shrunk` needs along an axis: the middle two of every ``factor``."""
    if factor <= 2:
        return x
    groups = x.reshape(*x.shape[:axis], -1, factor, *x.shape[axis + 1 :])
    return groups.narrow(axis + 1, factor // 2 - 1, 2).flatten(axis, axis + 1)
