"""Half precision (FP16 or bfloat16), written into the graph.

TensorRT 11 and TensorRT-RTX take only strongly typed networks, and OpenVINO's own conversion to bfloat16 also rounds
the coordinates of warps.  Here nodes that compute pictures become half precision, and their weights with them.  The
spec's FP32 islands, and whatever is computed from sizes alone (coordinates, ranges), stay FP32, with Casts in between.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from trt_build.model_file import ModelFile
from vs_interp.errors import ModelFileError

from .ends import coarse_flow, head, tail
from .islands import exact_tensors

HALF, BFLOAT, FLOAT = int(TensorProto.FLOAT16), int(TensorProto.BFLOAT16), int(TensorProto.FLOAT)
_SUFFIXES = {HALF: "_half", BFLOAT: "_bfloat", FLOAT: "_float"}

LARGEST_HALF = 65504.0
"""The largest finite FP16 number."""

_FLOAT_INPUTS = {"Resize": (1, 2)}
"""Inputs that ONNX wants in FP32 whatever the type of the node: the region and the scales of a Resize."""

_BOUNDS = {"Clip": (1, 2)}
"""Inputs that are limits: one beyond FP16's range may be clamped to it, since no value can exceed it anyway."""


def to_half(model: ModelFile) -> ModelFile:
    """Return the model with an FP16 graph: weights in FP16, the spec's islands in FP32, every tensor typed.

    Inputs and ``output`` stay float32; state tensors keep their names and have the type of the node that makes them.
    Raises :class:`ModelFileError`, naming the tensors, if weights are not finite or exceed FP16's range (±65504).
    """
    graph = _copy(model)
    _Halving(graph, model.spec.fp32_islands, HALF).run()
    try:
        graph = onnx.shape_inference.infer_shapes(graph, check_type=True, strict_mode=True)
        onnx.checker.check_model(graph, full_check=True)
    except (onnx.shape_inference.InferenceError, onnx.checker.ValidationError) as error:
        reason = str(error).strip().splitlines()[-1]
        raise ModelFileError(
            f"its graph cannot be written in half precision ({reason}): name the node an FP32 island"
        ) from error
    return ModelFile(graph, model.spec, model.digest)


def to_bfloat(model: ModelFile) -> ModelFile:
    """Return the model with a bfloat16 graph, for CPUs: like :func:`to_half`, but with more in FP32.

    With 8 significant bits, a picture would be off by half an 8-bit code: convolutions that read frames or make
    pictures stay FP32.  So does a coarse flow, whose error grows as it is enlarged (see :mod:`.ends`).  The graph is
    not checked: ONNX's checker knows no bfloat16 convolutions.
    """
    graph = _copy(model)
    exact = head(graph.graph) | tail(graph.graph) | coarse_flow(graph.graph)
    _Halving(graph, model.spec.fp32_islands, BFLOAT, exact).run()
    return ModelFile(graph, model.spec, model.digest)


def _copy(model: ModelFile) -> ModelProto:
    graph = ModelProto()
    graph.CopyFrom(model.graph)
    if any(attribute.HasField("g") for node in graph.graph.node for attribute in node.attribute):
        raise ModelFileError(
            "its graph has branches or loops, which cannot be converted to half precision: export it without them"
        )
    _name_constants(graph.graph)
    return graph


