"""Augmentation of many samples at once, the same for all pictures of a sample."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vs_interp.training.recipe_data import Variation


@dataclass(frozen=True)
class Changes:
    """The augmentation of K samples; see :class:`~vs_interp.training.recipe_data.Variation`.

    ``mirrored`` is K×2 (columns, rows), ``channels`` K×3, the others K.  ``noise`` is a standard deviation, of a range
    of 1.
    """

    mirrored: NDArray[np.bool_]
    reversed: NDArray[np.bool_]
    turned: NDArray[np.bool_]
    channels: NDArray[np.int64]
    gamma: NDArray[np.float32]
    gain: NDArray[np.float32]
    offset: NDArray[np.float32]
    noise: NDArray[np.float32]

    @classmethod
    def none(cls, count: int) -> Changes:
        """Return changes that leave samples unchanged."""
        no, zero = np.zeros(count, bool), np.zeros(count, np.float32)
        return cls(
            np.zeros((count, 2), bool), no, no, np.tile(np.arange(3), (count, 1)), zero + 1, zero + 1, zero, zero
        )

    @classmethod
    def draw(cls, random: np.random.Generator, by: Variation, count: int) -> Changes:
        """Draw the changes of ``count`` samples."""

        def halves(*shape: int) -> NDArray[np.bool_]:
            return random.random(shape) < 0.5

        channels = np.tile(np.arange(3), (count, 1))
        return cls(
            mirrored=halves(count, 2) & by.mirror,
            reversed=halves(count) & by.reverse,
            turned=halves(count) & by.turn,
            channels=random.permuted(channels, axis=1) if by.colours else channels,
            gamma=np.exp(random.normal(0, by.gamma, count)).astype(np.float32),
            gain=random.uniform(by.gain, 1.0, count).astype(np.float32),
            offset=random.uniform(-by.offset, by.offset, count).astype(np.float32),
            noise=(random.uniform(0, by.noise / 255, count) * halves(count)).astype(np.float32),
        )

    def part(self, part: slice) -> Changes:
        """Return the changes of some of the samples."""
        return Changes(*(getattr(self, field.name)[part] for field in fields(self)))


def varied(pictures: Tensor, flow: Tensor, time: Tensor, count: int, changes: Changes) -> tuple[Tensor, Tensor, Tensor]:
    """Return the pictures (K×T×3×H×W), flows (K×4×H×W) and times (K) of samples with their changes applied.

    A sample's pictures are the ``count`` frames of its window, then its truths.  Noise is not added here.
    """

    def here(values: NDArray[np.generic], *more: int) -> Tensor:
        return torch.from_numpy(values).to(pictures.device).view(*values.shape, *more)

    pictures = _arranged(pictures, here, count, changes)
    swapped = np.where(changes.reversed[:, None], (2, 3, 0, 1), (0, 1, 2, 3))
    flow = flow[here(np.arange(len(flow)))[:, None], here(swapped)]
    time = torch.where(here(changes.reversed), 1 - time, time)
    for axis, mirrored in enumerate(changes.mirrored.T):
        if mirrored.any():
            back = flow.flip(-1 - axis) * flow.new_tensor([-1, 1] * 2 if axis == 0 else [1, -1] * 2).view(4, 1, 1)
            pictures = torch.where(here(mirrored, 1, 1, 1, 1), pictures.flip(-1 - axis), pictures)
            flow = torch.where(here(mirrored, 1, 1, 1), back, flow)
    if changes.turned.any() and pictures.shape[-1] == pictures.shape[-2]:
        pictures = torch.where(here(changes.turned, 1, 1, 1, 1), pictures.transpose(-1, -2), pictures)
        flow = torch.where(here(changes.turned, 1, 1, 1), flow.transpose(-1, -2)[:, [1, 0, 3, 2]], flow)
    pictures = pictures.clamp(min=1e-4).pow_(here(changes.gamma, 1, 1, 1, 1))
    pictures = pictures.mul_(here(changes.gain, 1, 1, 1, 1)).add_(here(changes.offset, 1, 1, 1, 1))
    return pictures.clamp_(0, 1), flow, time


def _arranged(pictures: Tensor, here: Callable[..., Tensor], count: int, changes: Changes) -> Tensor:
    """Return pictures with time reversed and channels shuffled as the changes say."""
    order = np.arange(pictures.shape[1])
    back = np.concatenate((order[:count][::-1], order[count:][::-1]))
    order = np.where(changes.reversed[:, None], back, order)
    sample = here(np.arange(len(pictures)), 1, 1)
    return pictures[sample, here(order, 1), here(changes.channels)[:, None]]
