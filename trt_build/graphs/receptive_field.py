"""The receptive field of a network, found from its graph: it is what tiles must overlap by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, helper, numpy_helper

from trt_build.model_file import ModelFile

from .shapes import Shapes, static_shapes

PROBED = 64, 96
"""Height and width at which the sizes of tensors are compared; they differ so that a transposition is noticed."""

POINTWISE = frozenset((
    "Add", "Cast", "Ceil", "Clip", "Concat", "Constant", "Div", "Elu", "Erf", "Exp", "Floor", "Gather", "Gelu",
    "HardSigmoid", "HardSwish", "Identity", "LeakyRelu", "Max", "Min", "Mul", "Neg", "PRelu", "Pow", "ReduceMax",
    "ReduceMean", "ReduceMin", "ReduceSum", "Relu", "Round", "Sigmoid", "Slice", "Split", "Sqrt", "Squeeze", "Sub",
    "Sum", "Tanh", "Unsqueeze",
))  # fmt: skip
"""Operators whose output depends on one pixel alone, as long as they keep height and width."""

CENTRED = frozenset(("Pad", "Slice"))
"""Operators that may add a border around a picture or crop one."""

TAPS = {"nearest": 1, "linear": 1, "cubic": 2}
"""Samples to either side that an interpolation of Resize reads."""

Constants = Mapping[str, NDArray[Any]]
"""Name of an initialiser → its values."""


def receptive_radius(model: ModelFile) -> int | None:
    """Return the radius of the receptive field in pixels of the input, rounded up; ``None`` if it may be unlimited.

    An operator that is not known here counts as one that reads the whole picture.
    """
    spec = model.spec
    if not spec.tileable:
        return None
    height, width = (spec.padded(size) for size in PROBED)
    shapes = static_shapes(model, width, height)
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.graph.initializer}
    radius, step = dict.fromkeys(spec.frame_inputs, 0.0), dict.fromkeys(spec.frame_inputs, 1.0)
    for node in model.graph.graph.node:
        looked_at = [name for name in node.input if name in radius]
        if not looked_at or node.op_type == "Shape":
            continue
        known = looked_at[0] in shapes and node.output[0] in shapes
        samples = _samples(node, looked_at[0], shapes, constants) if known else None
        if samples is None:
            return None
        before, after = shapes[looked_at[0]][-1], shapes[node.output[0]][-1]
        here = step[looked_at[0]]
        grown = max(radius[name] for name in looked_at) + samples * here
        radius.update(dict.fromkeys(node.output, grown))
        step.update(dict.fromkeys(node.output, here if node.op_type in CENTRED else here * before / after))
    return ceil(radius["output"])


def _samples(node: NodeProto, looked_at: str, shapes: Shapes, constants: Constants) -> float | None:
    """Return how many samples of its input an operator reads to each side; ``None`` if that is unknown."""
    attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    before, after = shapes[looked_at][-2:], shapes[node.output[0]][-2:]
    if node.op_type in ("AveragePool", "Conv", "ConvTranspose", "MaxPool"):
        weights = shapes.get(node.input[1], ()) if len(node.input) > 1 else ()
        return _kernel(node.op_type, attributes, weights)
    if node.op_type == "Resize":
        shrunk = max(old / new for old, new in zip(before, after, strict=True))
        taps = TAPS.get(attributes.get("mode", b"nearest").decode(), 0)
        return taps * max(1, shrunk) + max(0, shrunk - 1) if taps else None
    if node.op_type == "DepthToSpace":
        return 0
    if node.op_type == "SpaceToDepth":
        return float(attributes["blocksize"] - 1)
    if node.op_type in CENTRED and before != after:
        return 0 if _centred(node, attributes, shapes[looked_at], shapes[node.output[0]], constants) else None
    return 0 if node.op_type in POINTWISE and before == after else None


def _centred(
    node: NodeProto, attributes: dict[str, Any], before: Sequence[int], after: Sequence[int], constants: Constants
) -> bool:
    """Return whether a Pad or Slice adds or crops the same border on opposite sides."""
    first = constants.get(node.input[1])
    if first is None:
        return False
    if node.op_type == "Pad":
        begin, end = np.split(first, 2)
        return attributes.get("mode") == b"edge" and np.array_equal(begin, end)
    axes = constants.get(node.input[3]) if len(node.input) > 3 else np.arange(len(first))
    return axes is not None and all(
        before[axis] - after[axis] == 2 * start for start, axis in zip(first.tolist(), axes.tolist(), strict=True)
    )


def _kernel(operator: str, attributes: dict[str, Any], weights: tuple[int, ...]) -> int | None:
    """Return the samples that a (transposed) convolution or a pooling reads to each side, the larger of both axes."""
    if attributes.get("auto_pad", b"NOTSET") != b"NOTSET":
        return None
    sizes = list(attributes.get("kernel_shape", weights[2:]))
    axes = len(sizes)
    pads = attributes.get("pads", [0] * 2 * axes)
    dilations, strides = attributes.get("dilations", [1] * axes), attributes.get("strides", [1] * axes)
    reaches: list[int] = []
    for axis in range(axes - 2, axes):
        length, pad = (sizes[axis] - 1) * dilations[axis], pads[axis]
        if operator == "ConvTranspose":  # for output s·c + r with r in 0…s-1, counted from input sample c
            stride = strides[axis]
            reaches.append(max((length - pad) // stride, (stride - 1 + pad) // stride))
        else:
            reaches.append(max(pad, length - pad))
    return max(reaches)
