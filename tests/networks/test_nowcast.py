"""The nowcasting network and Perceiver's flow against the published implementations' outputs."""

from __future__ import annotations

import numpy as np
import torch

from tests.prediction_reference import tensor, tensors, vectors
from tests.support import needs_shared
from vs_interp.networks.nowcast import Blur, Nowcast, NowcastConfig
from vs_interp.networks.perceiver_flow import PerceiverFlow, PerceiverFlowConfig, patches


def network(statistics: str, blur: float = 0.0) -> Nowcast:
    found = Nowcast.from_published(tensors("nowcast"))
    assert found is not None
    assert (found[0].seen, found[0].made, found[0].width) == (12, 24, 64)
    built = Nowcast(NowcastConfig(statistics=statistics, blur=blur)).eval()  # type: ignore[arg-type]
    built.load_state_dict(found[1])
    return built


@needs_shared
def test_nowcasts_equal_the_published_network_s_in_each_kind_of_statistics() -> None:
    known, own = vectors("nowcast"), network("window")
    windows = torch.from_numpy(known["images"].astype(np.float32)) / 1023
    assert sum(p.numel() for p in own.parameters()) == 5_282_296
    assert sum(p.numel() for p in own.encoder.parameters()) == 1_347_904
    with torch.no_grad():
        features = own.features(windows[0][:, None])
        assert relative(features[0], known["features_t0"]) < 2e-3
        assert relative(own.following(windows[:1])[0], known["out0_alone"]) < 2e-3
        assert relative(network("running").following(windows[:1])[0], known["out0_running"]) < 2e-3
        # The published score's batch: the trunk a window at a time, the decoder over the window and its companions.
        together = torch.stack([own.features(window[:, None]) for window in windows])
        batch = own._decoded(together)[0]
        assert (batch - torch.from_numpy(known["out0_batch"])).abs().max() < 2e-4
        assert (Blur(3.0)(batch[None])[0] - torch.from_numpy(known["out0_blurred"])).abs().max() < 2e-4


def relative(made: torch.Tensor, known: np.ndarray) -> float:
    wanted = torch.from_numpy(known.astype(np.float32))
    return float((made - wanted).abs().max() / wanted.abs().max())


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


@needs_shared
def test_perceiver_s_flow_equals_transformers() -> None:
    found = PerceiverFlow.from_published(tensors("perceiver_flow"))
    assert found is not None
    assert (found[0].latents, found[0].latent_width, found[0].layers) == (24, 32, 3)
    built = PerceiverFlow(PerceiverFlowConfig(size=(24, 32), latents=24, latent_width=32, layers=3, heads=4)).eval()
    built.load_state_dict(found[1])
    known = vectors("perceiver_flow")
    frames = tensor(known["frame0"]), tensor(known["frame1"])
    with torch.no_grad():
        for number, frame in enumerate(frames):
            assert (patches(frame)[0] - torch.from_numpy(known["patches"][number])).abs().max() < 1e-6
        assert (built.raw(*frames)[0] - torch.from_numpy(known["flow_x100"])).abs().max() < 1e-5
        assert (built(*frames)[:, 0] - 20 * torch.from_numpy(known["flow"])).abs().max() < 2e-6


def test_perceiver_s_published_size_has_the_published_count() -> None:
    with torch.device("meta"):
        whole = PerceiverFlow()
    assert sum(p.numel() for p in whole.parameters()) == 41_057_134
