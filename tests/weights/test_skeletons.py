"""Skeletons: model files made without PyTorch are those that PyTorch makes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from tests.support import ROOT
from tools.skeletons import current_layout, make_skeleton
from trt_build.model_file import SPEC_KEY, ModelFile
from trt_build.pytorch.export import to_model
from vs_interp.errors import CheckpointError
from vs_interp.networks.rife import Rife, RifeConfig
from vs_interp.spec import NetworkSpec
from vs_interp.weights.catalogue import catalogue, find
from vs_interp.weights.checkpoint import load_checkpoint
from vs_interp.weights.skeletons import filled, layout_of, read_skeleton, skeleton_file, weights_digest, with_norm

NAMES = list(dict.fromkeys(e.skeleton for e in catalogue().values() if skeleton_file(e.skeleton).is_file()))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_skeleton_is_what_its_network_gives_today(name: str) -> None:
    """After a change of a network, its export or the spec: ``python -m tools.skeletons``."""
    again, kept = make_skeleton(find(name), current_layout(find(name))), read_skeleton(name)
    assert_equal(again, kept)
    np.testing.assert_equal(layout_of(again), layout_of(kept))  # slopes among them are arrays
    said = [{entry.key: entry.value for entry in each.metadata_props}[SPEC_KEY] for each in (again, kept)]
    assert NetworkSpec.from_json(said[0]) == NetworkSpec.from_json(said[1])


def assert_equal(first: onnx.ModelProto, second: onnx.ModelProto) -> None:
    """Graphs are equal but for the order in which the exporter lists the shapes of tensors."""
    for part in ("input", "output", "initializer", "node"):
        pairs = zip(getattr(first.graph, part), getattr(second.graph, part), strict=True)
        assert [one.name for one, other in pairs if one != other] == [], part
    shapes = [{value.name: value.type for value in each.graph.value_info} for each in (first, second)]
    assert shapes[0] == shapes[1]


def published(tmp_path: Path, seed: int = 0) -> tuple[Rife, Path]:
    """A RIFE 4.25 of random weights, and the file that its authors would have published."""
    torch.manual_seed(seed)
    network = Rife(RifeConfig(version="4.25")).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.05)  # no two are equal, which the exporter would write only once
    path = tmp_path / "flownet.pkl"
    torch.save({f"module.{name}": tensor for name, tensor in network.state_dict().items()}, path)
    return network, path


@pytest.mark.slow
def test_a_filled_skeleton_is_the_network_s_export(tmp_path: Path) -> None:
    name = "waifu2x-upconv7-anime-x2"
    path, random = tmp_path / "weights.pth", np.random.default_rng(1)
    tensors = {tensor: torch.from_numpy(random.normal(0, 0.05, shape).astype(np.float32))
               for tensor, shape in layout_of(read_skeleton(name)).items()}  # fmt: skip
    torch.save(tensors, path)
    network = load_checkpoint(path, find(name).settings)
    graph, wanted = filled(read_skeleton(name), path), to_model(network)
    assert weights_digest(graph) == weights_digest(wanted)
    assert_equal(graph, wanted)
    assert ModelFile.from_bytes(graph.SerializeToString()).spec == network.spec


def test_a_skeleton_of_another_version_is_refused(tmp_path: Path) -> None:
    _, path = published(tmp_path)
    with pytest.raises(
        CheckpointError, match=r"flownet.pkl does not fit rife: .*block0.conv0.0.0.weight is 96×15×3×3 where 96×7"
    ):
        filled(read_skeleton("rife-4.6"), path)


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    network, path = published(tmp_path)
    network.get_parameter("block0.lastconv.0.bias").data[3] = torch.nan
    torch.save(network.state_dict(), path)
    with pytest.raises(CheckpointError, match=r"block0\.lastconv\.0\.bias has NaN or infinite weights"):
        filled(read_skeleton("rife-4.25"), path)


@pytest.mark.parametrize("name", NAMES)
def test_a_skeleton_holds_no_weights(name: str) -> None:
    """Nobody's weights are in the package: what remains are sizes, and numbers of the architecture."""
    skeleton = read_skeleton(name)
    kept = {each.name: each.raw_data for each in skeleton.graph.initializer if each.raw_data}
    assert sum(map(len, kept.values())) < 4096
    assert skeleton_file(name).stat().st_size < 60_000  # RAFT's twenty updates are 2,667 nodes
    assert all(np.prod(shape) >= 1 for shape in layout_of(skeleton).values() if isinstance(shape, tuple))


def test_every_entry_to_be_fetched_has_one() -> None:
    """So that ``weights get`` needs no PyTorch for any of those that the documentation names."""
    without = [e.name for e in catalogue().values() if not e.bundled and e.skeleton not in NAMES]
    known = ("rife", "span", "realesr", "real-cugan", "waifu2x", "flavr", "super-slomo", "raft")
    assert [name for name in without if name.startswith(known)] == []


def test_who_shares_a_skeleton_has_the_same_graph() -> None:
    """Entries differ in their weights alone."""
    for entry in catalogue().values():
        owner = find(entry.skeleton)
        assert (entry.network, entry.config, entry.settings) == (owner.network, owner.config, owner.settings)


def test_a_batch_norm_goes_into_the_convolution_before_it() -> None:
    """As PyTorch computes both, one after the other."""
    torch.manual_seed(2)
    convolution, norm = torch.nn.Conv2d(3, 5, 3).double(), torch.nn.BatchNorm2d(5).double().eval()
    for tensor in (norm.weight.data, norm.bias.data, norm.running_mean, norm.running_var):
        assert tensor is not None
        tensor.copy_(torch.rand(5) + 0.5)
    tensors = {f"norm.{name}": tensor.numpy() for name, tensor in norm.state_dict().items()}
    weight, bias = (
        with_norm(each.detach().numpy(), "norm", tensors) for each in (convolution.weight, convolution.bias)
    )
    picture = torch.rand(1, 3, 8, 8, dtype=torch.float64)
    made = torch.nn.functional.conv2d(picture, torch.from_numpy(weight), torch.from_numpy(bias))
    assert (made - norm(convolution(picture))).abs().max() < 1e-12


def test_making_a_model_file_imports_no_pytorch(tmp_path: Path) -> None:
    """``weights get --from`` in a process where PyTorch cannot be imported."""
    _, path = published(tmp_path)
    program = """
import sys
sys.modules["torch"] = None
from pathlib import Path
from trt_build.model_file import ModelFile, write
from vs_interp.weights.skeletons import filled, read_skeleton
write(filled(read_skeleton("rife-4.25"), Path(sys.argv[1])), Path(sys.argv[2]))
print(ModelFile.load(sys.argv[2]).spec.name)
"""
    command = [sys.executable, "-c", program, str(path), str(tmp_path / "made.onnx")]
    made = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert made.stdout == "rife\n"
