"""Clouds that drift, made as they are read: grey pictures carried along by a wind that is known exactly.

Fractal noise under a steady wind of a common direction and two eddies (semi-Lagrangian advection); what rises above a
level that slowly goes up or down is cloud, so that clouds grow and shrink as they go.
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
"""Twelve that are seen and twenty-four to come."""

SEQUENCES = {"train": 2_000, "validation": 50, "test": 100}
FASTEST = 2.5
"""Pixels that the common wind moves at most a frame."""

STEEP = 1.6
"""The noise's amplitude falls with this power of its frequency."""

MARGIN = 96
"""Pixels of sky around the picture, out of which clouds drift in."""


@dataclass(frozen=True)
class Sky:
    """What a sequence is made of, larger than its picture on all sides.

    ``noise`` H×W with deviation 1; ``wind``, pixels a frame to the right and down; ``level`` of each frame, above which
    noise is cloud; ``soft``, how fast a cloud becomes opaque.
    """

    noise: Field
    wind: tuple[Field, Field]
    level: Field
    soft: float

    @classmethod
    def drawn(cls, seed: tuple[int, ...], size: Size) -> Sky:
        """Return the sky of a seed."""
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
    """Return the pictures of a sequence, T×H×W."""
    sky = Sky.drawn(seed, size)
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
    """Sequences of 36 grey frames, the same ones every time."""

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
        """Return by how many pixels what is seen lies further right and further down in any next frame."""
        inside = (slice(MARGIN, MARGIN + self.size.height), slice(MARGIN, MARGIN + self.size.width))
        right, down = Sky.drawn(self._seed(sequence), self.size).wind
        return right[inside], down[inside]

    def _seed(self, sequence: int) -> tuple[int, ...]:
        return sorted(SEQUENCES).index(self.split), sequence

    def _read(self, sequence: int, numbers: Sequence[int], box: Box) -> Frames:
        top, left, height, width = box
        frames = _frames(self._seed(sequence), self.size)[list(numbers), top : top + height, left : left + width]
        return np.repeat(frames[..., None], 3, 3)
