"""Which nodes stay FP32 in half precision."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from fnmatch import fnmatchcase

from onnx import GraphProto, NodeProto

MOVERS = {
    "Concat", "Expand", "Flatten", "Gather", "Identity", "Reshape", "Slice", "Split", "Squeeze", "Transpose",
    "Unsqueeze",
}  # fmt: skip
"""Operators that only move values."""


def exact_tensors(graph: GraphProto, islands: Sequence[str], exact: frozenset[str] = frozenset()) -> frozenset[str]:
    """Return the tensors whose nodes stay FP32.

    These are the nodes that ``islands`` names (patterns of node names or operator types), those that compute a tensor
    of ``exact`` or work out sizes, and those that only move values from FP32 to FP32: the flow that is cut in two on
    its way to the warps would be rounded for nothing.

    Matrix products become half precision even if they depend on weights alone: TensorRT-RTX has none in FP32 for
    Turing GPUs.
    """
    pictures = _picture_values(graph)
    kept = {
        name
        for node in graph.node
        for name in _made_by(node)
        if any(fnmatchcase(node.name, pattern) or fnmatchcase(node.op_type, pattern) for pattern in islands)
        or not exact.isdisjoint(node.output)
        or (pictures.isdisjoint(node.output) and node.op_type not in ("Gemm", "MatMul"))
    }
    return frozenset(kept | _moved(graph, kept, pictures))


def _moved(graph: GraphProto, kept: set[str], pictures: set[str]) -> set[str]:
    """Return the tensors that only move values which are FP32, in part or whole, to nodes that all are FP32."""
    readers = defaultdict[str, list[NodeProto]](list)
    for node in graph.node:
        for name in node.input:
            readers[name].append(node)
    wanted = set(kept)
    for node in reversed(graph.node):
        read_by = [reader for name in node.output for reader in readers[name]]
        if node.op_type in MOVERS and all(wanted.issuperset(reader.output) for reader in read_by):
            wanted.update(node.output)
    given = kept & pictures | {value.name for value in graph.input}
    for node in graph.node:
        if node.op_type in MOVERS and wanted.issuperset(node.output) and not given.isdisjoint(node.input):
            given.update(node.output)
    return given & wanted


def _picture_values(graph: GraphProto) -> set[str]:
    """Return the tensors that depend on the values of the inputs, not on their sizes alone."""
    found = {value.name for value in graph.input}
    for node in graph.node:
        if node.op_type not in ("Shape", "Size") and not found.isdisjoint(node.input):
            found.update(_made_by(node))
    return found


def _made_by(node: NodeProto) -> list[str]:
    """Return a node's outputs but for optional ones that it does not make, whose names are empty."""
    return [name for name in node.output if name]
