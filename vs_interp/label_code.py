"""Label codes of CLEVRER-like scenes: 48 kinds of objects as class numbers, and as fourteen planes for networks.

Class 0 is the background; an object's class is 1 + 16 · shape + 8 · material + colour.  The fourteen planes encode
shape (0–2), material (3–4), colour (5–12) and background (13), so that a network learns each attribute once and not
once per combination.
"""

from __future__ import annotations

import colorsys
from functools import cache

import numpy as np
from numpy.typing import NDArray

SHAPES = ("cube", "sphere", "cylinder")
MATERIALS = ("metal", "rubber")
COLOURS = ("gray", "red", "blue", "green", "brown", "cyan", "purple", "yellow")

GROUPS = (len(SHAPES), len(MATERIALS), len(COLOURS))
PLANES = sum(GROUPS) + 1
CLASSES = 1 + len(SHAPES) * len(MATERIALS) * len(COLOURS)
WEIGHTS = (len(MATERIALS) * len(COLOURS), len(COLOURS), 1)
"""By how much the class number grows from one shape, material or colour to the next."""

THRESHOLD = 0.025
"""A pixel whose background plane exceeds this is background."""

_LIGHT = {"metal": 1.0, "rubber": 0.7}
_HUES = {
    "gray": (150, 150, 150), "red": (230, 60, 60), "blue": (70, 90, 230), "green": (60, 170, 70),
    "brown": (150, 95, 50), "cyan": (60, 200, 210), "purple": (160, 70, 200), "yellow": (240, 220, 60),
}  # fmt: skip

Labels = NDArray[np.uint8]


def label(shape: int, material: int, colour: int) -> int:
    """Return the class number of an object, from 1 to 48."""
    return 1 + shape * WEIGHTS[0] + material * WEIGHTS[1] + colour


def name(number: int) -> str:
    """Return the name of a class, such as ``red metal cube``.  Raises :class:`IndexError` for an unknown number."""
    if not 0 <= number < CLASSES:
        raise IndexError(number)
    if number == 0:
        return "background"
    shape, rest = divmod(number - 1, WEIGHTS[0])
    material, colour = divmod(rest, WEIGHTS[1])
    return f"{COLOURS[colour]} {MATERIALS[material]} {SHAPES[shape]}"


def table() -> NDArray[np.float32]:
    """Return the code of every class: :data:`CLASSES` × :data:`PLANES`, zeros and ones."""
    found = np.zeros((CLASSES, PLANES), np.float32)
    found[0, -1] = 1
    numbers = np.arange(CLASSES - 1)
    shape, material, colour = numbers // WEIGHTS[0], numbers // WEIGHTS[1] % GROUPS[1], numbers % GROUPS[2]
    for attribute, first in ((shape, 0), (material, GROUPS[0]), (colour, GROUPS[0] + GROUPS[1])):
        found[numbers + 1, first + attribute] = 1
    return found


def to_planes(labels: Labels) -> NDArray[np.float32]:
    """Turn labels (… × H × W) into planes (… × 14 × H × W)."""
    return np.moveaxis(table()[labels], -1, -3)


def from_planes(planes: NDArray[np.floating], threshold: float = THRESHOLD) -> Labels:
    """Turn planes (… × 14 × H × W) into labels (… × H × W): the largest of each group, or background."""
    found: NDArray[np.int64] = np.ones(planes.shape[:-3] + planes.shape[-2:], np.int64)
    first = 0
    for count, weight in zip(GROUPS, WEIGHTS, strict=True):
        found += weight * planes[..., first : first + count, :, :].argmax(-3)
        first += count
    return np.where(planes[..., -1, :, :] > threshold, 0, found).astype(np.uint8)


@cache
def palette() -> NDArray[np.uint8]:
    """Return RGB colours for all labels, 256×3: those of the objects, nearly black for the background."""
    return np.array([_colour(number) for number in range(256)], np.uint8)


def _colour(number: int) -> tuple[int, int, int]:
    if number == 0:
        return 20, 20, 24
    if number >= CLASSES:
        red, green, blue = colorsys.hsv_to_rgb(number * 0.618 % 1, 0.6, 0.9)
        return round(255 * red), round(255 * green), round(255 * blue)
    colour, material, _ = name(number).split()
    red, green, blue = (round(part * _LIGHT[material]) for part in _HUES[colour])
    return red, green, blue
