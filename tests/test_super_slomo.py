"""Super-SloMo against the published implementations' outputs, and its exported graph against PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from trt_build.export import export
from vs_interp.errors import ArgumentError
from vs_interp.networks.super_slomo import SuperSloMo, SuperSloMoConfig

from .reference import vectors, weights
from .support import needs_shared


@needs_shared
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
        assert np.abs(flow - outputs["flow"]).max() < 1e-4
        listed = [name for name in outputs if name.endswith(f"_align{align}")]
        assert len(listed) == times
        for name in listed:
            time = float(name.removeprefix("frame_t").partition("_")[0])
            made = network(*frames, torch.full((1, 1, 1, 1), time)).numpy()
            assert np.abs(made - outputs[name]).max() < 1e-4, name


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


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [{"width": 2}, {"width": 2, "skip": "early", "first_kernel": 9, "align_corners": False, "flow_scale": 2}],
    ids=["published", "early skip, flow at half size"],
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
