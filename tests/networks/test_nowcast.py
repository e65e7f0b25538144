"""The nowcasting network and Perceiver's flow against the published implementations' outputs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.prediction_reference import error, tensor, tensors, vectors
from vs_interp.errors import ArgumentError
from vs_interp.networks.nowcast import MOST_BLUR, Blur, Nowcast, NowcastConfig
from vs_interp.networks.perceiver_flow import PerceiverFlow, PerceiverFlowConfig


def network(statistics: str, blur: float = 0.0) -> Nowcast:
    found = Nowcast.from_published(tensors("nowcast"))
    assert found is not None
    assert (found[0].seen, found[0].made, found[0].width) == (12, 24, 64)
    built = Nowcast(NowcastConfig(statistics=statistics, blur=blur)).eval()  # type: ignore[arg-type]
    built.load_state_dict(found[1])
    return built


def test_nowcasts_equal_the_published_network_s_in_each_kind_of_statistics() -> None:
    known, own = vectors("nowcast"), network("window")
    window = tensor(known["window"].astype(np.float32)) / 1023
    assert sum(p.numel() for p in own.parameters()) == 5_282_296
    assert sum(p.numel() for p in own.encoder.parameters()) == 1_347_904
    with torch.no_grad():
        assert relative(own.features(window[0][:, None])[0, ::8], known["features_t0"]) < 2e-3
        assert relative(own.following(window)[0, [0, 23]], known["out0_alone"]) < 2e-3
        assert relative(network("running").following(window)[0, [0, 23]], known["out0_running"]) < 2e-3


def test_the_blur_is_the_published_score_s() -> None:
    known = vectors("nowcast")
    assert error(Blur(3.0)(tensor(known["out0_batch"]))[0], known["out0_blurred"]) < 2e-4


@pytest.mark.parametrize("blur", [-1.0, 12.5, 13.0, float("nan")])
def test_a_blur_wider_than_the_picture_is_refused(blur: float) -> None:
    assert Blur(MOST_BLUR)(torch.rand(1, 1, 64, 64)).shape == (1, 1, 64, 64)
    with pytest.raises(ArgumentError, match="blur 0 to 12"):
        Nowcast(NowcastConfig(seen=2, made=2, width=4, blur=blur))


def relative(made: torch.Tensor, known: np.ndarray) -> float:
    return error(made, known.astype(np.float32)) / float(np.abs(known).max())


def test_a_window_s_statistics_are_its_own_whatever_else_is_in_the_batch_and_constant_pictures_are_finite() -> None:
    torch.manual_seed(1)
    small = Nowcast(NowcastConfig(seen=2, made=3, width=4, blur=3.0)).eval()
    frames = [torch.rand(2, 1, 128, 128) for _ in range(2)]
    with torch.no_grad():
        together = small(*frames)
        alone = torch.cat([small(*(frame[index : index + 1] for frame in frames)) for index in range(2)])
        assert torch.isfinite(small(*[torch.zeros(1, 1, 128, 128)] * 2)).all()
    assert together.shape == (6, 1, 64, 64)
    assert (together - alone).abs().max() < 1e-5
    assert small.spec.fixed == (128, 128)
    assert small.spec.output.crop == (32, 32, 64, 64)


def test_perceiver_s_flow_equals_transformers() -> None:
    found = PerceiverFlow.from_published(tensors("perceiver_flow"))
    assert found is not None
    assert (found[0].latents, found[0].latent_width, found[0].layers) == (24, 32, 3)
    built = PerceiverFlow(PerceiverFlowConfig(size=(24, 32), latents=24, latent_width=32, layers=3, heads=4)).eval()
    built.load_state_dict(found[1])
    known = vectors("perceiver_flow")
    frames = tensor(known["frame0"]), tensor(known["frame1"])
    with torch.no_grad():
        assert error(built.raw(*frames)[0], 100 * known["flow"]) < 1e-5
        assert error(built(*frames)[:, 0], 20 * known["flow"]) < 2e-6


def test_perceiver_s_published_size_has_the_published_count() -> None:
    with torch.device("meta"):
        whole = PerceiverFlow()
    assert sum(p.numel() for p in whole.parameters()) == 41_057_134
