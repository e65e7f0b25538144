"""Super-SloMo against the published implementations' outputs, and its exported graph against PyTorch."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from torch import nn

from tests.reference import middle, vectors, weights
from trt_build.pytorch.export import export
from vs_interp.errors import ArgumentError
from vs_interp.networks.in_place import InPlace
from vs_interp.networks.super_slomo import SuperSloMo, SuperSloMoConfig
from vs_interp.networks.warp import Sampling, Warp


@pytest.mark.parametrize(
    ("reference", "align", "times"),
    [("super_slomo", 0, 3), ("super_slomo", 1, 3), ("super_slomo_early_skip", 0, 2)],
)
def test_flow_and_frames_equal_the_published_implementation(reference: str, align: int, times: int) -> None:
    outputs = vectors(reference)
    tensors = {name: torch.from_numpy(values) for name, values in weights(reference).items()}
    found = SuperSloMo.from_published(tensors)
    assert found is not None
    config, state = found
    network = SuperSloMo(SuperSloMoConfig(**{**vars(config), "align_corners": bool(align)})).eval()
    network.load_state_dict(state)
    frames = torch.from_numpy(outputs["frame0"]), torch.from_numpy(outputs["frame1"])
    with torch.no_grad():
        flow = torch.cat(network.flow(*frames), 1).numpy()
        assert np.abs(middle(flow, outputs["flow"]) - outputs["flow"]).max() < 1e-4
        listed = [name for name in outputs if name.endswith(f"_align{align}")]
        assert len(listed) == times
        for name in listed:
            time = float(name.removeprefix("frame_t").partition("_")[0])
            made = network(*frames, torch.full((1, 1, 1, 1), time)).numpy()
            assert np.abs(middle(made, outputs[name]) - outputs[name]).max() < 1e-4, name


def test_the_paper_s_network_has_the_published_number_of_parameters() -> None:
    network = SuperSloMo()
    assert sum(p.numel() for p in network.flow_network.parameters()) == 19_794_116
    assert sum(p.numel() for p in network.synthesis_network.parameters()) == 19_816_357


def test_one_picture_twice_gives_that_picture_when_the_warp_is_exact() -> None:
    """With zero flow and an exact warp, blending a frame with itself must give it back, whatever the weights do."""
    torch.manual_seed(1)
    network = SuperSloMo(SuperSloMoConfig(width=2, exact_warp=True, padding="border", flow_gain=0.0)).eval()
    frame = torch.rand(1, 3, 32, 64)
    with torch.no_grad():
        made = network(frame, frame, torch.full((1, 1, 1, 1), 0.3))
    assert (made - frame).abs().max() < 1e-5


class HalfOfTheShift(nn.Module):
    """A flow network for pictures that are ramps along x: half of the shift between them, in pixels."""

    def forward(self, pair: torch.Tensor) -> torch.Tensor:
        slope = (pair[:, :1, :, 1:] - pair[:, :1, :, :-1]).median()
        shift = (pair[:, :1] - pair[:, 3:4]) / slope / 2
        return torch.cat((shift, 0 * shift, -shift, 0 * shift), 1)


@pytest.mark.parametrize(("scales", "found"), [((1,), 0.5), ((2,), 0.5), ((4, 2), 0.75), ((4, 2, 1), 0.875)])
def test_every_step_finds_what_is_left_of_the_flow(scales: tuple[int, ...], found: float) -> None:
    """A network that sees half of any shift leaves a half, a quarter, an eighth of it after one, two, three steps."""
    network = SuperSloMo(SuperSloMoConfig(width=2, exact_warp=True, padding="border", flow_scales=scales)).double()
    network.flow_network = HalfOfTheShift()  # type: ignore[assignment]
    ramp = torch.arange(256, dtype=torch.float64).expand(1, 3, 128, 256) / 256
    flow01, flow10 = network.flow(ramp, ramp - 8 / 256)
    inner = (0, slice(None), slice(32, -32), slice(32, -32))
    for flow, shift in ((flow01, 8.0), (flow10, -8.0)):
        assert flow[inner][0] == pytest.approx(shift * found, abs=1e-4)
        assert flow[inner][1] == pytest.approx(0.0, abs=1e-4)


@pytest.mark.parametrize("scales", [(), (0,), (4, 3), (2, 4)])
def test_flow_scales_that_do_not_follow_from_each_other_are_refused(scales: tuple[int, ...]) -> None:
    with pytest.raises(ArgumentError, match="flow_scales"):
        SuperSloMo(SuperSloMoConfig(width=2, flow_scales=scales))


def test_a_bicubic_warp_keeps_a_fine_wave_that_a_bilinear_one_flattens() -> None:
    """A wave of 6 pixels, shifted by half a pixel: a bilinear reading is cos(pi/6) of it, 13.4 % too low."""
    places = torch.arange(96, dtype=torch.float64).expand(1, 1, 8, 96)
    flow = torch.zeros(1, 2, 8, 96, dtype=torch.float64)
    flow[:, 0] = 0.5
    off = {
        sampling: float(
            (Warp(exact=True, sampling=sampling)(wave(places), flow) - wave(places + 0.5))[..., 8:-8].abs().max()
        )
        for sampling in get_args(Sampling)
    }
    assert off["bilinear"] == pytest.approx(1 - math.cos(math.pi / 6), rel=0.02)
    assert off["bicubic"] < off["bilinear"] / 4


def wave(places: torch.Tensor) -> torch.Tensor:
    """A sine of 6 pixels."""
    return torch.sin(places * (math.pi / 3))


@pytest.mark.parametrize("time", [0.5, 0.25])
def test_frames_are_blended_in_place_where_the_warped_ones_disagree_more(time: float) -> None:
    """Against the logistic function of 100 times the difference of both mean disagreements, less 3."""
    generator = torch.Generator().manual_seed(3)
    base = torch.rand(1, 3, 9, 12, generator=generator)
    network = InPlace()
    for apart, warped_apart in ((0.0, 0.2), (0.2, 0.0), (0.05, 0.05), (0.0, 0.02)):
        frames, warped = (base, base + apart), (base + 0.3, base + 0.3 - warped_apart)
        made = network(base + 0.3, frames, warped, torch.full((1, 1, 1, 1), time)).detach()
        weight = 1 / (1 + math.exp(3 - 100 * (warped_apart - apart)))
        wanted = base + 0.3 + weight * (time * apart - 0.3)
        assert (made - wanted)[..., 2:-2, 2:-2].abs().max() < 1e-5


def test_the_state_is_as_large_as_the_frames_whatever_the_synthesis_works_at() -> None:
    """Every backend lays it out so.  The frame made of the state is that of the steps, which training takes."""
    network = SuperSloMo(SuperSloMoConfig(width=2, synthesis_scale=2)).eval()
    frames, time = (torch.rand(1, 3, 32, 64), torch.rand(1, 3, 32, 64)), torch.full((1, 1, 1, 1), 0.3)
    with torch.no_grad():
        state = network.state(*frames)
        assert [tensor.shape[2:] for tensor in state] == [(32, 64)] * 3
        made = network.synthesise(*frames, network.known(*frames), time).frame
        assert torch.equal(network.made(frames, state, time), made)
    with pytest.raises(ArgumentError, match="give an even width"):
        SuperSloMo(SuperSloMoConfig(width=3, synthesis_scale=2))


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"width": 2},
        {
            "width": 2,
            "skip": "early",
            "first_kernel": 9,
            "align_corners": False,
            "flow_scales": (2, 1),
            "in_place": True,
            "synthesis_scale": 2,
        },
    ],
    ids=["published", "all else"],
)
def test_export_is_validated_and_describes_itself(tmp_path: Path, options: dict[str, Any]) -> None:
    torch.manual_seed(2)
    network = SuperSloMo(SuperSloMoConfig(**options)).eval()
    model = export(network, tmp_path / "model.onnx")
    assert model.spec == network.spec
    state, synthesis = model.split()
    assert state is not None
    assert [value.name for value in state.graph.output] == ["flow01", "flow10", "features"]
    assert {"flow01", "flow10", "features", "time"} <= {value.name for value in synthesis.graph.input}
    assert not [node for node in synthesis.graph.node if "/flow_network/" in node.name]
    assert any("/warp/" in node.name for node in synthesis.graph.node)
    with pytest.raises(ArgumentError, match="exists"):
        export(network, tmp_path / "model.onnx")
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]
