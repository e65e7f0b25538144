"""FLAVR against the published implementation's outputs, its layouts, and its exported graph against PyTorch."""

from __future__ import annotations

from fnmatch import fnmatch

import numpy as np
import pytest
import torch

from tests import reference
from tests.conftest import Exported
from trt_build.model_file import ModelFile
from vs_interp.networks.flavr import Flavr, FlavrConfig


@pytest.mark.parametrize(
    ("factor", "tensors", "parameters"),
    [(2, 59, 42.06), pytest.param(4, 76, 42.08, marks=pytest.mark.slow), (8, 76, 42.12)],
)
def test_the_frames_equal_the_published_implementation(factor: int, tensors: int, parameters: float) -> None:
    name = f"flavr_{factor}x"
    published = {f"state_dict.module.{k}": torch.from_numpy(v) for k, v in reference.weights(name).items()}
    found = Flavr.from_published(published)
    assert found is not None
    config, state = found
    assert (config.factor, config.width, len(state)) == (factor, 64, tensors)
    network = Flavr(config).eval()
    network.load_state_dict(state)
    assert round(sum(p.numel() for p in network.parameters()) / 1e6, 2) == parameters
    vectors = reference.vectors(name)
    with torch.no_grad():
        made = network(*(torch.from_numpy(vectors[f"frame{index}"]) for index in range(4))).numpy()
    assert made.shape == (factor - 1, 3, 64, 96)
    for index in range(factor - 1):
        known = vectors[f"out{index}"][0]
        assert np.abs(reference.middle(made[index], known) - known).max() < 1e-4, index


def test_the_windows_of_a_batch_keep_their_frames_together() -> None:
    """B windows give B·M pictures, those of a window in a row: as if each window were run alone."""
    torch.manual_seed(1)
    network = Flavr(FlavrConfig(factor=4, width=4)).eval()
    frames = [torch.rand(2, 3, 16, 24) for _ in range(4)]
    with torch.no_grad():
        together = network(*frames)
        alone = torch.cat([network(*(frame[index : index + 1] for frame in frames)) for index in range(2)])
    assert together.shape == (6, 3, 16, 24)
    assert (together - alone).abs().max() < 1e-5


def test_the_times_are_the_fractions_of_the_factor() -> None:
    assert Flavr(FlavrConfig(factor=4, width=2)).spec.output.times == (0.25, 0.5, 0.75)


def test_a_residual_network_begins_with_the_frames_blended_for_each_time() -> None:
    torch.manual_seed(1)
    network = Flavr(FlavrConfig(factor=4, width=2, residual=True)).eval()
    network.initialise()
    frames = [torch.rand(2, 3, 16, 24) for _ in range(4)]
    with torch.no_grad():
        made = network(*frames)
    blended = [frames[1] * (4 - index) / 4 + frames[2] * index / 4 for index in (1, 2, 3)]
    expected = torch.stack([blended[index][window] for window in range(2) for index in range(3)])
    assert (made - expected).abs().max() < 1e-6


@pytest.mark.slow
def test_export_is_validated_and_its_means_are_fp32_islands(small_flavr: Exported) -> None:
    """The mean that is subtracted and the 13 gates' means must be found by the patterns of the spec."""
    model = ModelFile.load(small_flavr.path)
    means = [node.name for node in model.graph.graph.node if node.op_type == "ReduceMean"]
    assert len(means) == 1 + 13
    assert all(any(fnmatch(name, pattern) for pattern in model.spec.fp32_islands) for name in means)
