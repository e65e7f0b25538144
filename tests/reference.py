"""Reference vectors: weights that anyone can make again, inputs and outputs of published implementations."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FOLDER = Path(__file__).parent / "data" / "reference"
"""What ``tools/cut_reference.py`` kept: whole inputs, and the middle of each output."""


def middle(made: NDArray[np.float32], known: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the part of a picture that is known of the reference's."""
    top, left = ((made.shape[axis] - known.shape[axis]) // 2 for axis in (-2, -1))
    return made[..., top : top + known.shape[-2], left : left + known.shape[-1]]


def weight(name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return the weight that belongs to a seed name, by the rule of the folder's README."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
    values = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    if len(shape) == 1:
        return values * np.float32(0.01)
    gain = np.float32(np.sqrt(2.0 / np.prod(shape[1:])))
    return values * (gain * np.float32(24) if name.endswith("/conv3.weight") else gain)


def weights(name: str) -> dict[str, NDArray[np.float32]]:
    """Return all tensors of a reference network under the names of its published checkpoint."""
    shapes = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    seeds = {
        key: f"{name}/{key}".replace("state_dictFC.", "state_dictFC/").replace("state_dictAT.", "state_dictAT/")
        for key in shapes
    }
    return {key: weight(seeds[key], tuple(shape)) for key, shape in shapes.items()}


def vectors(name: str) -> dict[str, NDArray[np.float32]]:
    """Return the inputs and outputs of a reference network."""
    with np.load(FOLDER / f"{name}.npz") as arrays:
        return dict(arrays)
