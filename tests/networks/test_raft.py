"""RAFT against the published code's flows, with weights that anyone can make again and with the authors' own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.prediction_reference import error, tensor, tensors, vectors
from tests.published import published_network
from vs_interp.networks.raft import Raft, RaftConfig

PARAMETERS = {"small": 990_162, "large": 5_257_536}


def seeded(size: str, updates: int) -> Raft:
    found = Raft.from_published({f"module.{name}": t for name, t in tensors(f"raft_{size}").items()})
    assert found is not None
    config, state = found
    assert config.size == size
    network = Raft(RaftConfig(size=config.size, updates=updates)).eval()
    network.load_state_dict(state)
    return network


@pytest.mark.parametrize("size", ["small", "large"])
def test_the_flows_after_each_update_equal_the_published_code(size: str) -> None:
    network, known = seeded(size, 3), vectors(f"raft_{size}")
    frames = [tensor(vectors("raft_small")[frame]) for frame in ("frame0", "frame1")]
    assert sum(p.numel() for p in network.parameters()) == PARAMETERS[size]
    with torch.no_grad():
        steps = list(network.refined(*frames))
    for number, ((low, flow), limit) in enumerate(zip(steps, (1e-4, 2e-4, 5e-4), strict=True), 1):
        assert error(flow[0], known[f"flow_iter{number}"]) < limit, number
        if number == 3:
            assert error(low[0], known["flow_low_iter3"]) < 1e-4


@pytest.mark.published
@pytest.mark.parametrize("name", ["raft-small", "raft-sintel"])
def test_the_authors_own_weights_give_their_flows(name: str) -> None:
    network = published_network(name)
    assert isinstance(network, Raft)
    known = vectors(f"raft_{network.config.size}_published")
    frames = [tensor(vectors("raft_small_published")[frame]) for frame in ("frame0", "frame1")]
    with torch.no_grad():
        steps = list(network.refined(*frames))
    for number in (1, 12, 20):
        assert error(steps[number - 1][1][0], known[f"flow_iter{number}"]) < 2e-3, number


@pytest.mark.parametrize("size", ["small", "large"])
def test_torchvision_s_layout_gives_torchvision_s_flow(size: str) -> None:
    flows = pytest.importorskip("torchvision.models.optical_flow")
    torch.manual_seed(5)
    original = getattr(flows, f"raft_{size}")(weights=None).eval()
    found = Raft.from_published(original.state_dict())
    assert found is not None
    network = Raft(RaftConfig(size=found[0].size, updates=2)).eval()
    network.load_state_dict(found[1])
    frame0, frame1 = torch.rand(1, 3, 128, 136), torch.rand(1, 3, 128, 136)
    with torch.no_grad():
        wanted = original(2 * frame0 - 1, 2 * frame1 - 1, num_flow_updates=2)[-1]
        assert (network(frame0, frame1)[:, 0] - wanted[0]).abs().max() < 1e-3


@pytest.mark.parametrize("fill", [0.0, 0.5, None])
def test_the_smallest_picture_and_constant_ones_give_finite_flow(fill: float | None) -> None:
    """The original divides by zero where the last level of correlations is one pixel wide."""
    torch.manual_seed(1)
    network = Raft(RaftConfig(updates=2)).eval()

    def frame() -> Tensor:
        return torch.rand(1, 3, 64, 128) if fill is None else torch.full((1, 3, 64, 128), fill)

    with torch.no_grad():
        assert torch.isfinite(network(frame(), frame())).all()
    assert network.spec.padded(64) == network.spec.minimum == 128


def test_other_layouts_are_not_taken_for_its_own() -> None:
    assert Raft.from_published({"module.fnet.conv1.weight": torch.zeros(1)}) is None
