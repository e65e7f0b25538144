"""Verification: what passes, what fails, and the node that is named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from tests.graphs import blending
from tests.support import ROOT
from trt_build.backends.base import Picture
from trt_build.backends.openvino import OpenVINO
from trt_build.graphs.colour.planes import with_planes
from trt_build.graphs.precision import to_half
from trt_build.model_file import ModelFile, to_bytes
from trt_build.profile import PlaneFormat, Profile
from trt_build.verify.emulation import emulate_half
from trt_build.verify.first_wrong import first_wrong
from trt_build.verify.probe import CONTENTS, probe
from trt_build.verify.verify import run_graph, verify_graph, verify_session
from vs_interp.errors import BackendError
from vs_interp.spec import NetworkSpec, Output, Window

BUNDLED = ModelFile.load(ROOT / "vs_interp/models/super-slomo-small.onnx")


YUV444P8 = PlaneFormat(family="yuv", bits=8, floating=False, full_range=False)


def sabotaged(model: ModelFile, tensor: str, factors: Sequence[float]) -> ModelFile:
    """The model with one tensor multiplied by the factors in turn: the same in FP32 where they make 1."""
    graph = onnx.ModelProto()
    graph.CopyFrom(model.graph)
    place = next(index for index, node in enumerate(graph.graph.node) if tensor in node.output)
    last = f"{tensor}/{len(factors)}"
    for node in graph.graph.node:
        node.input[:] = [last if name == tensor else name for name in node.input]
    for index, factor in enumerate(factors):
        source = tensor if index == 0 else f"{tensor}/{index}"
        graph.graph.initializer.append(numpy_helper.from_array(np.float32(factor), f"factor{index}"))
        node = helper.make_node(
            "Mul", [source, f"factor{index}"], [f"{tensor}/{index + 1}"], name=f"/sabotage/Mul_{index}"
        )
        graph.graph.node.insert(place + 1 + index, node)
    return ModelFile.from_bytes(to_bytes(graph))


def middle_tensor(model: ModelFile) -> str:
    """The output of a convolution in the middle of the network, which works in half."""
    nodes = [node for node in model.graph.graph.node if node.op_type == "Conv"]
    return str(nodes[len(nodes) // 2].output[0])


@pytest.mark.slow
def test_half_precision_is_enough_for_the_bundled_model() -> None:
    """Every content of the probe is scored and well above the limit; flat areas too."""
    scores = verify_graph(BUNDLED, Profile(width=448, height=256))
    assert list(scores) == list(CONTENTS)
    assert min(scores.values()) > 60


def test_a_tensor_that_overflows_half_is_named() -> None:
    """Values of about 1 times 10⁷ are beyond half's 65504; the second of the products has infinities, and is named."""
    small = ModelFile.load(ROOT / "vs_interp/models/fsrcnn-x2.onnx")
    model = sabotaged(small, middle_tensor(small), (1e3, 1e4, 1e-4, 1e-3))
    with pytest.raises(
        BackendError, match=r"half precision is not enough.*dB on .*/sabotage/Mul_1 \(Mul\).*fp32_islands"
    ):
        verify_graph(model, Profile(width=128, height=64))


def test_bisection_finds_the_culprit_wherever_it_is() -> None:
    """Every node of a graph with branches is made the culprit once; the runs grow with the logarithm of the graph."""
    nodes = [helper.make_node("Neg", ["frame0"], ["t0"], name="n0")]
    nodes += [helper.make_node("Add", [f"t{k - 1}", f"t{k // 2}"], [f"t{k}"], name=f"n{k}") for k in range(1, 31)]
    nodes += [helper.make_node("Neg", ["t30"], ["output"], name="n31")]
    graph = helper.make_model(helper.make_graph(nodes, "chain", [], []))
    for culprit in range(32):
        asked: list[str] = []

        def values(names: Sequence[str], wrong_from: int | None) -> Mapping[str, NDArray[Any]]:
            found = {}
            for name in names:
                place = 31 if name == "output" else int(name[1:])
                found[name] = np.full(3, 2.0 if wrong_from is not None and place >= wrong_from else 1.0)
            return found

        def tried(names: Sequence[str], asked: list[str] = asked, culprit: int = culprit) -> Mapping[str, NDArray[Any]]:
            asked.extend(names)
            return values(names, culprit)

        assert first_wrong(graph, lambda names: values(names, None), tried).name == f"n{culprit}"
        assert len(asked) <= 6


