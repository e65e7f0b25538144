"""The enlarging and refining networks: parameters, what they do with known weights, exported graphs against PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from tests.exported import exported
from trt_build.pytorch.export import export, validate
from vs_interp.networks.base import Network
from vs_interp.networks.compact import Compact, CompactConfig
from vs_interp.networks.fsrcnn import Fsrcnn, FsrcnnConfig
from vs_interp.networks.guided import GuidedFiveParallel
from vs_interp.networks.refine import Delta, FiveParallel, FsrcnnFiveParallel
from vs_interp.networks.span import SpanConfig
from vs_interp.registry import NETWORKS, network_class


def parameters(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("network", "count"),
    [(Delta(), 83_702), (FiveParallel(), 259_938), (Compact(), 621_424)],
    ids=["delta", "five-parallel", "compact 64x16 x4"],
)
def test_the_numbers_of_parameters_are_the_published_ones(network: Network, count: int) -> None:
    assert parameters(network) == count


def test_fsrcnn_has_the_paper_s_weights() -> None:
    """Table 1 of the paper: 25d + 2sd + 9ms² + 81d weights, 12,464 for (56, 12, 4), biases and PReLU not counted."""
    weights = [p for p in Fsrcnn().parameters() if p.dim() == 4]
    assert sum(weight.numel() for weight in weights) == 12_464


@pytest.mark.parametrize("name", NETWORKS)
def test_every_registered_network_says_its_own_name(name: str) -> None:
    assert network_class(name)().spec.name == name


@pytest.mark.parametrize(("name", "frames"), [("single-frame", 1), ("delta", 3), ("five-parallel", 5)])
def test_a_refiner_without_changes_gives_the_middle_frame(name: str, frames: int) -> None:
    """With every last convolution at zero only the residual paths are left: the frame in the middle, untouched."""
    torch.manual_seed(1)
    network = network_class(name)().eval()
    for layers in network.modules():
        if isinstance(layers, torch.nn.Sequential):
            torch.nn.init.zeros_(layers[-1].weight)  # type: ignore[arg-type]
            torch.nn.init.zeros_(layers[-1].bias)  # type: ignore[arg-type]
    window = [torch.rand(2, 3, 12, 16) for _ in range(frames)]
    with torch.no_grad():
        assert torch.equal(network(*window), window[frames // 2])


def test_residual_stacks_run_twice() -> None:
    """A stack that gives the constant c adds 2c; with 0.1 in each 2D stack, 0.05 in the 3D one: +0.3."""
    network = FiveParallel().eval()
    for stack, constant in [*((one.change, 0.1) for one in network.alone), (network.together, 0.05)]:
        torch.nn.init.zeros_(stack[-1].weight)
        torch.nn.init.constant_(stack[-1].bias, constant)
    with torch.no_grad():
        made = network(*(torch.full((1, 3, 8, 8), 0.1 * index) for index in range(5)))
    assert torch.allclose(made, torch.tensor(0.2 + 0.3))


def test_the_guided_refiner_begins_as_the_unguided_one() -> None:
    """Its flow begins at zero and its warp is exact, so with equal weights both give the same."""
    torch.manual_seed(4)
    guided, plain = GuidedFiveParallel().eval(), FiveParallel().eval()
    plain.load_state_dict({n: t for n, t in guided.state_dict().items() if not n.startswith("flow.")})
    window = [torch.rand(1, 3, 16, 24) for _ in range(5)]
    with torch.no_grad():
        assert torch.allclose(guided(*window), plain(*window), atol=1e-5)
    assert parameters(guided.flow) == 30_082


def test_the_guided_refiner_brings_a_moved_frame_back() -> None:
    """With the flow that undoes the motion, a moved neighbour is warped onto the middle frame."""
    guided = GuidedFiveParallel().eval()
    torch.nn.init.constant_(guided.flow.layers[-1].bias[0:1], 3 / 32)  # type: ignore[index,arg-type]
    middle = torch.rand(1, 3, 16, 24)
    moved = torch.roll(middle, 3, 3)
    with torch.no_grad():
        brought = guided.warp(moved, guided.flow(middle, moved))
    assert torch.allclose(brought[..., :-3], middle[..., :-3], atol=1e-4)


def test_two_steps_enlarge_luma_and_colours_apart() -> None:
    """Where FSRCNN gives zero luma, what is left is the colours' bicubic enlargement: a grey picture is black."""
    network = FsrcnnFiveParallel(FsrcnnConfig(scale=2)).eval()
    torch.nn.init.zeros_(network.enlarger.enlarge.weight)
    torch.nn.init.constant_(network.enlarger.enlarge.bias, 0.25)  # type: ignore[arg-type]
    grey = torch.rand(1, 1, 12, 16).expand(1, 3, 12, 16)
    assert torch.allclose(network.enlarged(grey), torch.tensor(0.25), atol=1e-6)
    colours = torch.rand(1, 3, 12, 16)
    luma = (colours * torch.tensor((0.299, 0.587, 0.114)).view(1, 3, 1, 1)).sum(1, keepdim=True)
    wanted = functional.interpolate(colours - luma, scale_factor=2, mode="bicubic") + 0.25
    assert torch.allclose(network.enlarged(colours), wanted, atol=1e-6)


