"""Networks that spandrel recognises: read by our own reader, equal to spandrel's own output, refused in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save_file

from trt_build.backends.openvino import OpenVINO
from trt_build.model_file import ModelFile, with_spec
from trt_build.profile import Profile
from trt_build.pytorch.export import to_graph
from vs_interp.cli.export import command
from vs_interp.errors import CheckpointError, ExportError
from vs_interp.weights.checkpoint import load_checkpoint

from .test_checkpoint import Bomb

pytestmark = pytest.mark.filterwarnings("ignore:torch.meshgrid")
"""SwinIR calls it in a way that is going to change; our reader keeps that to itself, the tests make networks too."""


def architecture(name: str) -> Any:
    """Return the module of one of spandrel's networks; spandrel is imported here since that takes seconds."""
    return getattr(pytest.importorskip("spandrel.architectures"), name)


def esrgan(channels: int = 3, scale: int = 4) -> torch.nn.Module:
    return architecture("ESRGAN").ESRGAN(in_nc=channels, out_nc=channels, scale=scale, num_filters=8, num_blocks=1)


def span(**options: Any) -> torch.nn.Module:
    """SPAN as it is saved in training: what ``eval_conv`` holds is older than the convolutions it is made of."""
    network = architecture("SPAN").SPAN(num_in_ch=3, num_out_ch=3, feature_channels=4, upscale=2, **options)
    for name, parameter in network.named_parameters():
        if ".sk." in name or ".conv." in name:
            parameter.data += 0.05 * torch.randn_like(parameter)
    return network


def swin_ir(blocks: int = 2) -> torch.nn.Module:
    options = {"upsampler": "pixelshuffledirect", "resi_connection": "1conv"}
    sizes = {"img_size": 16, "window_size": 8, "depths": [blocks], "embed_dim": 12, "num_heads": [2]}
    return architecture("SwinIR").SwinIR(upscale=2, **sizes, **options)


def plksr() -> torch.nn.Module:
    return architecture("PLKSR").RealPLKSR(dim=8, n_blocks=1, upscaling_factor=2)


def rcan() -> torch.nn.Module:
    return architecture("RCAN").RCAN(scale=2, n_resgroups=1, n_resblocks=1, n_feats=16)


def save(network: torch.nn.Module, path: Path, wrapper: str | None = None) -> Path:
    state = network.state_dict()
    if path.suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save({wrapper: state} if wrapper else state, path)
    return path


def own_output(path: Path, frame: torch.Tensor) -> torch.Tensor:
    """What spandrel gives when it reads the file itself."""
    from spandrel import ModelLoader

    made: torch.Tensor = ModelLoader().load_from_file(path)(frame.clone())
    return made


def served(model: ModelFile, frame: torch.Tensor) -> np.ndarray:
    """What the CPU's engine makes of a frame, clipped as a clip's pixels are."""
    height, width = frame.shape[-2:]
    made = np.empty((1, 3, 2 * height, 2 * width), np.float32)
    session = OpenVINO(streams=1).open(model, Profile(width=width, height=height))[0]
    session.run([list(frame[0].numpy())], [0], [0.0], list(made))
    return made.clip(0, 1)


@pytest.mark.parametrize(
    ("make", "file", "wrapper", "name"),
    [
        (esrgan, "a.pth", "params_ema", "esrgan"),
        (esrgan, "a.safetensors", None, "esrgan"),
        (span, "a.pth", "params", "span"),
        (lambda: span(norm=False), "a.safetensors", None, "span"),
        (swin_ir, "a.pth", "params", "swinir"),
        (plksr, "a.safetensors", None, "plksr"),
        (rcan, "a.pth", None, "rcan"),
    ],
    ids=["esrgan", "esrgan safetensors", "span", "span without mean", "swinir", "plksr", "rcan"],
)
def test_networks_equal_spandrel_s_own_output(
    tmp_path: Path, make: Callable[[], torch.nn.Module], file: str, wrapper: str | None, name: str
) -> None:
    torch.manual_seed(5)
    path = save(make(), tmp_path / file, wrapper)
    network = load_checkpoint(path)
    frame = torch.rand(1, 3, 24, 32)
    before = frame.clone()
    with torch.no_grad():
        made = network(frame)
    assert network.spec.name == name
    assert torch.equal(frame, before), "some of these networks change their input in place"
    assert made.shape[-2:] == (24 * network.spec.output.scale, 32 * network.spec.output.scale)
    assert (made.clamp(0, 1) - own_output(path, frame)).abs().max() < 1e-4


