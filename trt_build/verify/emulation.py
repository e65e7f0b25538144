"""Emulation of an FP16 graph by FP32 arithmetic with rounding, for machines without FP16."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from trt_build.graphs.islands import MOVERS
from trt_build.graphs.precision import FLOAT, HALF, LARGEST_HALF, element_types, set_repeated
from trt_build.model_file import ModelFile

_ROUNDING_CONSTANTS = [
    numpy_helper.from_array(np.array(8193, np.float32), "/half/splitter"),
    numpy_helper.from_array(np.array(LARGEST_HALF, np.float32), "/half/largest"),
    numpy_helper.from_array(np.array(np.inf, np.float32), "/half/infinity"),
]


def emulate_half(model: ModelFile) -> ModelFile:
    """Return a graph made by :func:`to_half` as FP32 arithmetic in which every FP16 tensor is rounded to FP16.

    CPU runtimes remove pairs of Casts to FP16 and back, so the rounding is written as arithmetic (Dekker 1971: with
    c = 8193 x, c - (c - x) is x rounded to 11 bits).  Values beyond 65504 become infinite.  This differs from a GPU in
    that a GPU rounds less often, since it fuses nodes, and that values below 6e-5 keep more bits here.
    """
    types = element_types(model.graph)
    graph = ModelProto()
    graph.CopyFrom(model.graph)
    nodes: list[NodeProto] = []
    for node in graph.graph.node:
        copy = NodeProto()
        copy.CopyFrom(node)
        for attribute in copy.attribute:
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == HALF:
                attribute.i = FLOAT
        computes = node.op_type not in MOVERS  # others round nothing
        halves = [name for name in node.output if computes and types.get(name) == HALF]
        for name in halves:
            copy.output[list(node.output).index(name)] = f"{name}/exact"
        nodes += [copy, *(step for name in halves for step in _rounding(f"{name}/exact", name))]
    set_repeated(graph.graph.node, nodes)
    weights = [_widened(tensor) for tensor in graph.graph.initializer]
    set_repeated(graph.graph.initializer, [*weights, *_ROUNDING_CONSTANTS])
    for value in graph.graph.value_info:
        if value.type.tensor_type.elem_type == HALF:
            value.type.tensor_type.elem_type = FLOAT
    onnx.checker.check_model(graph, full_check=True)
    return ModelFile(graph, model.spec, model.digest)


def _rounding(source: str, target: str) -> list[NodeProto]:
    """Return nodes that round a float32 tensor to the nearest FP16 number."""
    steps = (
        ("Mul", (source, "/half/splitter"), "/split"),
        ("Sub", ("/split", source), "/rest"),
        ("Sub", ("/split", "/rest"), "/rounded"),
        ("Abs", ("/rounded",), "/size"),
        ("LessOrEqual", ("/size", "/half/largest"), "/within"),
        ("Mul", (source, "/half/infinity"), "/infinite"),
        ("Where", ("/within", "/rounded", "/infinite"), ""),
    )
    inner = {output for _, _, output in steps}
    return [
        helper.make_node(
            operator,
            [target + name if name in inner else name for name in inputs],
            [target + output],
            name=f"/half/{operator}_{target}{output}",
        )
        for operator, inputs, output in steps
    ]


def _widened(tensor: TensorProto) -> TensorProto:
    """Return an FP16 tensor as float32, and any other unchanged."""
    if tensor.data_type != HALF:
        return tensor
    return numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float32), tensor.name)
