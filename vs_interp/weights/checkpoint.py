"""Load checkpoints, published ones and our own, into networks, without running any code from the file."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from vs_interp.errors import ArgumentError, CheckpointError
from vs_interp.networks.base import Network
from vs_interp.registry import NETWORKS, network_class

from .model_files import read_model_file
from .published_files import read_published


def load_checkpoint(path: Path, settings: Mapping[str, Any] | None = None) -> Network:
    """Return the network in a checkpoint, in evaluation mode.

    ``settings`` replace fields of the network's configuration that are independent of the weights, such as RIFE's
    ``scale``.

    Supports our own ``.safetensors`` and model files, whose metadata hold the network's name and configuration, and the
    published layouts of all registered networks and, if spandrel is installed, of those that it recognises.  These may
    be PyTorch files, safetensors, ncnn models (``.param`` with ``.bin``) or websr's ``.json``.  Raises
    :class:`CheckpointError` if the file is not a checkpoint, would run code, or has tensors that do not fit.
    """
    if not path.is_file():
        raise CheckpointError(f"cannot read the checkpoint {path}: there is no such file")
    metadata: dict[str, str] = {}
    if path.suffix == ".safetensors":
        metadata, tensors = _read_safetensors(path)
    elif path.suffix == ".onnx":
        metadata, tensors = read_model_file(path)
    else:
        tensors = {name: torch.from_numpy(value) for name, value in read_published(path).items()}
    if "network" in metadata:
        network = _build(path, metadata)
        if path.suffix == ".onnx":
            _check_norms(path, network, tensors)
            wanted = network.state_dict()
            tensors = {name: _shaped(tensor, wanted[name]) for name, tensor in tensors.items() if name in wanted}
            tensors |= {name: tensor for name, tensor in wanted.items() if not tensor.is_floating_point()}  # counters
    else:
        network, tensors = _recognise(path, tensors)
    if settings:
        network = _with_settings(path, network, settings)
    _fill(network, tensors, path)
    return network.eval()


def _check_norms(path: Path, network: Network, tensors: Mapping[str, Tensor]) -> None:
    """Raise :class:`CheckpointError` if batch norms were folded into convolutions, as in the large RAFT's files."""
    norms = [name for name, module in network.named_modules() if isinstance(module, torch.nn.BatchNorm2d)]
    if any(f"{name}.weight" not in tensors for name in norms):
        raise CheckpointError(
            f"{path} has its batch norms folded into the convolutions, and is for inference only: give the checkpoint "
            "that it was made from"
        )


def load_mean(paths: Sequence[Path], settings: Mapping[str, Any] | None = None) -> Network:
    """Return the network with the averaged weights of several checkpoints, in evaluation mode.

    The mean of several checkpoints of a training run is often better than each (Wortsman et al. 2022,
    arXiv:2203.05482).  Raises :class:`CheckpointError` like :func:`load_checkpoint`, and if networks or configurations
    differ.
    """
    mean, *others = (load_checkpoint(path, settings) for path in paths)
    for path, other in zip(paths[1:], others, strict=True):
        if type(other) is not type(mean) or other.config != mean.config:
            raise CheckpointError(
                f"{path} holds {other.config}, {paths[0]} holds {mean.config}: they cannot be averaged"
            )
    states = [network.state_dict() for network in (mean, *others)]
    mean.load_state_dict({name: sum(state[name] for state in states) / len(states) for name in states[0]})
    return mean


def _read_safetensors(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    try:
        with safe_open(path, "pt") as file:
            return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path} is not a safetensors file, or a truncated one ({error}): download or save it again"
        ) from error


def _build(path: Path, metadata: Mapping[str, str]) -> Network:
    """Return the network described by the metadata of our own files."""
    name = metadata["network"]
    if name not in NETWORKS:
        raise CheckpointError(
            f"{path} holds the network {name!r}, which is unknown: known are {', '.join(sorted(NETWORKS))}"
        )
    try:
        return network_class(name).from_config(json.loads(metadata["config"]))
    except KeyError as error:
        raise CheckpointError(f"{path} holds {name} without its configuration: its metadata needs 'config'") from error
    except (TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise CheckpointError(
            f"{path} has a configuration that {name} does not accept ({error}): update vs-interp"
        ) from error


def _with_settings(path: Path, network: Network, settings: Mapping[str, Any]) -> Network:
    """Return a network of the same kind with some fields of its configuration replaced."""
    name, config = network.spec.name, network.config
    existing = {field.name for field in dataclasses.fields(config)} if dataclasses.is_dataclass(config) else set()
    unknown = [setting for setting in settings if setting not in existing]
    if unknown:
        known = f"its settings are {', '.join(sorted(existing))}" if existing else "it has none"
        raise ArgumentError(f"{path} holds {name}, which has no setting {', '.join(unknown)}: {known}")
    try:
        return type(network)(dataclasses.replace(config, **settings))
    except (TypeError, RuntimeError) as error:
        raise ArgumentError(f"{name} does not accept the settings {dict(settings)} ({error})") from error


def _recognise(path: Path, tensors: dict[str, Tensor]) -> tuple[Network, dict[str, Tensor]]:
    """Return the first network whose published layout fits, and its tensors under our names."""
    for network in _layouts():
        try:
            found = network.from_published(tensors)
        except CheckpointError as error:
            raise CheckpointError(f"{path} {error}") from error
        except KeyError as error:
            raise CheckpointError(f"{path} lacks the tensor {error}: download or save it again") from error
        if found is not None:
            config, named = found
            return network(config), named
    first = ", ".join(list(tensors)[:3]) or "none"
    raise CheckpointError(
        f"{path} does not have the layout of a known network ({_known()}); its first tensors: {first}"
    )


def _layouts() -> Iterator[type[Network]]:
    """Yield the registered networks, and if spandrel is installed, the wrapper for its networks."""
    yield from map(network_class, NETWORKS)
    if _has_spandrel():
        from vs_interp.networks.foreign import Foreign

        yield Foreign


def _known() -> str:
    more = "those that spandrel recognises" if _has_spandrel() else "more with pip install spandrel"
    return f"{', '.join(NETWORKS)}; {more}"


def _has_spandrel() -> bool:
    return importlib.util.find_spec("spandrel") is not None


def _fill(network: Network, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Load the tensors into the network.  Raises :class:`CheckpointError` naming the first three that do not fit."""
    wanted = network.state_dict()
    problems = [f"{name} is missing" for name in wanted if name not in tensors]
    problems += [f"{name} does not belong to it" for name in tensors if name not in wanted]
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
            f"{path} has NaN or infinite weights in {', '.join(broken[:3])}: download or train it again"
        )
    network.load_state_dict(dict(tensors))


def _shaped(tensor: Tensor, wanted: Tensor) -> Tensor:
    """Return a tensor in the wanted shape if it has as many elements: graphs have additional axes of length 1."""
    return tensor.reshape(wanted.shape) if tensor.numel() == wanted.numel() else tensor


def _shape(tensor: Tensor) -> str:
    return "×".join(map(str, tensor.shape)) or "a scalar"
