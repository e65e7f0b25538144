"""The reference vectors of networks for prediction, flow and labels: their weights have a rule of their own."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .reference import FOLDER, middle, vectors

__all__ = ["error", "tensor", "tensors", "vectors", "weight"]


def weight(name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return the weight that belongs to a seed name, by the rule of the folder's README-prediction."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
    x = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    leaf = name.replace("/", ".").split(".")[-1]
    if leaf == "running_mean":
        return x * np.float32(0.1)
    if leaf == "running_var":
        return np.float32(1) + np.float32(0.1) * np.abs(x)
    if leaf.startswith("layer_scale"):
        return np.float32(0.1) + np.float32(0.05) * x
    if len(shape) == 1:
        return np.float32(1) + np.float32(0.1) * x if leaf == "weight" else x * np.float32(0.1)
    return x * np.float32(np.sqrt(2.0 / np.prod(shape[1:])))


def tensors(name: str) -> dict[str, Tensor]:
    """Return all tensors of a reference network under the names of its published checkpoint."""
    shapes = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return {key: torch.from_numpy(weight(f"{name}/{key}", tuple(shape))) for key, shape in shapes.items()}


def tensor(values: NDArray[np.generic]) -> Tensor:
    """Return an array of a vector file as a batch of one; bytes are pictures in [0, 1]."""
    batch = torch.from_numpy(values)[None]
    return batch / 255 if batch.dtype == torch.uint8 else batch


def error(made: Tensor, known: NDArray[np.floating]) -> float:
    """Return how far the middle of what was made is from what is known of it, at most."""
    return float(np.abs(middle(made.numpy(), known) - known).max())
