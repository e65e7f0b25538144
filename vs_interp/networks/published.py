"""What readers of published checkpoints share."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import torch
from torch import Tensor

COUNT = "num_batches_tracked"


def without_prefixes(tensors: Mapping[str, Tensor], *prefixes: str) -> dict[str, Tensor]:
    """Return tensors by what follows the prefixes in their names, removed in the order given where they are there."""
    return {functools.reduce(str.removeprefix, prefixes, name): tensor for name, tensor in tensors.items()}


def with_counts(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors with the counter of every batch norm, which old checkpoints lack and which says nothing."""
    norms = [name.removesuffix("running_mean") for name in tensors if name.endswith("running_mean")]
    return {**{f"{norm}{COUNT}": torch.zeros((), dtype=torch.long) for norm in norms}, **tensors}
