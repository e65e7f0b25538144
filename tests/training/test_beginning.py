"""What a run begins with: the weights of every model file by name, and networks that a recipe describes wrongly."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training_data import fsrcnn_recipe, recipe
from tests.weights.test_skeletons import NAMES as SKELETONS
from tests.weights.test_skeletons import published
from trt_build.model_file import PREFIX, WEIGHTS_KEY, ModelFile, write
from trt_build.pytorch.export import validate
from vs_interp.errors import ArgumentError
from vs_interp.registry import network_class
from vs_interp.training.beginning import first_network, resolved
from vs_interp.weights.catalogue import catalogue
from vs_interp.weights.checkpoint import load_checkpoint
from vs_interp.weights.skeletons import filled, read_skeleton

BUNDLED = [entry.name for entry in catalogue().values() if entry.bundled]
LARGE = ("super-slomo-small", "five-parallel-x4")
"""Those that take long to export."""

FOLDED = ("raft-sintel",)
"""Skeletons whose batch norms are part of the convolutions: their model files only serve."""


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name in LARGE)) for name in BUNDLED])
def test_a_run_begins_with_bundled_weights_by_their_name(pictures: Path, name: str) -> None:
    """Network and configuration come with them; what they make is what the served graph makes."""
    values = fsrcnn_recipe(pictures, start=name)
    del values["network"]
    begun = resolved(recipe(values))
    assert begun.network["name"] == catalogue()[name].network
    validate(first_network(begun).eval(), ModelFile.load(catalogue()[name].model_file))


@pytest.mark.parametrize("name", SKELETONS)
def test_a_model_file_that_is_made_of_a_published_checkpoint_has_every_weight(name: str) -> None:
    """By its own name, in parts, or elsewhere: so that entries of the catalogue can be trained on."""
    graph = read_skeleton(name)
    about = {entry.key: entry.value for entry in graph.metadata_props}
    with torch.device("meta"):
        network = network_class(about["network"]).from_config(json.loads(about["config"]))
    constants = {value.name for value in graph.graph.initializer}
    known = {re.sub(r"\[:, .*", "", constant).removeprefix(PREFIX) for constant in constants}
    elsewhere = json.loads(about.get(WEIGHTS_KEY, "{}"))
    assert set(elsewhere.values()) <= constants
    missing = {parameter for parameter, _ in network.named_parameters()} - known - elsewhere.keys()
    assert missing == (_of_batch_norms(network) if name in FOLDED else set())


def _of_batch_norms(network: torch.nn.Module) -> set[str]:
    norms = [name for name, module in network.named_modules() if isinstance(module, torch.nn.BatchNorm2d)]
    return {f"{name}.{field}" for name in norms for field in ("weight", "bias")}


def test_weights_go_through_a_model_file_as_they_are(tmp_path: Path) -> None:
    """RIFE 4.25's, from the published layout through the skeleton and back."""
    network, path = published(tmp_path)
    write(filled(read_skeleton("rife-4.25"), path), tmp_path / "rife.onnx")
    found = load_checkpoint(tmp_path / "rife.onnx").state_dict()
    for name, tensor in network.state_dict().items():
        assert torch.equal(found[name], tensor), name


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (
            {"name": "fsrcnn", "width": 3, "depth": 1},
            "has the unknown keys width, depth: fsrcnn has scale, features, shrunk, mappings",
        ),
        ({"name": "fsrcnn", "features": "many"}, "network.features is 'many': Input should be a valid integer"),
        ({"name": "fsrcnn", "features": 0}, "has layers without weights"),
        ({"name": "fsrcnn", "features": -4}, r"no fsrcnn can be built from .*'features': -4"),
        (
            {"name": "super-slomo", "skip": "sometimes"},
            "network.skip is 'sometimes': Input should be 'late' or 'early'",
        ),
        ({"name": "super-slomo", "mean": [0.5, "x", 0.5]}, r"network.mean.1 is 'x': Input should be a valid number"),
        ({"name": "raft", "size": "medium"}, "network.size is 'medium'"),
        ({"name": "rife", "version": 4.25}, "network.version is 4.25"),
    ],
)
def test_a_network_that_cannot_be_built_is_named_with_the_key(
    pictures: Path, network: dict[str, Any], message: str
) -> None:
    with pytest.raises(ArgumentError, match=message):
        first_network(recipe(fsrcnn_recipe(pictures) | {"network": network}))


def test_nothing_left_to_train_is_refused(pictures: Path) -> None:
    values = fsrcnn_recipe(pictures, frozen=["extract", "shrink", "map", "expand", "enlarge"])
    with pytest.raises(ArgumentError, match=r"training\.frozen leaves nothing of fsrcnn to train"):
        first_network(recipe(values))


def test_vgg16_that_is_missing_is_said_and_the_other_losses_train(
    pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = fsrcnn_recipe(pictures) | {"perceptual": "data/vgg16.pth", "losses": {"l1": 1.0, "perceptual": 0.1}}
    assert resolved(recipe(values)).losses == {"l1": 1.0}
    said = capsys.readouterr().err
    assert "no data/vgg16.pth: training without the perceptual loss" in said
    assert "vgg16-397923af.pth, which torchvision publishes" in said
