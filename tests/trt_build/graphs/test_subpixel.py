"""Transposed convolutions as convolutions: equal to OpenVINO's own, and left alone where they are of another kind."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from trt_build.graphs.subpixel import with_subpixels
from trt_build.verify.verify import run_graph


def transposed(kernel: int, stride: int, pad: int, channels: int = 1, extra: int = 0) -> ModelProto:
    random = np.random.default_rng(kernel)
    weights = random.random((3, channels, kernel, kernel), np.float32) - np.float32(0.5)
    constants = [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(weights[0, :, 0, 0], "bias")]
    node = helper.make_node("ConvTranspose", ["x", "weights", "bias"], ["output"], strides=[stride] * 2,
                            pads=[pad] * 4, output_padding=[extra] * 2)  # fmt: skip
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, "height", "width"])]
    outputs = [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, channels, "H", "W"])]
    graph = helper.make_graph([node], "transposed", inputs, outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


@pytest.mark.parametrize(("kernel", "stride", "pad", "extra"), [(9, 2, 4, 1), (9, 3, 3, 0), (9, 4, 3, 1), (4, 2, 1, 0)])
def test_the_pixels_are_the_same(kernel: int, stride: int, pad: int, extra: int) -> None:
    """The sizes of FSRCNN for 2, 3 and 4, and that of an even kernel; borders too."""
    before = transposed(kernel, stride, pad, extra=extra)
    after = with_subpixels(before)
    assert [node.op_type for node in after.graph.node] == ["Conv", "DepthToSpace"]
    inputs = {"x": np.random.default_rng(1).random((1, 3, 11, 14), np.float32)}
    made, wanted = (run_graph(graph, inputs, ["output"])["output"] for graph in (after, before))
    assert made.shape == wanted.shape == (1, 1, 11 * stride, 14 * stride)
    assert abs(made - wanted).max() < 1e-5


@pytest.mark.parametrize(("channels", "extra"), [(2, 1), (1, 0)])
def test_others_are_left_alone(channels: int, extra: int) -> None:
    """To several channels it would not be faster; with one line less the sizes are others."""
    model = transposed(9, 2, 4, channels, extra)
    assert with_subpixels(model) is model
