"""The network that a run starts from, and its first weights."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter, ValidationError
from torch import nn

from vs_interp.errors import ArgumentError, CheckpointError
from vs_interp.log import logger
from vs_interp.networks.base import Network
from vs_interp.registry import NETWORKS, network_class
from vs_interp.weights.catalogue import catalogue, resolve
from vs_interp.weights.checkpoint import load_checkpoint, load_mean

from .perceptual import HELP
from .recipe import Recipe


def resolved(recipe: Recipe, network: dict[str, Any] | None = None) -> Recipe:
    """Return the recipe with everything that depends on files filled in: the network, and the perceptual loss.

    ``network`` is that of a run that is resumed; otherwise it is the recipe's own, or that of the start weights.  If
    VGG16's weights are missing, the perceptual loss is dropped with a warning.
    """
    changes: dict[str, Any] = {"network": network or recipe.network or _network_of(recipe.training.start)}
    others = {name: weight for name, weight in recipe.losses.items() if name != "perceptual"}
    missing = recipe.perceptual is not None and not recipe.perceptual.exists()
    if "perceptual" in recipe.losses and missing and any(others.values()):
        logger.warning("there is no %s: training without the perceptual loss.  %s", recipe.perceptual, HELP)
        changes["losses"] = others
    return recipe.model_copy(update=changes)


def _network_of(start: Any) -> dict[str, Any]:
    """Return the name and configuration of the network whose weights a run starts from."""
    found = load_checkpoint(weights_file(start[0] if isinstance(start, tuple) else start))
    name = next((name for name in NETWORKS if network_class(name) is type(found)), None)
    if name is None:
        raise ArgumentError(
            f"{start} holds {found.spec.name}, which cannot be trained: use one of {', '.join(NETWORKS)}"
        )
    return {"name": name, **asdict(found.config)}


def first_network(recipe: Recipe) -> Network:
    """Return the network that a run starts from: initialised as in its paper, or with the weights of ``start``.

    Its frozen parts need no gradients.  Raises :class:`ArgumentError` for an invalid configuration, and
    :class:`CheckpointError` for weights that do not fit the network.
    """
    network = _built(recipe.network)
    network.initialise()
    start = recipe.training.start
    if isinstance(start, dict):
        for name, path in start.items():
            named = part(network, name)
            for one in named if isinstance(named, nn.ModuleList) else (named,):
                load_start(one, (path,), name)
    elif start is not None:
        load_start(network, start if isinstance(start, tuple) else (start,))
    for name in recipe.training.frozen:
        part(network, name).requires_grad_(False)
    if not any(parameter.requires_grad for parameter in network.parameters()):
        raise ArgumentError(f"training.frozen leaves nothing of {network.spec.name} to train: freeze less")
    return network


def _built(values: dict[str, Any]) -> Network:
    """Build a network from its table in a recipe, whose keys are the fields of its configuration."""
    name = str(values.get("name"))
    kind = network_class(name)
    given = {key: value for key, value in values.items() if key != "name"}
    known = [entry.name for entry in fields(kind.Config)]
    if unknown := [key for key in given if key not in known]:
        raise ArgumentError(
            f"the recipe's [network] has the unknown keys {', '.join(unknown)}: {name} has {', '.join(known) or 'none'}"
        )
    try:
        TypeAdapter(kind.Config).validate_json(json.dumps(given), strict=True)  # JSON, where arrays may be tuples
        with warnings.catch_warnings(action="ignore"):  # about layers without weights, which are an error below
            network = kind.from_config(given)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ArgumentError(f"the recipe's network.{place} is {first['input']!r}: {first['msg']}") from error
    except (TypeError, ValueError, RuntimeError, ArithmeticError, LookupError) as error:
        raise ArgumentError(f"no {name} can be built from {given} ({error}): change the recipe's [network]") from error
    if any(not weights.numel() for weights in network.parameters()):
        raise ArgumentError(f"a {name} built from {given} has layers without weights: change the recipe's [network]")
    return network


def part(network: Network, name: str) -> nn.Module:
    """Return the submodule of a network that a recipe names.  Raises :class:`ArgumentError` if there is none."""
    try:
        return network.get_submodule(name)
    except AttributeError as error:
        known = ", ".join(child for child, _ in network.named_children())
        raise ArgumentError(
            f"the recipe names the part {name!r}, which {network.spec.name} does not have: it has {known}"
        ) from error


def weights_file(start: Path) -> Path:
    """Return the file of start weights, which are given as a checkpoint, a model file, or a name in the catalogue."""
    return resolve(str(start)) if str(start) in catalogue() else start


def load_start(network: nn.Module, paths: Sequence[Path], name: str = "") -> None:
    """Load the mean of the weights in checkpoints of one network into a network or a part of one.

    A part is given with its ``name``.  It gets the weights of the part of that name in the checkpoints if that is of
    the same class, otherwise those of the first network of its class in them.  Settings without weights may differ
    (``flow_scales``, for instance), and layers that the checkpoints do not have are left alone.  Raises
    :class:`CheckpointError` if the shapes of weights differ.
    """
    whole, here = load_mean([weights_file(path) for path in paths]), shapes(network)
    parts = {called: one for called, one in whole.named_modules() if type(one) is type(network)}
    networks = (one for one in parts.values() if isinstance(one, Network))
    found = parts[name] if name in parts else next(networks, whole)
    if type(found) is not type(network) or any(here.get(name) != shape for name, shape in shapes(found).items()):
        wanted = (
            network.config if isinstance(network, Network) else f"{name}, a {type(network).__name__} of other shapes"
        )
        raise CheckpointError(f"{paths[0]} holds {whole.config}, but the recipe needs {wanted}: make them agree")
    network.load_state_dict(found.state_dict(), strict=False)


def shapes(network: nn.Module) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the weights by name."""
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


def channels_last(network: Network) -> Network:
    """Store the weights of 2D and 3D convolutions channels-last, which tensor cores and oneDNN prefer.

    Pictures keep their layout: if it differed from that of the truth, the losses took a fifth of a step on CPUs.
    """
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    for parameter in network.parameters():
        if parameter.dim() in formats:
            parameter.data = parameter.data.contiguous(memory_format=formats[parameter.dim()])
    return network
