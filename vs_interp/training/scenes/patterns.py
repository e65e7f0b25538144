"""Periodic pictures (grids, stripes, checks and dots), in which motion is hard to tell from repetition.

Film and photographs show few of them, and a network trained on those alone drags a fence or a cutting mat along with
whatever passes in front of it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SIZE = 512
"""Height and width of a pattern in pixels."""

type Plane = NDArray[np.float64]


def draw_pattern(seed: int) -> NDArray[np.uint8]:
    """Return a random pattern for a seed: 512×512×4 bytes, RGB and an alpha of 255."""
    random = np.random.default_rng(seed)
    period = float(random.uniform(7, 40))
    across, down = _places(random, period)
    line = float(random.uniform(1.0, max(1.5, period / 4)))
    kind = random.choice(["grid", "grid", "stripes", "checks", "dots"])
    if kind == "grid":
        ink = np.maximum(_lines(across, period, line), _lines(down, period, line))
    elif kind == "stripes":
        ink = _lines(across, period, float(random.uniform(1.5, period / 2)))
    elif kind == "checks":
        ink = np.abs(_lines(across, period, period / 2) - _lines(down, period, period / 2))
    else:
        ink = _within(period * float(random.uniform(0.15, 0.4)) - period * np.hypot(_off(across), _off(down)))
    paper, colour = random.uniform(0, 1, (2, 3, 1, 1))
    if random.random() < 0.5:  # nearly black and white, like most print
        paper, colour = 0.15 * paper, 0.85 + 0.15 * colour
    slope = random.uniform(-0.3, 0.3, 2)
    rows, columns = np.mgrid[-0.5 : 0.5 : SIZE * 1j, -0.5 : 0.5 : SIZE * 1j]
    light = 0.85 + slope[0] * rows + slope[1] * columns
    picture = light * (paper + (colour - paper) * ink)
    covered = np.concatenate((picture.clip(0, 1), np.ones((1, SIZE, SIZE))))
    return np.ascontiguousarray((covered * 255).round().astype(np.uint8).transpose(1, 2, 0))


def _places(random: np.random.Generator, period: float) -> tuple[Plane, Plane]:
    """Return each pixel's two coordinates in periods, seen from the front or (as often) at an angle."""
    rows, columns = np.mgrid[0:SIZE, 0:SIZE] - SIZE / 2
    angle = random.uniform(0, np.pi) if random.random() < 0.6 else 0.0
    slant = random.uniform(-0.8, 0.8, 2) / SIZE * random.integers(2)
    depth = 1 + slant[0] * columns + slant[1] * rows
    across = (np.cos(angle) * columns + np.sin(angle) * rows) / depth / period
    down = (np.cos(angle) * rows - np.sin(angle) * columns) / depth / period
    return across, down


def _off(places: Plane) -> Plane:
    """Return the distance to the nearest whole period, in periods."""
    return np.asarray(np.abs(places - np.round(places)))


def _lines(places: Plane, period: float, thickness: float) -> Plane:
    return _within(thickness / 2 - period * _off(places))


def _within(depth: Plane) -> Plane:
    """Return coverage in [0, 1] from the distance inside an edge in pixels, soft over one pixel."""
    return np.asarray((depth + 0.5).clip(0, 1))
