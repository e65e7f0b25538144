"""bfloat16 on CPUs: what stays in FP32, how near it comes, and when it is taken unasked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper

from tests.colour import as_model
from tests.support import ROOT
from trt_build.backends import precision
from trt_build.backends.film import film_frames, fitted
from trt_build.backends.openvino import OpenVINO, has_bfloat
from trt_build.graphs.precision import to_bfloat
from trt_build.model_file import ModelFile
from trt_build.profile import GRAYS, Profile
from trt_build.verify.verify import verify_session
from vs_interp.size import Size
from vs_interp.spec import NetworkSpec, Output, Window

BUNDLED = ModelFile.load(ROOT / "vs_interp/models/super-slomo-small.onnx")
FSRCNN = ModelFile.load(ROOT / "vs_interp/models/fsrcnn-x2.onnx")
SIZE = Profile(width=256, height=192)

needs_bfloat = pytest.mark.skipif(not has_bfloat(), reason="the processor has no bfloat16")


def made(runtime: OpenVINO, model: ModelFile, profile: Profile) -> np.ndarray[Any, np.dtype[np.float32]]:
    shown = [fitted(frame, Size(profile.width, profile.height)) for frame in film_frames(2)]
    out = np.zeros((3, profile.height, profile.width), np.float32)
    runtime.open(model, profile)[0].run([list(frame) for frame in shown], [0, 1], [0.5], [list(out)])
    return out


def test_weights_are_rounded_but_for_islands_and_both_ends() -> None:
    """Of the convolutions only the one in the middle is bfloat16; the activation after the first stays with it."""
    weight = helper.make_tensor("w", TensorProto.FLOAT, [3, 3, 1, 1], np.full(9, 1 / 3, np.float32))
    nodes = [
        helper.make_node("Constant", [], ["w"], name="/weight", value=weight),
        helper.make_node("Conv", ["frame0", "w"], ["a"], name="/first/Conv"),
        helper.make_node("LeakyRelu", ["a"], ["b"], name="/first/LeakyRelu"),
        helper.make_node("Conv", ["b", "w"], ["c"], name="/middle/Conv"),
        helper.make_node("Relu", ["c"], ["d"], name="/warp/Relu"),
        helper.make_node("Conv", ["d", "w"], ["e"], name="/last/Conv"),
        helper.make_node("Relu", ["e"], ["output"], name="/last/Relu"),
    ]
    window, output = Window(offsets=(0,)), Output(times=(0.0,))
    spec = NetworkSpec(name="small", window=window, output=output, fp32_islands=("/warp/*",))
    graph = to_bfloat(as_model(nodes, spec)).graph.graph
    types = {tensor.name: tensor.data_type for tensor in graph.initializer}
    rounded = [node.name for node in graph.node if types.get(node.input[-1]) == TensorProto.BFLOAT16]
    assert rounded == ["/middle/Conv"]
    casts = [(node.input[0], helper.get_attribute_value(node.attribute[0]))
             for node in graph.node if node.op_type == "Cast"]  # fmt: skip
    assert casts == [("b", TensorProto.BFLOAT16), ("c", TensorProto.FLOAT)]


def in_bfloat(nodes: list[NodeProto], islands: tuple[str, ...] = ("GridSample",)) -> set[str]:
    """Return the names of the nodes that have a bfloat16 input; weights are ``w``, to 3 channels, and ``v``, to 2."""
    spec = NetworkSpec(name="small", window=Window(offsets=(0,)), output=Output(times=(0.0,)), fp32_islands=islands)
    sizes = {"w": 3, "v": 2}
    weights = [numpy_helper.from_array(np.ones((size, 3, 1, 1), np.float32), name) for name, size in sizes.items()]
    graph = to_bfloat(as_model(nodes, spec, weights)).graph.graph
    types = {tensor.name: tensor.data_type for tensor in graph.initializer}
    for node in graph.node:
        to = [attribute.i for attribute in node.attribute if node.op_type == "Cast" and attribute.name == "to"]
        types |= dict.fromkeys(node.output, to[0] if to else max(types.get(name, 1) for name in node.input))
    return {
        node.name
        for node in graph.node
        if node.op_type != "Cast" and TensorProto.BFLOAT16 in [types.get(name) for name in node.input]
    }


def test_what_makes_flows_and_masks_is_rounded_and_what_makes_pictures_is_not() -> None:
    """The last convolution before a warp's grid, and before a sigmoid, beside those whose output is seen."""
    nodes = [
        helper.make_node("Neg", ["frame0"], ["a"], name="/Neg"),
        helper.make_node("Conv", ["a", "v"], ["flow"], name="/flow/Conv"),
        helper.make_node("Conv", ["a", "w"], ["logit"], name="/mask/Conv"),
        helper.make_node("Conv", ["a", "w"], ["picture"], name="/picture/Conv"),
        helper.make_node("Transpose", ["flow"], ["grid"], name="/Transpose", perm=[0, 2, 3, 1]),
        helper.make_node("GridSample", ["picture", "grid"], ["warped"], name="/GridSample"),
        helper.make_node("Sigmoid", ["logit"], ["mask"], name="/Sigmoid"),
        helper.make_node("Mul", ["warped", "mask"], ["output"], name="/Mul"),
    ]
    assert in_bfloat(nodes) == {"/Neg", "/flow/Conv", "/mask/Conv", "/Transpose"}


