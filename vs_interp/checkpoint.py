"""Read weights, published or our own, into a network; nothing in a file is ever run."""

from __future__ import annotations

import datetime
import json
import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from .errors import CheckpointError
from .ncnn import read_ncnn
from .networks.base import Network
from .registry import NETWORKS, network_class


def load_checkpoint(path: Path) -> Network:
    """Return the network that a checkpoint holds, in evaluation mode.

    Reads our own ``.safetensors`` (the network's name and configuration in its metadata) and the published layouts
    of every registered network, in PyTorch's format or ncnn's (``.param`` with its ``.bin``).  Raises
    :class:`CheckpointError` where the file is no checkpoint, would run code, or has tensors that do not fit.
    """
    if not path.is_file():
        raise CheckpointError(f"cannot read the checkpoint {path}: there is no such file")
    if path.suffix == ".safetensors":
        name, values, tensors = _read_own(path)
        network = _build(path, name, values)
    else:
        read = read_ncnn(path) if path.suffix == ".param" else dict(_flatten(_read_pickle(path)))
        name, config, tensors = _recognise(path, read)
        network = network_class(name)(config)
    _fill(network, tensors, path)
    return network.eval()


def _read_own(path: Path) -> tuple[str, dict[str, Any], dict[str, Tensor]]:
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is no safetensors file, or a truncated one ({error})") from error
    try:
        return metadata["network"], json.loads(metadata["config"]), tensors
    except (KeyError, json.JSONDecodeError) as error:
        raise CheckpointError(
            f"{path} does not say which network it holds: its metadata needs 'network' and 'config'"
        ) from error


def _build(path: Path, name: str, values: dict[str, Any]) -> Network:
    if name not in NETWORKS:
        raise CheckpointError(
            f"{path} holds the network {name!r}, which is unknown: known are {', '.join(sorted(NETWORKS))}"
        )
    try:
        return network_class(name).from_config(values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"{path} has a configuration that {name} does not take ({error}): update vs-interp"
        ) from error


def _read_pickle(path: Path) -> Any:
    """Read a PyTorch file with ``weights_only``; the published Super-SloMo file also holds a date."""
    try:
        with torch.serialization.safe_globals([datetime.datetime]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "GLOBAL" in str(error):
            raise CheckpointError(
                f"{path} is refused: it holds Python objects that would run code when loaded"
            ) from error
        raise CheckpointError(f"{path} is no PyTorch checkpoint, or a truncated one") from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise CheckpointError(f"{path} is no PyTorch checkpoint, or a truncated one") from error


def _flatten(value: Any, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors of nested dictionaries under names joined with dots."""
    if isinstance(value, Tensor):
        yield prefix, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flatten(inner, f"{prefix}.{key}" if prefix else str(key))


def _recognise(path: Path, tensors: dict[str, Tensor]) -> tuple[str, Any, dict[str, Tensor]]:
    """Return name, configuration and tensors of the first network whose published layout fits."""
    for name in NETWORKS:
        found = network_class(name).from_published(tensors)
        if found is not None:
            return name, *found
    first = ", ".join(list(tensors)[:3]) or "none"
    raise CheckpointError(
        f"{path} has the layout of no known network ({', '.join(NETWORKS)}); its first tensors: {first}"
    )


def _fill(network: Network, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Put the tensors into the network; one error names the first three of all that do not fit."""
    wanted = network.state_dict()
    problems = [f"{name} is missing" for name in wanted if name not in tensors]
    problems += [f"{name} is not of this network" for name in tensors if name not in wanted]
    problems += [
        f"{name} is {_shape(tensors[name])} where {_shape(tensor)} is needed"
        for name, tensor in wanted.items()
        if name in tensors and tensors[name].shape != tensor.shape
    ]
    if problems:
        more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise CheckpointError(f"{path} does not fit {network.spec.name}: {'; '.join(problems[:3])}{more}")
    broken = [name for name in wanted if not torch.isfinite(tensors[name]).all()]
    if broken:
        raise CheckpointError(
            f"{path} holds NaN or infinite weights in {', '.join(broken[:3])}: fetch or train it again"
        )
    network.load_state_dict(dict(tensors))


def _shape(tensor: Tensor) -> str:
    return "×".join(map(str, tensor.shape)) or "a scalar"