def untouched_compact(scale: int) -> Compact:
    """A network that adds nothing to the picture, whose pixels it repeats."""
    network = Compact(CompactConfig(scale=scale, features=2, convolutions=1)).eval()
    torch.nn.init.zeros_(network.body[-1].weight)  # type: ignore[arg-type]
    torch.nn.init.zeros_(network.body[-1].bias)  # type: ignore[arg-type]
    return network


def test_compact_adds_to_the_repeated_pixels() -> None:
    frame = torch.rand(1, 3, 8, 8)
    with torch.no_grad():
        assert torch.equal(untouched_compact(4)(frame), frame.repeat_interleave(4, 2).repeat_interleave(4, 3))


def test_compact_shrinks_to_a_smaller_scale_by_the_cubic_kernel() -> None:
    """×4 pixels halved: of the kernel's taps (A = −0.75, half a pixel off) -3/32, 19/32, 19/32, -3/32 three lie in the
    pixel itself and the outer one in its neighbour, along either axis; past the edge the last pixel repeats."""

    def shrunk(values: torch.Tensor, axis: int) -> torch.Tensor:
        size = values.shape[axis]
        before = values.index_select(axis, torch.arange(-1, size - 1).clamp(min=0))
        after = values.index_select(axis, torch.arange(1, size + 1).clamp(max=size - 1))
        return torch.stack([values * 35 / 32 - side * 3 / 32 for side in (before, after)], axis + 1).flatten(
            axis, axis + 1
        )

    frame = torch.rand(1, 3, 6, 8)
    with torch.no_grad():
        made = untouched_compact(2)(frame)
    assert torch.allclose(made, shrunk(shrunk(frame, 2), 3), atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "config"),
    [("span", SpanConfig(scale=2, features=8)), ("compact", CompactConfig(scale=3, features=8, convolutions=2))],
)
def test_export_is_validated_against_pytorch(tmp_path: Path, name: str, config: Any) -> None:
    torch.manual_seed(3)
    network = network_class(name)(config)  # type: ignore[call-arg]
    model = export(network, tmp_path / "model.onnx")
    assert model.spec.output.scale == config.scale
    assert model.spec == network.spec


def test_equal_networks_have_equal_model_files() -> None:
    """The exporter's own notes are sets, written in an order that differs from process to process."""
    _, model = exported("fsrcnn")
    assert not model.graph.graph.metadata_props


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["fsrcnn", "fsrcnn+single-frame", "fsrcnn+delta", "fsrcnn+five-parallel", "fsrcnn+guided-five-parallel"]
)  # fmt: skip
def test_graphs_equal_pytorch(name: str) -> None:
    network, model = exported(name)
    validate(network, model)
    assert model.spec.output.scale == network.config.scale
