"""The FP16 pass: what becomes half, what stays FP32, what is refused; the graph builds as a strongly typed engine."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import onnx.reference
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from tests import rtx
from tests.support import ROOT
from trt_build.backends.openvino import OpenVINO
from trt_build.graphs.precision import to_half
from trt_build.model_file import ModelFile, with_spec
from trt_build.profile import Profile
from trt_build.verify.emulation import emulate_half
from vs_interp.errors import ModelFileError
from vs_interp.spec import NetworkSpec, Output, Window

BUNDLED = ModelFile.load(ROOT / "vs_interp/models/super-slomo-small.onnx")

HALF, FLOAT = TensorProto.FLOAT16, TensorProto.FLOAT


def small_model(weight: float = 0.3, islands: tuple[str, ...] = ("*/island/*",)) -> ModelFile:
    """A graph with all that the pass must tell apart.

    A convolution whose weight is shared, an enlargement and its reduction, sizes worked out in float, a clip with an
    endless bound, an island, and a state tensor.
    """
    random = np.random.default_rng(3)
    weights = {
        "weight": random.uniform(-weight, weight, (3, 3, 3, 3)).astype(np.float32),
        "scales": np.array([1, 1, 2, 2], np.float32),
        "largest": np.array(np.finfo(np.float32).max),
        "smallest": np.array(-1, np.float32),
        "one": np.array(1, np.float32),
        "small": np.array(1 / 3, np.float32),
    }
    nodes = [
        helper.make_node("Shape", ["frame0"], ["columns_int"], name="/Shape_0", start=3, end=4),
        helper.make_node("Cast", ["columns_int"], ["columns"], name="/Cast_1", to=FLOAT),
        helper.make_node("Conv", ["frame0", "weight"], ["first"], name="/Conv_2", pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["first", "weight"], ["flow"], name="/Conv_3", pads=[1, 1, 1, 1]),
        helper.make_node("Resize", ["flow", "", "scales"], ["large"], name="/Resize_4", mode="linear"),
        helper.make_node("AveragePool", ["large"], ["pooled"], name="/Pool_5", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Clip", ["pooled", "smallest", "largest"], ["clipped"], name="/Clip_6"),
        helper.make_node("Add", ["clipped", "frame0"], ["sum"], name="/island/Add_7"),
        helper.make_node("Add", ["sum", "small"], ["more"], name="/island/Add_8"),
        helper.make_node("Mul", ["more", "columns"], ["wide"], name="/Mul_9"),
        helper.make_node("Mul", ["wide", "small"], ["third"], name="/Mul_10"),
        helper.make_node("Div", ["third", "columns"], ["output"], name="/Div_11"),
    ]
    shape = [1, 3, "height", "width"]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("frame0", FLOAT, shape)],
        [helper.make_tensor_value_info("output", FLOAT, shape)],
        [numpy_helper.from_array(values, name) for name, values in weights.items()],
    )
    spec = NetworkSpec(
        name="small",
        window=Window(offsets=(0,)),
        output=Output(times=(0.0,)),
        state=("flow",),
        fp32_islands=islands,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return ModelFile.from_bytes(with_spec(model, spec).SerializeToString())


def types_of(graph: ModelProto) -> dict[str, int]:
    """Return the element type of every tensor."""
    graph = onnx.shape_inference.infer_shapes(graph, check_type=True, strict_mode=True)
    values = [*graph.graph.input, *graph.graph.value_info, *graph.graph.output]
    return {v.name: v.type.tensor_type.elem_type for v in values} | {
        t.name: t.data_type for t in graph.graph.initializer
    }


def node_called(graph: ModelProto, name: str) -> NodeProto:
    return next(node for node in graph.graph.node if node.name == name)


def test_values_become_half_and_islands_sizes_and_borders_stay_float() -> None:
    """Which tensor has which type, read by ONNX's own inference."""
    half = to_half(small_model()).graph
    types = types_of(half)
    for name in ("/Conv_2", "/Conv_3", "/Resize_4", "/Pool_5", "/Clip_6", "/Mul_9", "/Mul_10", "/Div_11"):
        node = node_called(half, name)
        assert types[node.output[0]] == HALF, name
    for name in ("/island/Add_7", "/island/Add_8"):
        node = node_called(half, name)
        assert {types[tensor] for tensor in (*node.input, *node.output)} == {FLOAT}, name
    assert types["columns"] == FLOAT  # a width beyond 2048 is not exact in half
    assert types["scales"] == FLOAT
    assert types["frame0"] == types["output"] == FLOAT
    assert types["flow"] == HALF  # the state keeps its name


