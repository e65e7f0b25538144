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


def in_order(tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor] | None:
    """Return tensors under the names of ``wanted`` by their order, or ``None`` where their number or a shape differs.

    For files whose layers have names of their own, such as ncnn's; matrices stand for 1×1 convolutions.
    """
    if len(tensors) != len(wanted):
        return None
    found = {}
    for (name, needed), tensor in zip(wanted.items(), tensors.values(), strict=True):
        if needed.shape not in (tensor.shape, (*tensor.shape, 1, 1)):
            return None
        found[name] = tensor.view(needed.shape)
    return found
