"""Super-SloMo against the published implementations' outputs, and its exported graph against PyTorch."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from trt_build.export import export
from vs_interp.errors import ArgumentError
from vs_interp.networks.super_slomo import SuperSloMo, SuperSloMoConfig

from .support import SHARED, needs_shared


def reference_weight(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The weights of the reference vectors, by their seed name (see ../shared/reference/README.md)."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
    values = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    if len(shape) == 1:
        return values * np.float32(0.01)
    gain = np.float32(np.sqrt(2.0 / np.prod(shape[1:])))
    return values * (gain * np.float32(24) if name.endswith("/conv3.weight") else gain)


def published_tensors(reference: str) -> dict[str, torch.Tensor]:
    """The reference weights in the layout of the published checkpoint."""
    names = json.loads((SHARED / "reference" / f"{reference}.json").read_text())
    seeds = {n: n.replace("state_dictFC.", "state_dictFC/").replace("state_dictAT.", "state_dictAT/") for n in names}
    return {
        n: torch.from_numpy(reference_weight(f"{reference}/{seeds[n]}", tuple(shape))) for n, shape in names.items()
    }


@needs_shared
@pytest.mark.parametrize(
    ("reference", "align", "times"),
    [("super_slomo", 0, 3), ("super_slomo", 1, 3), ("super_slomo_early_skip", 0, 2)],
)
def test_flow_and_frames_equal_the_published_implementation(reference: str, align: int, times: int) -> None:
    vectors = np.load(SHARED / "reference" / f"{reference}.npz")
    found = SuperSloMo.from_published(published_tensors(reference))
    assert found is not None
    config, state = found
    network = SuperSloMo(SuperSloMoConfig(**{**vars(config), "align_corners": bool(align)})).eval()
    network.load_state_dict(state)
    frames = torch.from_numpy(vectors["frame0"]), torch.from_numpy(vectors["frame1"])
    with torch.no_grad():
        flow = torch.cat(network.flow(*frames), 1).numpy()
        assert np.abs(flow - vectors["flow"]).max() < 1e-4
        listed = [name for name in vectors if name.endswith(f"_align{align}")]
        assert len(listed) == times
        for name in listed:
            time = float(name.removeprefix("frame_t").partition("_")[0])
            made = network(*frames, torch.full((1, 1, 1, 1), time)).numpy()
            assert np.abs(made - vectors[name]).max() < 1e-4, name


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
    assert [value.name for value in state.graph.output] == ["flow01", "flow10"]
    assert {"flow01", "flow10", "time"} <= {value.name for value in synthesis.graph.input}
    assert not [node for node in synthesis.graph.node if "/flow_network/" in node.name]
    assert any("/warp/" in node.name for node in synthesis.graph.node)
    with pytest.raises(ArgumentError, match="exists"):
        export(network, tmp_path / "model.onnx")
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]
