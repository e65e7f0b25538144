"""RIFE with weights that anyone can make again: what ``tools/rife_reference.py`` runs the published code on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .prediction_reference import weight

LAST = {"4.0": 0.015, "4.6": 0.5, "4.25": 0.5}
"""Gains of the last layers that give flows of a few pixels."""


@dataclass(frozen=True)
class Case:
    """A picture that the published code made."""

    version: str
    time: float
    scale: float = 1.0
    ensemble: bool = False
    size: tuple[int, int] = (64, 128)

    @property
    def key(self) -> str:
        """Its name among the vectors."""
        return f"{self.version} at {self.time}, scale {self.scale}{', ensemble' * self.ensemble}"


CASES = (
    *(Case("4.0", time) for time in (0.25, 0.5)),
    Case("4.0", 0.25, ensemble=True),
    *(Case("4.6", time) for time in (0.25, 0.5, 0.875)),
    Case("4.6", 0.5, ensemble=True),
    *(Case("4.25", time) for time in (0.25, 0.5, 0.875)),
    Case("4.25", 0.5, scale=0.5, size=(128, 128)),
)


def kept(picture: Tensor) -> NDArray[np.float32]:
    """Return what is stored of a picture: every fourth pixel of every fourth line."""
    return picture[..., ::4, ::4].numpy().astype(np.float32)


def seeded(version: str, shapes: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Return weights of these shapes, under the names of the published files, that are always the same."""
    return {
        name: torch.from_numpy(
            weight(f"rife_{version}/{name}", shape) * np.float32(LAST[version] if "lastconv" in name else 1)
        )
        for name, shape in shapes.items()
    }


def scene(shift: float, size: tuple[int, int] = (64, 96)) -> Tensor:
    """Return a smooth picture, 1×3×height×width, moved to the right."""
    height, width = size
    y, x = torch.meshgrid(torch.arange(float(height)), torch.arange(float(width)) - shift, indexing="ij")
    channels = (
        0.5 + 0.4 * torch.sin(x / 5 + y / 9),
        0.5 + 0.3 * torch.cos(x / 7 - y / 4),
        0.5 + 0.4 * torch.sin(x * y / 150),
    )
    return torch.stack(channels)[None]
