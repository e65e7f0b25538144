"""Networks that make other things than frames between frames: exported, split, composed with planes and verified."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper

from tests.colour import as_model
from tests.made_once import made_once
from trt_build.backends.openvino import OpenVINO
from trt_build.backends.slots import bindings
from trt_build.engines.build import BuildOptions, build_plans, engine_graphs
from trt_build.engines.runtimes import missing
from trt_build.engines.targets import parse_targets
from trt_build.graphs.colour.planes import with_planes
from trt_build.model_file import ModelFile, with_spec
from trt_build.profile import GRAYS, PlaneFormat, Profile, made_profile
from trt_build.pytorch.export import to_graph, validate
from trt_build.verify.verify import run_graph, verify_graph
from vs_interp.errors import ArgumentError, ModelFileError
from vs_interp.networks.base import Network
from vs_interp.registry import network_class
from vs_interp.spec import NetworkSpec, Output, Window
from vs_interp.weights.catalogue import find

SMALL: dict[str, tuple[str, dict[str, Any]]] = {
    "frames to come": ("simvp", {"frames": 3, "width": 8, "inner": 16, "layers": 2}),
    "grey frames to come": ("simvp", {"frames": 2, "width": 8, "inner": 16, "layers": 2, "channels": 1,
                                      "translator": "incepu"}),
    "labels to come": ("simvp", {"frames": 2, "width": 8, "inner": 16, "layers": 2, "channels": 14, "labels": True}),
    "labels": ("unet49", {"width": 8}),
    "masks": ("slot-attention", {"slots": 3, "width": 16, "hidden": 16, "output": "soft"}),
    "a part of the picture": ("nowcast", {"seen": 3, "made": 4, "width": 8, "blur": 3.0}),
    "flow of one size": ("perceiver-flow", {"size": [24, 32], "latents": 8, "latent_width": 16, "layers": 1,
                                            "heads": 2}),
}  # fmt: skip
RTX = BuildOptions(runtime="tensorrt-rtx")
GRAY8 = PlaneFormat(family="gray", bits=8, floating=False)
YUV = PlaneFormat(family="yuv", bits=8, floating=False, subsampling=(1, 1), full_range=False)


@cache
def model(kind: str) -> tuple[Network, ModelFile]:
    """Return a network with random weights, and its model file, which nothing has been checked of."""
    torch.manual_seed(3)
    name, values = SMALL[kind]
    network = network_class(name).from_config(values).eval()
    made = made_once(f"{kind}.onnx", lambda: with_spec(to_graph(network), network.spec).SerializeToString())
    return network, ModelFile.from_bytes(made)


def stand_in(spec: NetworkSpec) -> ModelFile:
    """Return a graph with a network's inputs and outputs that repeats the mean of its frames and channels."""
    top, left, height, width = spec.output.crop or (0, 0, 1 << 20, 1 << 20)
    numbers = {
        "channels": [1], "lines": [2, 3], "begin": [top, left], "end": [top + height, left + width],
        "repeats": [spec.pictures, spec.output.channels, 1, 1],
    }  # fmt: skip
    nodes = [
        helper.make_node("Mean", list(spec.frame_inputs), ["frame"], name="/Mean"),
        helper.make_node("ReduceMean", ["frame", "channels"], ["grey"], name="/ReduceMean"),
        helper.make_node("Slice", ["grey", "begin", "end", "lines"], ["part"], name="/Slice"),
        helper.make_node("Tile", ["part", "repeats"], ["output"], name="/Tile"),
    ]
    return as_model(nodes, spec, [numpy_helper.from_array(np.int64(value), name) for name, value in numbers.items()])


def spec_of(kind: str) -> NetworkSpec:
    name, values = SMALL[kind]
    return network_class(name).from_config(values).spec


def size_of(spec: NetworkSpec) -> tuple[int, int]:
    return spec.fixed or (spec.padded(40), spec.padded(56))


@pytest.mark.slow
@pytest.mark.parametrize("kind", SMALL)
def test_the_graph_equals_the_network_and_its_half_precision_stays_near(kind: str) -> None:
    network, file = model(kind)
    validate(network, file)
    height, width = size_of(file.spec)
    scores = verify_graph(file, Profile(width=width, height=height))
    assert min(scores.values()) > 50


@pytest.mark.parametrize("kind", SMALL)
def test_planes_in_and_out_are_what_the_bindings_say(kind: str) -> None:
    """What TensorRT is given: 8-bit planes in; frames out as they came, all else as float32."""
    spec = spec_of(kind)
    height, width = size_of(spec)
    profile = Profile(width=width, height=height, planes=GRAY8 if spec.window.channels == 1 else YUV)
    composed, bound = with_planes(stand_in(spec), profile), bindings(spec, profile)
    assert [value.name for value in composed.graph.graph.output] == list(bound.outputs)