def test_the_spec_is_spandrel_s_descriptor(tmp_path: Path) -> None:
    spec = load_checkpoint(save(esrgan(), tmp_path / "a.pth")).spec
    assert (spec.output.scale, spec.window.channels, spec.output.channels) == (4, 3, 3)
    assert (spec.minimum, spec.multiple_of, spec.tileable, spec.fp32_islands) == (2, 1, True, ())
    luma = load_checkpoint(save(esrgan(channels=1), tmp_path / "b.pth")).spec
    assert (luma.window.channels, luma.output.channels) == (1, 1)
    swin = load_checkpoint(save(swin_ir(), tmp_path / "c.pth")).spec
    assert (swin.minimum, swin.fp32_islands) == (16, ("*",)), "spandrel runs it in FP32 alone"


def test_what_does_not_enlarge_rgb_or_luma_is_refused(tmp_path: Path) -> None:
    denoiser = architecture("DnCNN").DnCNN(in_nc=3, out_nc=3, nc=64, nb=17, act_mode="R")
    for network, message in (
        (denoiser, r"a\.pth holds DnCNN for Restoration: only super-resolution is taken"),
        (esrgan(scale=1), r"a\.pth holds ESRGAN for Restoration: only super-resolution is taken"),
        (esrgan(channels=4), r"a\.pth holds ESRGAN from 4 to 4 channels: only 3 \(RGB\) and 1 \(luma\) are taken"),
    ):
        with pytest.raises(CheckpointError, match=message):
            load_checkpoint(save(network, tmp_path / "a.pth"))


def test_tensors_that_contradict_each_other_are_one_line(tmp_path: Path) -> None:
    state = esrgan().state_dict()
    name = next(name for name in state if name.endswith("conv2.0.weight"))
    torch.save({**state, name: torch.zeros(3, 5)}, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match=r"a\.pth has tensors that spandrel cannot build a network of") as caught:
        load_checkpoint(tmp_path / "a.pth")
    assert "\n" not in str(caught.value)


def test_spandrel_s_own_reader_is_never_used(tmp_path: Path) -> None:
    """A file that spandrel would recognise, with a passenger that would run when unpickled."""
    torch.save({"params": esrgan().state_dict(), "passenger": Bomb(tmp_path / "ran")}, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match="holds Python objects that would run code when loaded"):
        load_checkpoint(tmp_path / "a.pth")
    assert not (tmp_path / "ran").exists()


def test_without_spandrel_the_error_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "spandrel", None)
    with pytest.raises(CheckpointError, match="more with pip install spandrel"):
        load_checkpoint(save(esrgan(), tmp_path / "a.pth"))


@pytest.mark.slow
def test_a_file_becomes_a_model_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the command, named after the checkpoint, and equal to spandrel in the engine that serves it."""
    torch.manual_seed(5)
    path = save(esrgan(scale=2), tmp_path / "2x_small.pth", "params_ema")
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(command, [str(path)])
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("2x_small.onnx: esrgan, ")
    model = ModelFile.load("2x_small.onnx")
    frame = torch.rand(1, 3, 23, 30)
    made = np.empty((1, 3, 46, 60), np.float32)
    OpenVINO(streams=1).open(model, Profile(width=30, height=23))[0].run(
        [list(frame[0].numpy())], [0], [0.0], list(made)
    )
    assert np.abs(made.clip(0, 1) - own_output(path, frame).numpy()).max() < 1e-4


@pytest.mark.slow
def test_masks_that_depend_on_the_size_are_in_the_graph(tmp_path: Path) -> None:
    """SwinIR writes its mask in slices, one of which is empty; 21 lines are also padded to whole windows."""
    torch.manual_seed(5)
    path = save(swin_ir(blocks=1), tmp_path / "a.pth")
    network = load_checkpoint(path)
    graph = with_spec(to_graph(network), network.spec)
    model = ModelFile.from_bytes(graph.SerializeToString())
    frame = torch.rand(1, 3, 21, 26)
    assert np.abs(served(model, frame) - own_output(path, frame).numpy()).max() < 1e-4


@pytest.mark.slow
def test_a_network_that_no_graph_can_hold_is_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """SeemoRe picks one of its experts by the picture, in Python."""
    network = load_checkpoint(
        save(
            architecture("SeemoRe").SeemoRe(scale=2, num_experts=2, num_layers=1, embedding_dim=16), tmp_path / "a.pth"
        )
    )
    with pytest.raises(ExportError, match="seemore cannot be exported with free height and width") as caught:
        to_graph(network)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")
