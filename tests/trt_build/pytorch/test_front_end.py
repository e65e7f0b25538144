"""torch-tensorrt as a front end: the parts it converts, run by PyTorch here, and what is refused.

torch-tensorrt needs a GPU to be imported, and another PyTorch than the tests: the conversion itself is not run.
"""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import nn

from trt_build.backends import TensorRT
from trt_build.engines.build import BuildOptions
from trt_build.profile import GRAYS, RGBS, PlaneFormat, Profile
from trt_build.pytorch.front_end import build_engine_of, missing_front_end
from trt_build.pytorch.parts import HalfConvolutions, engine_parts
from vs_interp.cli.main import group
from vs_interp.errors import ArgumentError, BackendError
from vs_interp.networks.base import Network
from vs_interp.networks.fsrcnn import Fsrcnn, FsrcnnConfig
from vs_interp.networks.span import Span, SpanConfig
from vs_interp.networks.super_slomo import SuperSloMo, SuperSloMoConfig
from vs_interp.weights.catalogue import catalogue

no_front_end = pytest.mark.skipif(missing_front_end() is None, reason="torch-tensorrt works here")


def networks() -> list[Network]:
    torch.manual_seed(4)
    return [SuperSloMo(SuperSloMoConfig(width=2)).eval(), Fsrcnn(FsrcnnConfig(scale=3)).eval()]


@pytest.mark.parametrize("network", networks(), ids=["super-slomo", "fsrcnn"])
def test_the_parts_make_what_the_network_makes(network: Network) -> None:
    """State and synthesis, bound by name, equal the whole network in FP32 on a padded picture, but for rounding."""
    spec, height, width = network.spec, 60, 120
    planes = GRAYS if spec.window.channels == 1 else RGBS
    parts = engine_parts(network, Profile(width=width, height=height, planes=planes))
    assert set(parts) == ({"state", "synthesis"} if spec.state else {"synthesis"})
    random = np.random.default_rng(1)
    y, x = np.mgrid[:height, :width]
    named = {"time": torch.full((1, 1, 1, 1), 0.4)}
    frames = []
    for frame in spec.frame_inputs:
        picture = [0.5 + 0.4 * np.sin(x / 9 + y / 13 + random.random()) for _ in range(spec.window.channels)]
        tensors = [torch.from_numpy(plane.astype(np.float32))[None, None] for plane in picture]
        named |= {f"{frame}_plane{index}": plane for index, plane in enumerate(tensors)}
        frames.append(torch.cat(tensors, 1))
    with torch.no_grad():
        for part in parts.values():
            made = part.module(*(named[name] for name in part.inputs))
            named |= dict(zip(part.outputs, made, strict=True))
        padding = 0, spec.padded(width) - width, 0, spec.padded(height) - height
        padded = [nn.functional.pad(frame, padding, "replicate") for frame in frames]
        whole = network(*padded, *([named["time"]] if spec.takes_time else []))
    wanted = whole[..., : height * spec.output.scale, : width * spec.output.scale]
    got = torch.cat([named[f"output_plane{index}"] for index in range(spec.output.channels)], 1)
    error = float(((got - wanted) ** 2).mean() / wanted.abs().max() ** 2)
    assert 0 < error < 10**-5.5


def test_convolutions_are_half_but_for_those_on_islands() -> None:
    """SPAN's first layers stay FP32 by its spec; whatever a convolution is called with, its result is float32."""
    network = Span(SpanConfig(scale=2, features=8)).eval()
    seen: dict[str, torch.dtype] = {}
    half = HalfConvolutions(network)
    convolution = nn.functional.conv2d

    class Watch(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            if func is convolution:
                seen[str(len(seen))] = args[0].dtype
            return func(*args, **(kwargs or {}))

    with torch.no_grad(), Watch(), half:
        made = network(torch.rand(1, 3, 16, 16))
    kinds = list(seen.values())
    assert kinds[:4] == [torch.float32] * 4, "conv_1 and the three of block_1"
    assert set(kinds[4:]) == {torch.float16}
    assert made.dtype == torch.float32
    assert all(tensor.dtype == torch.float32 for tensor in network.parameters()), "the network itself stays as it is"


def test_only_the_networks_own_planes_at_one_size_are_built() -> None:
    network = Fsrcnn()
    yuv = PlaneFormat(family="yuv", bits=8, floating=False, subsampling=(1, 1))
    with pytest.raises(ArgumentError, match="engines for GRAYS planes only"):
        build_engine_of(network, Profile(width=64, height=64, planes=yuv), BuildOptions(runtime="tensorrt-rtx"))
    ranged = BuildOptions(runtime="tensorrt-rtx", dynamic=((64, 64), (128, 128)))
    with pytest.raises(ArgumentError, match="one size only"):
        build_engine_of(network, Profile(width=64, height=64, planes=GRAYS), ranged)


def test_engines_of_both_front_ends_are_kept_apart_and_take_other_planes() -> None:
    assert TensorRT().native_planes and not TensorRT(front_end="torch").native_planes
    one, other = (TensorRT(front_end=name).build_options().identity() for name in ("onnx", "torch"))  # type: ignore[arg-type]
    assert one != other
    assert replace(BuildOptions(), front_end="torch").identity()["front_end"] == "torch"


@no_front_end
def test_what_is_missing_is_said_before_anything_is_loaded(tmp_path: Path) -> None:
    wanted = "GPU" if importlib.util.find_spec("torch_tensorrt") else r"pip install .*torch-tensorrt"
    with pytest.raises(BackendError, match=wanted):
        build_engine_of(Fsrcnn(), Profile(width=64, height=64, planes=GRAYS), BuildOptions(runtime="tensorrt-rtx"))
    model, absent = str(catalogue()["fsrcnn-x2"].model_file), str(tmp_path / "absent.safetensors")
    build = [
        "build",
        model,
        "--checkpoint",
        absent,
        "--runtime",
        "tensorrt-rtx",
        "--size",
        "64x64",
        "-o",
        str(tmp_path),
    ]
    with pytest.raises(BackendError, match=wanted):
        CliRunner().invoke(group, build, catch_exceptions=False, standalone_mode=False)
    with pytest.raises(ArgumentError, match="for this machine's GPU only"):
        CliRunner().invoke(group, [*build, "--gpu", "ada"], catch_exceptions=False, standalone_mode=False)
