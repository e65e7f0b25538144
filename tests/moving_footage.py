"""Footage of a texture that moves by a pixel a frame: the truth at every moment is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vs_interp.datasets.footage import Box, Footage, Frames
from vs_interp.datasets.windows import cut_windows
from vs_interp.evaluation.compare import Stretch, chosen, stretches
from vs_interp.evaluation.material import Material
from vs_interp.size import Size
from vs_interp.spec import NetworkSpec, Output, Window

WIDTH, HEIGHT = 96, 64
ANY_TIME = NetworkSpec(name="any-time")
FLAVR = NetworkSpec(name="flavr", window=Window(offsets=(-1, 0, 1, 2)), output=Output(times=(0.25, 0.5, 0.75)))
TWICE = NetworkSpec(name="twice", window=Window(offsets=(0,)), output=Output(times=(0.0,), scale=2))


def moved(by: float, seed: int = 0) -> Frames:
    """Return a soft coloured texture, moved to the left by so many whole pixels."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 256, (20, 40, 3), dtype=np.uint8))
    large = np.asarray(coarse.resize((240, 120), Image.Resampling.BICUBIC))
    return large[20 : 20 + HEIGHT, 20 + round(by) : 20 + round(by) + WIDTH]


class Moving(Footage):
    """Sequences of a texture that moves by a pixel a frame; notes how often a frame is read."""

    def __init__(self, *lengths: int, seed: int = 0) -> None:
        self.lengths, self.seed = lengths, seed
        self.reads: list[tuple[int, int]] = []

    def name(self, sequence: int) -> str:
        return f"scene{sequence}"

    def frame_size(self, sequence: int) -> Size:
        return Size(WIDTH, HEIGHT)

    def _read(self, sequence: int, numbers: Sequence[int], box: Box) -> Frames:
        self.reads += [(sequence, number) for number in numbers]
        return np.stack([moved(number, self.seed + sequence) for number in numbers])


class Halved(Moving):
    """Every second line and column of the same."""

    def frame_size(self, sequence: int) -> Size:
        return Size(WIDTH // 2, HEIGHT // 2)

    def _read(self, sequence: int, numbers: Sequence[int], box: Box) -> Frames:
        return super()._read(sequence, numbers, box)[:, ::2, ::2]


def film(footage: Footage, spec: NetworkSpec, gap: int = 2) -> list[Stretch]:
    """Return the footage cut for a network, every window of it."""
    windows = chosen(cut_windows(footage, spec, (gap,)), spec, None)
    return list(stretches(Material("made:", footage, spec, None, grey=False), spec, windows))


def decibels(made: NDArray[Any], truth: NDArray[Any]) -> float:
    """Return the PSNR of 8-bit pictures."""
    return float(-10 * np.log10(np.mean((made / 255 - truth / 255) ** 2)))
