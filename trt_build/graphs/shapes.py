"""The shape of every tensor of a model at one picture size, found without running it."""

from __future__ import annotations

from collections.abc import Mapping

import onnx
from onnx import ModelProto, helper

from trt_build.model_file import ModelFile

Shapes = Mapping[str, tuple[int, ...]]
"""Name of a tensor → its shape."""

FEW = 1024
"""A constant of up to this many bytes may be a shape or a list of axes, on whose values other shapes depend."""


def static_shapes(model: ModelFile, width: int, height: int) -> Shapes:
    """Return the shapes of all tensors for frames of one size, which must be one that the network takes.

    Tensors whose shape cannot be inferred are left out.
    """
    light = ModelProto()  # shape inference serialises the model: leave out the values of large weights
    light.opset_import.extend(model.graph.opset_import)
    light.ir_version = model.graph.ir_version
    graph, whole = light.graph, model.graph.graph
    graph.name = whole.name
    graph.node.extend(whole.node)
    for value in whole.input:
        channels = value.type.tensor_type.shape.dim[1].dim_value
        size = (1, 1, 1, 1) if value.name == "time" else (1, channels, height, width)
        graph.input.append(helper.make_tensor_value_info(value.name, onnx.TensorProto.FLOAT, size))
    for weights in whole.initializer:
        if weights.ByteSize() <= FEW:
            graph.initializer.append(weights)
        else:
            graph.input.append(helper.make_tensor_value_info(weights.name, weights.data_type, weights.dims))
    graph.output.extend(onnx.ValueInfoProto(name=value.name) for value in whole.output)
    inferred = onnx.shape_inference.infer_shapes(light, data_prop=True).graph
    found = {weights.name: tuple(weights.dims) for weights in whole.initializer}
    found |= {
        value.name: tuple(dimension.dim_value for dimension in value.type.tensor_type.shape.dim)
        for value in (*inferred.input, *inferred.value_info, *inferred.output)
    }
    return {name: shape for name, shape in found.items() if all(shape)}