def test_grey_frames_to_come_are_those_of_the_bare_graph() -> None:
    """Of the bundled network: what goes in as codes and comes out as codes is what it makes of grey in [0, 1]."""
    file = ModelFile.load(find("simvp-digits").model_file)
    spec, (height, width) = file.spec, size_of(file.spec)
    profile = Profile(width=width, height=height, planes=GRAY8)
    composed, bound, made = with_planes(file, profile), bindings(spec, profile), made_profile(spec, profile)
    random = np.random.default_rng(1)
    codes = random.integers(0, 256, (len(spec.window.offsets), 1, 1, height, width), dtype=np.uint8)
    inputs = {f"{frame}_plane0": code for frame, code in zip(spec.frame_inputs, codes, strict=True)}
    got = run_graph(composed.graph, inputs, bound.outputs)["output_plane0"]
    bare = {frame: code.astype(np.float32) / 255 for frame, code in zip(spec.frame_inputs, codes, strict=True)}
    wanted = run_graph(file.graph, bare, ("output",))["output"]
    assert got.shape == wanted.shape == (spec.pictures, 1, made.height, made.width)
    assert np.abs(got.astype(np.float32) - np.round(wanted * 255).clip(0, 255)).max() <= 1


def test_sessions_give_the_size_that_is_made() -> None:
    file = stand_in(spec_of("a part of the picture"))
    session = OpenVINO(streams=1).open(file, Profile(width=128, height=128, planes=GRAYS))[0]
    frames = [[picture] for picture in np.random.default_rng(1).random((3, 128, 128), np.float32)]
    made = np.zeros((4, 1, 64, 64), np.float32)
    session.run(frames, range(3), file.spec.output.times or (), list(made))
    top, left, height, width = file.spec.output.crop or (0, 0, 0, 0)
    assert np.abs(made - np.mean(frames, 0)[0, top : top + height, left : left + width]).max() < 1e-6
    with pytest.raises(ArgumentError, match="128x128 only"):
        OpenVINO(streams=1).open(file, Profile(width=160, height=128, planes=GRAYS))


@pytest.mark.slow
def test_fewer_updates_are_cut_out_of_the_graph() -> None:
    torch.manual_seed(1)
    network = network_class("raft").from_config({"updates": 3}).eval()
    file = ModelFile.from_bytes(with_spec(to_graph(network), network.spec).SerializeToString())
    frames = [torch.rand(1, 3, 128, 136) for _ in range(2)]
    inputs = {f"frame{number}": frame.numpy() for number, frame in enumerate(frames)}
    with torch.no_grad():
        steps = network.steps(*frames)
    for count, wanted in enumerate(steps, 1):
        cut = file.with_updates(count)
        onnx.checker.check_model(cut.graph)
        assert cut.spec.updates == count
        got = run_graph(cut.graph, inputs, ("output",))["output"]
        assert np.abs(got - wanted.numpy()).max() < 1e-3
    assert len({file.with_updates(count).digest for count in (1, 2, 3)}) == 3
    with pytest.raises(ArgumentError, match="1 to 3 times"):
        file.with_updates(4)


@pytest.mark.slow
@pytest.mark.parametrize("kind", SMALL)
def test_engines_build_for_every_gpu(kind: str) -> None:
    if missing("tensorrt-rtx") is not None:
        pytest.skip("tensorrt-rtx is not installed")
    _, file = model(kind)
    height, width = size_of(file.spec)
    planes = GRAY8 if file.spec.window.channels == 1 else YUV
    graphs = engine_graphs(file, Profile(width=width, height=height, planes=planes), RTX)
    assert build_plans(graphs, RTX, parse_targets("sm_75,sm_80,sm_86,sm_89,sm_120")).keys() == {"synthesis"}


def test_what_refines_nothing_says_so() -> None:
    with pytest.raises(ArgumentError, match="refines nothing"):
        stand_in(spec_of("labels")).with_updates(2)


@pytest.mark.parametrize(
    "output",
    [
        Output(times=(0.5, 1.5)), Output(times=(2.0, 1.0)), Output(times=()), Output(times=(0.0, 0.5)),
        Output(kind="depth", times=(0.0,)),  # type: ignore[arg-type]
        Output(times=(0.0,), crop=(0, 0, 8, 8)),
    ],
)  # fmt: skip
def test_outputs_that_make_no_sense_are_refused(output: Output) -> None:
    spec = NetworkSpec(name="x", output=output)
    with pytest.raises(ModelFileError):
        NetworkSpec.from_json(spec.to_json())


def test_a_crop_must_lie_in_the_fixed_size() -> None:
    good = NetworkSpec(
        name="x", output=Output(times=(1.0,), crop=(2, 2, 4, 4)), fixed=(8, 8), window=Window(offsets=(0,))
    )
    assert NetworkSpec.from_json(good.to_json()) == good
    bad = NetworkSpec(
        name="x", output=Output(times=(1.0,), crop=(6, 2, 4, 4)), fixed=(8, 8), window=Window(offsets=(0,))
    )
    with pytest.raises(ModelFileError, match="crop"):
        NetworkSpec.from_json(bad.to_json())
