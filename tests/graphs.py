"""Model files written by hand, whose pictures are plain arithmetic on the frames of the window."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

from trt_build.model_file import with_spec, write
from vs_interp.spec import NetworkSpec, Output, Window


def weighing(path: Path, spec: NetworkSpec, weights: Sequence[Sequence[float]]) -> Path:
    """Write a network whose picture m is the sum of weights[m][i] · frame i, every pixel repeated ``scale`` times."""
    nodes, constants, pictures = [], [], []
    for number, row in enumerate(weights):
        products = []
        for frame, weight in zip(spec.frame_inputs, row, strict=True):
            constants.append(numpy_helper.from_array(np.float32(weight), f"weight{number}{frame}"))
            products.append(f"product{number}{frame}")
            nodes.append(helper.make_node("Mul", [frame, constants[-1].name], [products[-1]]))
        pictures.append(f"picture{number}")
        nodes.append(helper.make_node("Sum", products, [pictures[-1]]))
    nodes.append(helper.make_node("Concat", pictures, ["all"], axis=0))
    constants.append(numpy_helper.from_array(np.float32([1, 1, spec.output.scale, spec.output.scale]), "scales"))
    nodes.append(helper.make_node("Resize", ["all", "", "scales"], ["output"], mode="nearest",
                                  coordinate_transformation_mode="asymmetric", nearest_mode="floor"))  # fmt: skip
    return _written(path, spec, nodes, constants)


def convolving(path: Path, spec: NetworkSpec, kernel: int) -> Path:
    """Write a network that convolves its one frame with random weights of sum 1, then enlarges it by Catmull-Rom."""
    channels, scale = spec.window.channels, spec.output.scale
    window = np.random.default_rng(kernel).random((kernel, kernel), np.float32)
    values = np.eye(channels, dtype=np.float32)[:, :, None, None] * (window / window.sum())
    constants = [numpy_helper.from_array(values, "kernel"),
                 numpy_helper.from_array(np.float32([1, 1, scale, scale]), "scales")]  # fmt: skip
    nodes = [
        helper.make_node("Conv", ["frame0", "kernel"], ["convolved"], pads=[kernel // 2] * 4),
        helper.make_node("Resize", ["convolved", "", "scales"], ["output"], mode="cubic", cubic_coeff_a=-0.5),
    ]
    return _written(path, spec, nodes, constants)


BLENDING = NetworkSpec(
    name="blending", window=Window(offsets=(0, 1)), output=Output(times=None), multiple_of=32, state=("seen0", "seen1")
)


def blending(path: Path) -> Path:
    """Write a network that blends two frames at any time: a convolution of each is its state, kept for a pair."""
    pixel = np.zeros((3, 3, 3, 3), np.float32)
    pixel[range(3), range(3), 1, 1] = 1
    nodes = [
        helper.make_node("Conv", ["frame0", "pixel"], ["seen0"], pads=[1] * 4, name="/see/Conv_0"),
        helper.make_node("Conv", ["frame1", "pixel"], ["seen1"], pads=[1] * 4, name="/see/Conv_1"),
        helper.make_node("Sub", ["seen1", "seen0"], ["difference"], name="/blend/Sub"),
        helper.make_node("Mul", ["difference", "time"], ["share"], name="/blend/Mul"),
        helper.make_node("Add", ["seen0", "share"], ["output"], name="/blend/Add"),
    ]
    return _written(path, BLENDING, nodes, [numpy_helper.from_array(pixel, "pixel")])


def _written(path: Path, spec: NetworkSpec, nodes: list[NodeProto], constants: list[TensorProto]) -> Path:
    def value(name: str, count: int, channels: int, unit: str) -> object:
        shape = [count, channels, f"{unit}height", f"{unit}width"]
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    inputs = [value(name, 1, spec.window.channels, "") for name in spec.frame_inputs]
    if spec.output.times is None:
        inputs.append(helper.make_tensor_value_info("time", TensorProto.FLOAT, [1, 1, 1, 1]))
    output = value("output", spec.pictures, spec.output.channels, "large_" if spec.output.scale > 1 else "")
    graph = helper.make_graph(nodes, spec.name, inputs, [output], constants)
    write(with_spec(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), spec), path)
    return path
