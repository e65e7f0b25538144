"""Optical flow as arrays: its error, its colours, and warping by it.  A field is height×width, in pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]

_SPOKES = (15, 6, 4, 11, 13, 6)
"""Steps of the colour wheel from red to yellow, green, cyan, blue, magenta and back (Baker et al. 2011, IJCV 92)."""


def endpoint_error(made: tuple[Field, Field], truth: tuple[Field, Field]) -> float:
    """Return the mean end-point error (EPE) in pixels between two flows, each a pair (right, down) of fields."""
    return float(np.hypot(made[0] - truth[0], made[1] - truth[1]).mean(dtype=np.float64))


def sampled(plane: NDArray[Any], right: Field, down: Field) -> NDArray[Any]:
    """Return a plane (height×width) warped backwards: pixel (x, y) is what lies at (x + right, y + down).

    Bilinear; beyond the edges the last pixels repeat, and where the flow is not known (NaN) nothing moves.  The result
    has the plane's own type.
    """
    height, width = plane.shape
    x = _places(right, np.arange(width, dtype=np.float32))
    y = _places(down, np.arange(height, dtype=np.float32)[:, None])
    left, top = np.minimum(x.astype(np.int32), max(width - 2, 0)), np.minimum(y.astype(np.int32), max(height - 2, 0))
    right_weight, lower_weight = x - left, y - top
    corner = top * width + left  # the upper left of the four pixels around each position, in the flattened plane
    one_right, one_down = min(1, width - 1), width * min(1, height - 1)
    flat = plane.astype(np.float32).ravel()
    upper = flat[corner] * (1 - right_weight) + flat[corner + one_right] * right_weight
    corner += one_down
    lower = flat[corner] * (1 - right_weight) + flat[corner + one_right] * right_weight
    made: Field = upper * (1 - lower_weight) + lower * lower_weight
    return np.rint(made).astype(plane.dtype) if plane.dtype.kind == "u" else made.astype(plane.dtype)


def _places(moved: Field, own: Field) -> Field:
    """Return where pixels are sampled along an axis: their own places (a row or a column of them) and how far."""
    places = moved + own
    np.copyto(places, own, where=np.isnan(places))
    return np.clip(places, 0, own.size - 1, out=places)


def coloured(right: Field, down: Field, largest: float | None = None) -> NDArray[np.uint8]:
    """Return a flow as a height×width×3 picture in the colours of Baker et al.: hue is direction, saturation length.

    Vectors of ``largest`` pixels (by default the longest) have the full colour, longer ones are darker, and pixels
    whose flow is not finite are black.
    """
    finite = np.isfinite(right) & np.isfinite(down)
    right, down = np.where(finite, right, 0), np.where(finite, down, 0)
    length = np.hypot(right, down)
    length = (length / (largest or max(float(length.max()), 1e-6)))[..., None]
    wheel = _wheel()
    place = (np.arctan2(-down, -right) / np.pi + 1) / 2 * (len(wheel) - 1)
    lower = place.astype(np.int32)
    part = (place - lower)[..., None]
    hue = wheel[lower] * (1 - part) + wheel[(lower + 1) % len(wheel)] * part
    colours = np.where(length <= 1, 1 - length * (1 - hue), hue * 0.75)
    codes: NDArray[np.uint8] = np.floor(255 * colours * finite[..., None]).astype(np.uint8)
    return codes


def _wheel() -> NDArray[np.float32]:
    """Return the colours of the wheel, 55×3 in [0, 1]."""
    corners = ((1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 1, 1), (0, 0, 1), (1, 0, 1), (1, 0, 0))
    spokes = []
    for count, first, last in zip(_SPOKES, corners[:-1], corners[1:], strict=True):
        steps = np.floor(255 * np.arange(count) / count)[:, None] / 255
        spokes.append(np.array(first) + steps * (np.array(last) - np.array(first)))
    return np.concatenate(spokes).astype(np.float32)