def test_every_tensor_is_converted_once() -> None:
    """Shared weights have one half copy, no tensor two equal Casts, and no Cast undoes another."""
    half = to_half(small_model()).graph
    assert node_called(half, "/Conv_2").input[1] == node_called(half, "/Conv_3").input[1]
    weights = {tensor.name for tensor in half.graph.initializer}
    used = {name for node in half.graph.node for name in node.input}
    assert weights <= used
    casts = [node for node in half.graph.node if node.op_type == "Cast"]
    assert set(Counter((node.input[0], node.attribute[0].i) for node in casts).values()) == {1}
    assert not {node.input[0] for node in casts} & {node.output[0] for node in casts if node.name != "/Cast_1"}
    assert not {node.input[0] for node in casts} & weights


def test_a_bound_beyond_half_is_brought_to_its_end() -> None:
    half = to_half(small_model()).graph
    bound = next(tensor for tensor in half.graph.initializer if tensor.name == node_called(half, "/Clip_6").input[2])
    assert numpy_helper.to_array(bound) == np.float16(65504)


@pytest.mark.parametrize("first", ["/Clip_6", "/Mul_9"])
def test_a_large_bound_that_is_a_factor_too_is_refused(first: str) -> None:
    """In either order: clamped for the Clip, the factor would silently be another number."""
    model = small_model()
    nodes = model.graph.graph.node
    multiply = helper.make_node("Mul", ["pooled", "largest"], ["scaled"], name="/Mul_12")
    place = next(index for index, node in enumerate(nodes) if node.name == first)
    nodes.insert(place, multiply)
    with pytest.raises(ModelFileError, match="cannot hold the weights largest "):
        to_half(model)


def test_an_operator_type_names_an_island_too() -> None:
    types = types_of(to_half(small_model(islands=("Conv",))).graph)
    assert types["first"] == types["flow"] == FLOAT
    assert types["large"] == HALF


@pytest.mark.parametrize("value", [np.nan, np.inf, 70000.0])
def test_weights_that_half_cannot_hold_are_named(value: float) -> None:
    model = small_model()
    tensor = next(tensor for tensor in model.graph.graph.initializer if tensor.name == "weight")
    values = numpy_helper.to_array(tensor).copy()
    values[0, 0, 0, 0] = value
    tensor.CopyFrom(numpy_helper.from_array(values, "weight"))
    with pytest.raises(ModelFileError, match="cannot hold the weights weight "):
        to_half(model)


def test_a_large_weight_on_an_island_is_no_error() -> None:
    model = small_model(islands=("Conv", "*/island/*"))
    tensor = next(tensor for tensor in model.graph.graph.initializer if tensor.name == "weight")
    tensor.CopyFrom(numpy_helper.from_array(np.full((3, 3, 3, 3), 70000, np.float32), "weight"))
    assert types_of(to_half(model).graph)["flow"] == FLOAT


def test_at_most_three_wrong_weights_are_named() -> None:
    names = [f"weight{index}" for index in range(5)]
    nodes = [helper.make_node("Add", [a, w], [b]) for a, w, b in zip(["frame0", *names[1:]], names, names, strict=True)]
    for index, node in enumerate(nodes):
        node.input[0] = "frame0" if index == 0 else f"sum{index - 1}"
        node.output[0] = "output" if index == 4 else f"sum{index}"
    value = [1, 3, 8, 8]
    graph = helper.make_graph(
        nodes,
        "wrong",
        [helper.make_tensor_value_info("frame0", FLOAT, value)],
        [helper.make_tensor_value_info("output", FLOAT, value)],
        [numpy_helper.from_array(np.array([1e6], np.float32), name) for name in names],
    )
    spec = NetworkSpec(name="wrong", window=Window(offsets=(0,)), output=Output(times=(0.0,)))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    with pytest.raises(ModelFileError, match="weight0, weight1, weight2 and 2 more"):
        to_half(ModelFile.from_bytes(with_spec(model, spec).SerializeToString()))


