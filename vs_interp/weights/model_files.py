"""Read the weights of a model file, most of whose initialisers keep the names of the network's parameters."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import torch
from google.protobuf.message import DecodeError
from torch import Tensor

from trt_build.model_file import PREFIX, WEIGHTS_KEY
from vs_interp.errors import CheckpointError

_DAMAGED = DecodeError, onnx.checker.ValidationError, OSError, ValueError, TypeError, AttributeError, RuntimeError
"""Errors that reading a damaged file may raise; the second where a file beside it, with its tensors, is missing."""


def read_model_file(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Return the metadata and weights of a model file; some tensors have additional axes, some are buffers.

    Raises :class:`CheckpointError` if it is not a model file, or does not name its network.
    """
    try:
        model = onnx.load(path)
        metadata = {entry.key: entry.value for entry in model.metadata_props}
        tensors = dict(_whole(_named(model, json.loads(metadata.get(WEIGHTS_KEY, "{}")))))
    except _DAMAGED as error:
        raise CheckpointError(
            f"{path} is not a model file, or a truncated one ({error}): export or get it again"
        ) from error
    if "network" not in metadata:
        raise CheckpointError(
            f"{path} does not name its network: give the checkpoint that it was made from, or, if `vs-interp weights "
            "get` made it, remove it and get it again"
        )
    return metadata, tensors


def _named(model: onnx.ModelProto, elsewhere: dict[str, str]) -> dict[str, Tensor]:
    """Return the initialisers by the names of the parameters that they are, some of which are listed elsewhere."""
    constants = {
        value.name: torch.from_numpy(np.array(onnx.numpy_helper.to_array(value))) for value in model.graph.initializer
    }
    tensors = {name.removeprefix(PREFIX): value for name, value in constants.items() if name.startswith(PREFIX)}
    return tensors | {name: constants[constant] for name, constant in elsewhere.items() if constant in constants}


def _whole(tensors: dict[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors, with those that were split (``NAME[:, FIRST:LAST]``) put together again."""
    parts: dict[str, list[tuple[int, Tensor]]] = {}
    for name, tensor in tensors.items():
        found = re.fullmatch(r"(.+)\[:, (\d+):\d+\]", name)
        if found:
            parts.setdefault(found[1], []).append((int(found[2]), tensor))
        else:
            yield name, tensor
    for name, found_parts in parts.items():
        yield name, torch.cat([tensor for _, tensor in sorted(found_parts, key=lambda part: part[0])], 1)
