"""Synthetic drifting clouds, generated when they are read: grey pictures moved by a wind that is known exactly.

Fractal noise is advected (semi-Lagrangian) by a steady wind: one common direction and two eddies.  Noise above a level
is cloud; the level slowly rises or falls, so that clouds shrink or grow as they move.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from vs_interp.flow_fields import Field, sampled
from vs_interp.size import Size

from .footage import Box, Footage, Frames

FRAMES = 36
"""Frames of a sequence: twelve inputs and twenty-four to predict."""

SEQUENCES = {"train": 2_000, "validation": 50, "test": 100}
FASTEST = 2.5
"""Largest speed of the common wind, in pixels per frame."""

STEEP = 1.6
"""The amplitude of the noise falls with this power of the frequency."""

MARGIN = 96
"""Pixels of sky around the picture, from which clouds drift in."""


@dataclass(frozen=True)
class Sky:
    """The sky of a sequence, :data:`MARGIN` pixels larger than its picture on every side.

    noise
        H×W, with a standard deviation of 1.
    wind
        To the right and down, each H×W, in pixels per frame.
    level
        For each frame, the level above which noise is cloud.
    soft
        How far above the level noise must be for the cloud to be 63 % opaque.
    """

    noise: Field
    wind: tuple[Field, Field]
    level: Field
    soft: float

    @classmethod
    def draw(cls, seed: tuple[int, ...], size: Size) -> Sky:
        """Return a random sky for a seed, for pictures of the given size."""
        random = np.random.default_rng(seed)
        height, width = size.height + 2 * MARGIN, size.width + 2 * MARGIN
        frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)).clip(1 / max(height, width))
        noise = np.fft.irfft2(
            np.fft.rfft2(random.standard_normal((height, width))) * frequency**-STEEP, (height, width)
        )
        noise = (noise - noise.mean()) / noise.std()
        angle, speed = random.uniform(0, 2 * np.pi), random.uniform(0, FASTEST)
        right, down = (np.full((height, width), speed * part) for part in (np.cos(angle), np.sin(angle)))
        y, x = np.mgrid[:height, :width]
        for _ in range(2):
            middle = random.uniform((0, 0), (height, width))
            radius, strength = random.uniform(40, 120), random.normal(0, 0.8)
            v, u = (y - middle[0]) / radius, (x - middle[1]) / radius
            turning = strength * np.exp(-(u**2 + v**2) / 2)
            right, down = right - turning * v, down + turning * u
        level = random.uniform(-0.5, 0.7) + random.normal(0, 0.012) * np.arange(FRAMES)
        wind = right.astype(np.float32), down.astype(np.float32)
        return cls(noise.astype(np.float32), wind, level.astype(np.float32), float(random.uniform(0.5, 1.5)))


@lru_cache(maxsize=2)
def _frames(seed: tuple[int, ...], size: Size) -> NDArray[np.uint8]:
    """Return the pictures of a sequence: T×H×W."""
    sky = Sky.draw(seed, size)
    inside = (slice(MARGIN, MARGIN + size.height), slice(MARGIN, MARGIN + size.width))
    back = -sky.wind[0], -sky.wind[1]
    right, down = np.zeros_like(sky.noise), np.zeros_like(sky.noise)
    made = np.empty((FRAMES, size.height, size.width), np.uint8)
    for number, level in enumerate(sky.level):
        here = sampled(sky.noise, right, down)[inside]
        made[number] = np.rint(30 + 150 * (1 - np.exp(-np.maximum(here - level, 0) / sky.soft)))
        right, down = back[0] + sampled(right, *back), back[1] + sampled(down, *back)
    return made


class DriftingClouds(Footage):
    """Sequences of 36 grey frames, which are the same every time."""

    def __init__(self, size: Size, split: str) -> None:
        self.size, self.split = size, split
        self.lengths = (FRAMES,) * SEQUENCES[split]

    def __reduce__(self) -> tuple[type[DriftingClouds], tuple[Size, str]]:
        return DriftingClouds, (self.size, self.split)

    def name(self, sequence: int) -> str:
        return f"clouds-{self.split}-{sequence}"

    def frame_size(self, sequence: int) -> Size:
        return self.size

    def flow(self, sequence: int, number: int) -> NDArray[np.float32]:
        """Return :meth:`wind`, the same for every frame."""
        return np.stack(self.wind(sequence), 2)

    def wind(self, sequence: int) -> tuple[Field, Field]:
        """Return the motion from any frame to the next, to the right and down in pixels, each H×W."""
        inside = (slice(MARGIN, MARGIN + self.size.height), slice(MARGIN, MARGIN + self.size.width))
        right, down = Sky.draw(self._seed(sequence), self.size).wind
        return right[inside], down[inside]

    def _seed(self, sequence: int) -> tuple[int, ...]:
        return sorted(SEQUENCES).index(self.split), sequence

    def _read(self, sequence: int, numbers: Sequence[int], box: Box) -> Frames:
        top, left, height, width = box
        frames = _frames(self._seed(sequence), self.size)[list(numbers), top : top + height, left : left + width]
        return np.repeat(frames[..., None], 3, 3)
