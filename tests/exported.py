"""Registered networks as model files, exported once for all tests of a run: an export takes seconds."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import torch

from tests.made_once import made_once
from trt_build.model_file import ModelFile, with_spec
from trt_build.pytorch.export import to_graph
from vs_interp.networks.base import Network
from vs_interp.registry import network_class

CONFIGURATIONS: Mapping[str, Mapping[str, Any]] = {
    "super-slomo": {"width": 8},
    "rife": {"version": "4.25"},
    "fsrcnn": {"scale": 3},
}
"""What differs from a network's own defaults."""

OTHER_KINDS = {"raft", "perceiver-flow", "simvp", "nowcast", "unet49", "slot-attention"}
"""Networks that make flow, labels, or frames yet to come: tests/trt_build/test_kinds.py builds them small."""


@cache
def exported(name: str) -> tuple[Network, ModelFile]:
    """Return a network with random weights, and its model file, which nothing has been checked of."""
    torch.manual_seed(3)
    kind = network_class(name)
    network = kind.from_config(CONFIGURATIONS.get(name, {})).eval()
    made = made_once(f"{name}.onnx", lambda: with_spec(to_graph(network), network.spec).SerializeToString())
    return network, ModelFile.from_bytes(made)
