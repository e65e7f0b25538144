"""Helpers for reading published checkpoints."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import torch
from torch import Tensor

COUNT = "num_batches_tracked"


def without_prefixes(tensors: Mapping[str, Tensor], *prefixes: str) -> dict[str, Tensor]:
    """Remove prefixes from the names of tensors, in the order given."""
    return {functools.reduce(str.removeprefix, prefixes, name): tensor for name, tensor in tensors.items()}


def with_counts(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Add the counters of batch norms, which old checkpoints lack and inference does not use."""
    norms = [name.removesuffix("running_mean") for name in tensors if name.endswith("running_mean")]
    return {**{f"{norm}{COUNT}": torch.zeros((), dtype=torch.long) for norm in norms}, **tensors}


def in_order(tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor] | None:
    """Rename tensors to the names of ``wanted``, by order; return ``None`` if their number or a shape differs.

    For files with other layer names, such as ncnn's.  Matrices are accepted for 1×1 convolutions.
    """
    if len(tensors) != len(wanted):
        return None
    found = {}
    for (name, needed), tensor in zip(wanted.items(), tensors.values(), strict=True):
        if needed.shape not in (tensor.shape, (*tensor.shape, 1, 1)):
            return None
        found[name] = tensor.view(needed.shape)
    return found
