"""Real-CUGAN, waifu2x and Anime4K against others' implementations, and the files that they are published in."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.enlarging import NCNN_CASES, NcnnCase, kept, picture, seeded
from tests.reference import vectors
from trt_build.model_file import ModelFile
from trt_build.pytorch.export import validate
from vs_interp.errors import CheckpointError
from vs_interp.networks.anime4k import Anime4k, Anime4kConfig
from vs_interp.networks.base import Network
from vs_interp.networks.upconv7 import UpConv7
from vs_interp.networks.upcunet import UpCunet, UpCunetConfig
from vs_interp.registry import network_class
from vs_interp.weights.catalogue import find
from vs_interp.weights.checkpoint import load_checkpoint
from vs_interp.weights.skeletons import filled, layout_of, read_skeleton
from vs_interp.weights.websr import read_websr


def made(network: Network) -> torch.Tensor:
    """What a network makes of the reference's picture."""
    with torch.no_grad():
        return network.eval()(torch.from_numpy(picture())[None])[0]


@pytest.mark.parametrize("case", NCNN_CASES, ids=lambda case: case.model)
def test_the_layers_are_those_of_the_published_ncnn_models(case: NcnnCase) -> None:
    """ncnn's runtime made the vectors of the published ``.param`` files with weights that anyone can make again."""
    case.network.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in seeded(case).items()})
    wanted = vectors("enlarging")[case.model]
    np.testing.assert_allclose(kept(made(case.network).numpy()), wanted, atol=2e-5 * np.abs(wanted).max())


@pytest.mark.parametrize("size", "sml")
def test_anime4k_makes_what_its_shaders_make(size: str) -> None:
    """The bundled weights in websr's shaders, worked out by hand; edges are left out, where these repeat more often."""
    name = f"anime4k-{size}-x2"
    network = load_checkpoint(find(name).model_file)
    np.testing.assert_allclose(made(network).numpy()[:, 16:-16, 16:-16], vectors("enlarging")[name], atol=2e-6)


@pytest.mark.parametrize(
    ("network", "count"),
    [(UpCunet(), 1_284_598), (UpCunet(UpCunetConfig(scale=4)), 1_406_812), (UpConv7(), 552_483), (Anime4k(), 8_540),
     (Anime4k(Anime4kConfig(features=4)), 2_548),
     (Anime4k(Anime4kConfig(features=4, convolutions=3, all_layers=False)), 988)],
)  # fmt: skip
def test_the_numbers_of_parameters_are_those_of_the_published_files(network: Network, count: int) -> None:
    assert sum(parameter.numel() for parameter in network.parameters()) == count


@pytest.mark.parametrize("name", ["real-cugan-pro-x2", "real-cugan-x3", "real-cugan-x4", "waifu2x-upconv7-anime-x2"])
def test_the_graph_that_is_served_is_the_network_at_any_size(name: str, tmp_path: Path) -> None:
    """Skeletons are the networks' exports, as tests/weights/test_skeletons.py holds: here they are given weights."""
    entry, skeleton, random = find(name), read_skeleton(name), np.random.default_rng(1)
    published = {
        tensor: torch.from_numpy(random.normal(0, 0.05, shape).astype(np.float32))
        for tensor, shape in layout_of(skeleton).items()
    }
    torch.save(published, tmp_path / "weights.pth")
    kind = network_class(entry.network)
    found = kind.from_published(published)
    assert found is not None
    network = kind(replace(found[0], **entry.settings)).eval()
    network.load_state_dict(found[1])
    validate(network, ModelFile.from_bytes(filled(skeleton, tmp_path / "weights.pth").SerializeToString()))


def test_pro_weights_see_pictures_of_less_contrast() -> None:
    """Their authors' code brings pictures to 0.15 … 0.85 and back."""
    torch.manual_seed(2)
    plain, pro = UpCunet().eval(), UpCunet(UpCunetConfig(gain=0.7, offset=0.15)).eval()
    pro.load_state_dict(plain.state_dict())
    shown = torch.from_numpy(picture())[None]
    with torch.no_grad():
        assert torch.allclose(pro(shown), (plain(shown * 0.7 + 0.15) - 0.15) / 0.7, atol=1e-6)


@pytest.mark.parametrize("config", [UpCunetConfig(), UpCunetConfig(scale=3), UpCunetConfig(scale=4, gated=False)])
def test_a_checkpoint_of_real_cugan_says_which_it_is(config: UpCunetConfig, tmp_path: Path) -> None:
    """In PyTorch's format, whose "pro" files have an entry of that name."""
    network = UpCunet(config).eval()
    torch.save(network.state_dict(), tmp_path / "up.pth")
    assert load_checkpoint(tmp_path / "up.pth").config == config
    torch.save({"pro": torch.ones(1), **network.state_dict()}, tmp_path / "pro.pth")
    found = load_checkpoint(tmp_path / "pro.pth").config
    assert (found.scale, found.gated, found.gain, found.offset) == (config.scale, config.gated, 0.7, 0.15)


def websr(folder: Path, layers: object) -> Path:
    path = folder / "weights.json"
    path.write_text(json.dumps({"layers": layers}))
    return path


def test_a_network_that_restores_is_not_taken_for_one_that_enlarges(tmp_path: Path) -> None:
    layer = {"weights": [0.5] * 144, "bias": [0.0] * 4}
    names = "conv2d_tf", "conv2d_1_tf", "conv2d_out_tf"
    with pytest.raises(CheckpointError, match="does not have the layout of a known network"):
        load_checkpoint(websr(tmp_path, dict.fromkeys(names, layer)))


@pytest.mark.parametrize(
    "layers", [[], {"a": {"weights": [1, 2, 3], "bias": [0]}}, {"a": {"weights": "x", "bias": [0] * 4}}, {"a": 1}]
)
def test_json_that_holds_no_layers_is_one_line(layers: object, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"weights.json is not a JSON file of websr's networks, or a damaged one"):
        read_websr(websr(tmp_path, layers))


def test_a_picture_is_no_json(tmp_path: Path) -> None:
    (tmp_path / "picture.json").write_bytes(bytes(range(256)))
    with pytest.raises(CheckpointError, match=r"picture.json is not a JSON file"):
        read_websr(tmp_path / "picture.json")