def openvino_output(model: ModelFile, frame: NDArray[np.float32]) -> NDArray[np.float32]:
    height, width = frame.shape[-2:]
    made = np.empty((model.spec.output.channels, height, width), np.float32)
    session = OpenVINO(streams=1, threads=1).open(model, Profile(width=width, height=height))[0]
    session.run([list(frame)], [0], [0.0], [list(made)])
    return made


def test_emulation_rounds_as_ieee_half_does() -> None:
    """-x through the emulated graph in OpenVINO equals NumPy's float16, over normal values, ties and overflow."""
    values = np.random.default_rng(0).uniform(1, 9, (3, 32, 32)) * np.logspace(-4, 4, 32)
    frame = values.astype(np.float32)
    frame[0, 0, :6] = (2049, 2051, 65503, 65504, 65536, -70000)
    graph = helper.make_graph(
        [helper.make_node("Neg", ["frame0"], ["output"], name="/Neg_0")],
        "negative",
        [helper.make_tensor_value_info("frame0", FLOAT, [1, 3, "height", "width"])],
        [helper.make_tensor_value_info("output", FLOAT, [1, 3, "height", "width"])],
    )
    spec = NetworkSpec(name="negative", window=Window(offsets=(0,)), output=Output(times=(0.0,)), input_range="free")
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    model = ModelFile.from_bytes(with_spec(proto, spec).SerializeToString())
    with np.errstate(over="ignore"):
        wanted = -frame.astype(np.float16).astype(np.float32)
    assert (wanted != -frame).any()
    np.testing.assert_array_equal(openvino_output(emulate_half(to_half(model)), frame), wanted)


def test_emulation_is_the_half_graph_in_float() -> None:
    """The emulated graph in OpenVINO against ONNX's reference evaluator, which works in real half."""
    frame = np.random.default_rng(1).random((3, 16, 16), np.float32)
    half = to_half(small_model())
    wanted = onnx.reference.ReferenceEvaluator(half.graph).run(None, {"frame0": frame[None]})[0][0]
    made = openvino_output(emulate_half(half), frame)
    exact = openvino_output(small_model(), frame)
    assert 1e-5 < np.abs(made - exact).max() < 4e-3
    assert np.abs(made - wanted).max() < 2e-3  # the reference sums convolutions in half


def psnr(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    error = np.mean((first.clip(0, 1).astype(np.float64) - second.clip(0, 1)) ** 2)
    return float(-10 * np.log10(error))


def real_frames(width: int, height: int) -> list[NDArray[np.float32]]:
    """Two frames of the bundled clip as 3×height×width RGB."""
    vapoursynth = pytest.importorskip("vapoursynth")
    core = vapoursynth.core
    clip = core.bs.VideoSource(str(ROOT / "vs_interp/clips/bbb_360p24.mp4"), cachemode=0)
    clip = core.resize.Bicubic(clip, width, height, format=vapoursynth.RGBS, matrix_in=1)
    return [np.stack([np.asarray(frame[plane]) for plane in range(3)]) for frame in clip[22:24].frames()]


@pytest.mark.slow
def test_super_slomo_in_half_stays_within_55_db_of_float_on_real_frames() -> None:
    """Measured once by hand at 1920×1088 on three clips: 77.2 to 78.0 dB."""
    frames = real_frames(448, 256)
    made = []
    for model in (BUNDLED, emulate_half(to_half(BUNDLED))):
        session = OpenVINO(streams=1).open(model, Profile(width=448, height=256))[0]
        made.append(np.empty((3, 256, 448), np.float32))
        session.run([list(frame) for frame in frames], [0, 1], [0.5], [list(made[-1])])
    assert 55 <= psnr(*made) < 100  # beyond 100 nothing would have been rounded


def test_tensorrt_rtx_builds_the_half_graph_and_its_parts() -> None:
    """A strongly typed network, parsed and built for SM86 on a machine without a GPU; see test_build.py for others."""
    model = small_model()
    half = to_half(model)
    for graph in filter(None, (half.graph, *half.split())):
        types = dict(rtx.build(graph))
        assert types.get("output", "FLOAT") == "FLOAT"
        assert all(types.get(name, "HALF") == "HALF" for name in model.spec.state)