class GraphSession:
    """A session on the FP16 graph with planes, worked out on the CPU: what an engine is asked to be."""

    def __init__(self, model: ModelFile, profile: Profile, fault: int = 0) -> None:
        half = with_planes(to_half(model), profile)
        self.graph, self.spec, self.profile, self.fault = emulate_half(half).graph, model.spec, profile, fault

    def run(
        self, window: Sequence[Picture], keys: Sequence[int], times: Sequence[float], out: Sequence[Picture]
    ) -> None:
        inputs: dict[str, NDArray[Any]] = {"time": np.full((1, 1, 1, 1), times[0], np.float32)}
        for frame, picture in zip(self.spec.frame_inputs, window, strict=True):
            for index, plane in enumerate(picture):
                bytes_or_floats = plane.view(np.uint8) if plane.dtype.kind == "u" else plane
                inputs[f"{frame}_plane{index}"] = bytes_or_floats[None, None]
        names = [f"output_plane{index}" for index in range(len(out[0]))]
        made = run_graph(self.graph, inputs, names)
        for plane, name in zip(out[0], names, strict=True):
            plane[...] = made[name][0, 0].view(plane.dtype)
            plane[...] = plane + plane.dtype.type(self.fault)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> ModelFile:
    """A network of five nodes, for what does not depend on the network."""
    return ModelFile.load(blending(tmp_path_factory.mktemp("models") / "blending.onnx"))


@pytest.mark.parametrize("bits", [8, 10])
def test_an_engine_is_measured_in_its_own_planes(small: ModelFile, bits: int) -> None:
    planes = PlaneFormat(family="yuv", bits=bits, floating=False, subsampling=(1, 1), full_range=False)
    profile = Profile(width=200, height=120, planes=planes)
    scores = verify_session(GraphSession(small, profile), small, profile)
    assert min(scores.values()) > 55


def test_an_engine_that_is_wrong_by_its_own_fault_is_refused(small: ModelFile) -> None:
    """Two codes of 255 are 42.1 dB; the FP16 graph passes, so that the message blames the engine, not the model."""
    profile = Profile(width=64, height=64, planes=YUV444P8)
    with pytest.raises(BackendError, match=r"engine differs.*\(4[12]\.\d dB on .*FP16 rounding does not explain it"):
        verify_session(GraphSession(small, profile, fault=2), small, profile)


def test_the_reference_and_the_session_on_the_cpu_agree(small: ModelFile) -> None:
    smallest = Profile(width=128, height=64)
    (session,) = OpenVINO(streams=1).open(small, smallest)
    assert min(verify_session(session, small, smallest).values()) > 90


def test_the_probe_fills_every_size_and_shows_motion() -> None:
    """Every pixel belongs to one content, in windows of any length, and only what should move moves."""
    spec = NetworkSpec(name="four", window=Window(offsets=(-1, 0, 1, 2)), output=Output(times=(0.5,)))
    for width, height in ((1920, 1088), (67, 33)):
        window = probe(spec, width, height)
        covered = np.zeros((height, width), int)
        for rows, columns in window.tiles.values():
            covered[rows, columns] += 1
        assert (covered == 1).all()
        assert len(window.frames) == 4
        assert min(frame.min() for frame in window.frames) >= 0
        assert max(frame.max() for frame in window.frames) <= 1
        moved = {
            content: float(np.abs(window.frames[1][:, *tile] - window.frames[2][:, *tile]).mean())
            for content, tile in window.tiles.items()
        }
        assert moved["film, static"] == moved["black"] == moved["white"] == 0
        assert 0 < moved["film, small motion"] < moved["film, large motion"]