class _Halving:
    """One pass over the nodes.

    A tensor has the precision of the node that computes it, and at most one Cast to the other precision.  Nodes named
    by ``islands`` and those that compute a tensor of ``exact`` stay FP32 (see :func:`.islands.exact_tensors`).
    """

    def __init__(
        self, model: ModelProto, islands: tuple[str, ...], half: int, exact: frozenset[str] = frozenset()
    ) -> None:
        self.graph, self.half = model.graph, half
        self.exact = exact_tensors(self.graph, islands, exact)
        self.types = element_types(model)
        self.weights = {tensor.name: tensor for tensor in self.graph.initializer}
        self.outputs = {value.name for value in self.graph.output}
        self.nodes: list[NodeProto] = []
        self.copies: dict[tuple[str, int], str] = {}
        self.wrong = [
            tensor.name
            for tensor in self.graph.initializer
            if tensor.data_type == FLOAT and not np.isfinite(numpy_helper.to_array(tensor)).all()
        ]

    def run(self) -> None:
        """Rewrite the graph in place."""
        for node in list(self.graph.node):
            self._take(node, self.half if self.exact.isdisjoint(node.output) else FLOAT)
        if self.wrong:
            names = ", ".join(self.wrong[:3]) + (f" and {len(self.wrong) - 3} more" if len(self.wrong) > 3 else "")
            raise ModelFileError(
                f"half precision cannot hold the weights {names} (not finite, or beyond {LARGEST_HALF:g}): "
                "train them again, or make their nodes FP32 islands"
            )
        used = {name for node in self.nodes for name in node.input} | self.outputs
        weights = [tensor for tensor in self.weights.values() if tensor.name in used]
        set_repeated(self.graph.node, self.nodes)
        set_repeated(self.graph.initializer, weights)
        for value in self.graph.value_info:
            value.type.tensor_type.elem_type = self.types[value.name]

    def _take(self, node: NodeProto, precision: int) -> None:
        """Append a copy of the node with its float tensors in the given precision, after the Casts that it needs."""
        copy = NodeProto()
        copy.CopyFrom(node)
        for index, name in enumerate(node.input):
            if self.types.get(name) in (FLOAT, self.half):
                wanted = FLOAT if index in _FLOAT_INPUTS.get(node.op_type, ()) else precision
                copy.input[index] = self._typed(name, wanted, bound=index in _BOUNDS.get(node.op_type, ()))
        self.nodes.append(copy)
        if precision == FLOAT:
            return
        for attribute in copy.attribute:
            if copy.op_type == "Cast" and attribute.name == "to" and attribute.i == FLOAT:
                attribute.i = self.half
        for index, name in enumerate(node.output):
            if self.types.get(name) != FLOAT:
                continue
            if name in self.outputs:
                copy.output[index] = self.copies[name, self.half] = self._unused(name, self.half)
                self.nodes.append(_cast(copy.output[index], name, FLOAT))
            else:
                self.types[name] = self.half

    def _typed(self, name: str, precision: int, *, bound: bool) -> str:
        """Return the name of the tensor, or of its copy in the given precision, which is made if there is none yet."""
        if self.types[name] == precision:
            return name
        if name in self.weights and not bound and not self._holds(self.weights[name]) and name not in self.wrong:
            self.wrong.append(name)  # asked of every reader, since a Clip may have made the copy
        if (name, precision) not in self.copies:
            copy = self.copies[name, precision] = self._unused(name, precision)
            if name in self.weights:
                self.weights[copy] = self._halve(self.weights[name], copy)
            else:
                self.nodes.append(_cast(name, copy, precision))
        return self.copies[name, precision]

    def _holds(self, tensor: TensorProto) -> bool:
        """Return whether half precision has the range for the tensor's values, as bfloat16 has for all of FP32."""
        largest = float(np.abs(numpy_helper.to_array(tensor)).max(initial=0))
        return self.half == BFLOAT or largest <= LARGEST_HALF

    def _halve(self, tensor: TensorProto, name: str) -> TensorProto:
        """Return the tensor in half precision, with values beyond its range, as of a bound, brought to its ends."""
        values = numpy_helper.to_array(tensor)
        if self.half == HALF:
            values = np.clip(values, -LARGEST_HALF, LARGEST_HALF)
        return numpy_helper.from_array(values.astype(helper.tensor_dtype_to_np_dtype(self.half)), name)

    def _unused(self, name: str, precision: int) -> str:
        name += _SUFFIXES[precision]
        while name in self.types:
            name += "_"
        self.types[name] = precision
        return name


def _name_constants(graph: GraphProto) -> None:
    """Replace Constant nodes by initialisers, so that all weights are in one place."""
    for node in [node for node in graph.node if node.op_type == "Constant"]:
        value = helper.get_attribute_value(node.attribute[0])
        if isinstance(value, TensorProto):
            tensor = TensorProto()
            tensor.CopyFrom(value)
        else:
            kind = np.int64 if "int" in node.attribute[0].name else np.float32
            tensor = numpy_helper.from_array(np.asarray(value, kind))
        tensor.name = node.output[0]
        graph.initializer.append(tensor)
        graph.node.remove(node)


def element_types(model: ModelProto) -> dict[str, int]:
    """Return the element type of every tensor, found by ONNX's shape inference.

    Raises :class:`ModelFileError` if some cannot be inferred.
    """
    graph = onnx.shape_inference.infer_shapes(model).graph
    types = {tensor.name: tensor.data_type for tensor in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        types[value.name] = value.type.tensor_type.elem_type
    unknown = [name for node in graph.node for name in node.output if name and not types.get(name)]
    if unknown:
        raise ModelFileError(f"the types of {', '.join(unknown[:3])} cannot be inferred: export the model again")
    return types


def _cast(source: str, target: str, precision: int) -> NodeProto:
    return helper.make_node("Cast", [source], [target], name=f"/precision/Cast_{target}", to=precision)


def set_repeated(field: Any, items: Iterable[Any]) -> None:
    """Replace the items of a protobuf message's repeated field."""
    items = list(items)
    del field[:]
    field.extend(items)
