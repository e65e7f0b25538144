"""The computational cost of a network: the multiplications of its convolutions and matrix products."""

from __future__ import annotations

import math
from typing import Any

from onnx import ModelProto

from trt_build.model_file import ModelFile
from vs_interp.size import Size

SIZE = Size(640, 384)
"""The size at which work is counted, unless the network has a fixed one.  The known networks take it unpadded."""


def work_per_pixel(model: ModelFile, times: int = 1) -> float:
    """Return the thousands of multiplications (kMAC) for one made picture, divided by the pixels of a source frame.

    ``times`` is the number of pictures made from each window by a network that takes a time; it computes its state once
    for all of them.  Both components of a flow count as one picture.  Products of two activations (correlation,
    attention) count; sampling, sums and activation functions do not.
    """
    spec = model.spec
    height, width = spec.fixed or (spec.padded(SIZE.height), spec.padded(SIZE.width))
    once, graph = model.split()
    state, shapes = _products(once, height, width, {}) if once else (0, {})
    each, _ = _products(graph, height, width, shapes)
    pictures = 1 if spec.output.kind in ("flow", "mask") else spec.pictures
    whole = (state / times + each) if spec.takes_time else each / pictures
    return whole / (height * width) / 1000


Shapes = dict[str, list[int]]


def _products(graph: ModelProto, height: int, width: int, known: Shapes) -> tuple[int, Shapes]:
    """Return the multiplications of a graph, and the shapes of its outputs; ``known`` are the shapes of its state."""
    import openvino

    network: Any = openvino.Core().read_model(graph.SerializeToString())
    shapes: Shapes = {}
    for value in network.inputs:
        name, channels = value.any_name, value.partial_shape[1]
        sides = [1, 1, 1, 1] if name == "time" else [1, channels.get_length(), height, width]
        shapes[name] = known.get(name, sides)
    network.reshape(shapes)
    total = sum(_multiplications(node) for node in network.get_ordered_ops())
    return total, {name: list(value.shape) for value in network.outputs for name in value.names}


def _multiplications(node: Any) -> int:
    """Return the multiplications of one operation."""
    kind = node.get_type_name()
    if kind not in (
        "Convolution",
        "GroupConvolution",
        "ConvolutionBackpropData",
        "GroupConvolutionBackpropData",
        "MatMul",
    ):
        return 0
    first, second = (list(node.input_value(place).shape) for place in (0, 1))
    if kind == "MatMul":
        products: int = math.prod(node.output(0).shape) * first[-2 if node.get_attributes()["transpose_a"] else -1]
        return products
    pixels, kernel = (node.output(0).shape, second) if "Backprop" not in kind else (first, second)
    products = math.prod(pixels[2:]) * pixels[0] * math.prod(kernel)
    return products