@pytest.mark.parametrize(("first", "exact"), [("AveragePool", True), ("MaxPool", False)])
def test_a_flow_from_averaged_frames_is_exact(first: str, exact: bool) -> None:
    """That is Super-SloMo's at a quarter of the size; a second flow, refined from it, is rounded."""
    nodes = [
        helper.make_node(first, ["frame0"], ["small"], name="/Pool", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Conv", ["small", "v"], ["coarse"], name="/coarse/Conv"),
        helper.make_node("Transpose", ["coarse"], ["grid0"], name="/coarse/Transpose", perm=[0, 2, 3, 1]),
        helper.make_node("GridSample", ["frame0", "grid0"], ["warped"], name="/first/GridSample"),
        helper.make_node("Conv", ["warped", "v"], ["fine"], name="/fine/Conv"),
        helper.make_node("Transpose", ["fine"], ["grid1"], name="/fine/Transpose", perm=[0, 2, 3, 1]),
        helper.make_node("GridSample", ["frame0", "grid1"], ["output"], name="/last/GridSample"),
    ]
    rounded = in_bfloat(nodes)
    assert {"/fine/Conv", "/fine/Transpose"} <= rounded
    assert ("/coarse/Conv" in rounded) == ("/coarse/Transpose" in rounded) == (not exact)


def test_values_that_only_move_from_island_to_island_are_not_rounded() -> None:
    """What makes the flow is an island here, and so is the warp: a slice on the way must not round coordinates."""
    nodes = [
        helper.make_node("Neg", ["frame0"], ["a"], name="/Neg"),
        helper.make_node("Conv", ["a", "v"], ["flow"], name="/island/Conv"),
        helper.make_node("Transpose", ["flow"], ["turned"], name="/Transpose_0", perm=[0, 2, 3, 1]),
        helper.make_node("Identity", ["turned"], ["grid"], name="/Identity_1"),
        helper.make_node("Identity", ["flow"], ["too"], name="/Identity_2"),
        helper.make_node("GridSample", ["frame0", "grid"], ["warped"], name="/GridSample"),
        helper.make_node("ReduceMean", ["too"], ["mean"], name="/Mean_4"),
        helper.make_node("Sigmoid", ["mean"], ["mask"], name="/Sigmoid"),
        helper.make_node("Mul", ["warped", "mask"], ["output"], name="/Mul"),
    ]
    rounded = in_bfloat(nodes, ("GridSample", "/island/*"))
    assert rounded == {"/Neg", "/Identity_2", "/Mean_4"}


@needs_bfloat
@pytest.mark.has_bfloat
def test_bfloat_comes_near_and_another_precision_is_really_used() -> None:
    exact, rounded = (made(OpenVINO(streams=1, precision=kind), BUNDLED, SIZE) for kind in ("fp32", "bf16"))
    error = 255 * np.abs(exact - rounded)
    assert 0.01 < error.max() <= 4
    assert -10 * np.log10((error**2).mean() / 255**2) > 60


@needs_bfloat
@pytest.mark.has_bfloat
def test_auto_takes_what_passes_and_remembers_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FSRCNN, 12 channels wide, is off by whole codes in bfloat16; Super-SloMo is not.  Nothing is tried twice."""
    monkeypatch.setenv("VS_INTERP_CACHE", str(tmp_path))
    runtime = OpenVINO(streams=1)
    first = runtime.choose_precision(BUNDLED, SIZE, verify_session)
    assert first.precision == "bf16" and "dB" in first.reason
    luma = runtime.choose_precision(FSRCNN, replace(SIZE, planes=GRAYS), verify_session)
    assert luma.precision == "fp32" and "dB" in luma.reason
    monkeypatch.setattr(precision, "_made", None)  # calling it would fail
    assert runtime.choose_precision(BUNDLED, SIZE, verify_session) == first
    next(tmp_path.glob("precision/*")).write_bytes(b"{")
    kept = list(tmp_path.glob("precision/*.json"))
    assert len(kept) == 2


@pytest.mark.parametrize(
    ("runtime", "check", "why"),
    [
        (OpenVINO(precision="fp32"), verify_session, "as given by precision="),
        (OpenVINO(planes="native"), verify_session, "colour conversion in the graph needs it"),
        (OpenVINO(), verify_session, "this processor has no bfloat16"),
    ],
)
def test_fp32_says_why(runtime: OpenVINO, check: Any, why: str) -> None:
    choice = runtime.choose_precision(BUNDLED, SIZE, check)
    assert (choice.precision, choice.reason) == ("fp32", why)


@needs_bfloat
@pytest.mark.has_bfloat
@pytest.mark.parametrize(
    ("error", "told"),
    [
        (0.1, "bf16 reaches 68.1 dB against FP32, within 0.1 8-bit codes (at most 0.1)"),
        (2.5, "bf16 reaches 40.2 dB against FP32, within 2.5 8-bit codes (at most 2.5): 55 dB are asked for"),
        (
            5.0,
            "bf16 reaches 34.2 dB against FP32, within 5.0 8-bit codes (at most 5.0): 55 dB and 4 codes are asked for",
        ),
        (np.nan, "bf16 reaches 99.0 dB against FP32, within nan 8-bit codes (at most nan): 4 codes are asked for"),
    ],
)
def test_what_bfloat_misses_is_said(error: float, told: str) -> None:
    """Of pictures that are off by as many 8-bit codes everywhere: 20 log10(255 / error) dB."""
    wanted = np.full((1, 3, 8, 8), 0.5, np.float32)
    choice = precision._judged("bf16", wanted + np.float32(error / 255), wanted)
    assert (choice.precision, choice.reason) == ("bf16" if error < 1 else "fp32", told)


def test_sessions_that_nobody_checks_are_exact() -> None:
    assert OpenVINO().choose_precision(BUNDLED, SIZE, None).precision == "fp32"
