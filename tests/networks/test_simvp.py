"""SimVP against the outputs of OpenSTL and of the first release, for frames and for labels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.prediction_reference import error, tensor, tensors, vectors
from tests.reference import middle
from vs_interp import label_code
from vs_interp.errors import ArgumentError
from vs_interp.networks.simvp import Simvp, SimvpConfig

SMALL = {"frames": 3, "channels": 1, "width": 8, "inner": 16, "layers": 2}


def published(name: str) -> Simvp:
    found = Simvp.from_published({f"state_dict.model.{key}": value for key, value in tensors(name).items()})
    assert found is not None
    network = Simvp(found[0]).eval()
    network.load_state_dict(found[1])
    return network


@pytest.mark.parametrize(
    ("name", "translator", "frames", "channels", "parameters"),
    [
        ("simvp_gsta", "gsta", 11, 3, 20_368_643),
        ("simvp_gsta_masks", "gsta", 11, 14, 20_375_694),
        ("simvp_incepu", "incepu", 10, 1, None),
        ("simvp_v1", "first", 10, 1, None),
    ],
)
def test_the_frames_equal_the_published_implementation(
    name: str, translator: str, frames: int, channels: int, parameters: int | None
) -> None:
    network, known = published(name), vectors(name)
    config = network.config
    assert (config.translator, config.frames, config.channels, config.inner) == (translator, frames, channels, 256)
    assert parameters is None or sum(p.numel() for p in network.parameters()) == parameters
    window = tensor(label_code.to_planes(known["labels"]).astype(np.float32) if config.labels else known["frames"])
    with torch.no_grad():
        made = network.predicted(window)
        assert error(made[0], known["out"]) < 1e-4
        if "out_second" in known:
            assert error(network.predicted(made)[0], known["out_second"]) < 1e-4


@pytest.mark.parametrize(("threshold", "wanted"), [(0.025, "out_labels_t025"), (0.95, "out_labels_t95")])
def test_labels_go_in_and_come_out(threshold: float, wanted: str) -> None:
    known, network = vectors("simvp_gsta_masks"), published("simvp_gsta_masks")
    network.labels_out.threshold = threshold
    frames = [torch.from_numpy(labels)[None, None] / 255 for labels in known["labels"]]
    with torch.no_grad():
        made = network(*frames)
    assert made.shape == (11, 1, 32, 48)
    codes = (made[-1, 0] * 255).round().numpy()
    assert (codes == known[wanted]).mean() >= 0.999
    inner = label_code.from_planes(known["out"][-1], threshold)
    assert (inner == middle(known[wanted], inner)).mean() >= 0.999


@pytest.mark.parametrize(("inner", "translator", "millions"), [(512, "gsta", 46_769_665), (512, "incepu", 57_946_113)])
def test_the_published_sizes_for_moving_mnist(inner: int, translator: str, millions: int) -> None:
    with torch.device("meta"):
        network = Simvp(SimvpConfig(channels=1, inner=inner, translator=translator))  # type: ignore[arg-type]
    assert sum(p.numel() for p in network.parameters()) == millions


def test_blue_first_weights_are_served_red_first() -> None:
    torch.manual_seed(2)
    options = {**SMALL, "channels": 3}
    plain, turned = Simvp(SimvpConfig(**options)).eval(), Simvp(SimvpConfig(**options, bgr=True)).eval()
    turned.load_state_dict(plain.state_dict())
    frames = [torch.rand(1, 3, 16, 16) for _ in range(3)]
    with torch.no_grad():
        assert torch.equal(turned(*frames), plain(*(frame.flip(1) for frame in frames)).flip(1))


def test_the_windows_of_a_batch_keep_their_frames_together_and_constant_ones_are_finite() -> None:
    torch.manual_seed(3)
    network = Simvp(SimvpConfig(**SMALL)).eval()
    frames = [torch.rand(2, 1, 16, 20) for _ in range(3)]
    with torch.no_grad():
        together = network(*frames)
        alone = torch.cat([network(*(frame[index : index + 1] for frame in frames)) for index in range(2)])
        assert torch.isfinite(network(*[torch.zeros(1, 1, 16, 16)] * 3)).all()
    assert (together - alone).abs().max() < 1e-5
    assert network.spec.output.times == (1.0, 2.0, 3.0)
    assert network.spec.window.offsets == (-2, -1, 0)


@pytest.mark.parametrize(
    "wrong", [{"translator": "vit"}, {"depth": 3}, {"frames": 0}, {"labels": True}, {"bgr": True}, {"layers": 1}]
)
def test_configurations_that_make_no_network_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ArgumentError):
        Simvp(SimvpConfig(**{**SMALL, **wrong}))  # type: ignore[arg-type]


def test_labels_beyond_the_classes_count_as_background() -> None:
    torch.manual_seed(4)
    network = Simvp(SimvpConfig(**{**SMALL, "channels": 14}, labels=True)).eval()
    beyond = [torch.full((1, 1, 16, 16), 200 / 255)] * 3
    with torch.no_grad():
        assert torch.equal(network(*beyond), network(*[torch.zeros(1, 1, 16, 16)] * 3))
