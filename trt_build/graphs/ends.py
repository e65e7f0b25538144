"""The convolutions at both ends of a graph: those whose input is a frame itself, and those that make the pictures.

Few graphs have the first: where a frame is padded, shifted or joined with another before, it is a node's output.
"""

from __future__ import annotations

from onnx import GraphProto

HEAVY = ("Conv", "ConvTranspose", "Gemm", "MatMul")
"""The operators that take nearly all of the time; the others cost next to nothing in FP32."""

ACTIVATIONS = ("Relu", "LeakyRelu", "PRelu")
"""The operators that runtimes compute together with the convolution before them, in its precision."""


def head(graph: GraphProto) -> frozenset[str]:
    """Return the tensors that convolutions make of the graph's inputs directly, before and after their activations."""
    inputs, found = {value.name for value in graph.input}, set[str]()
    for node in graph.node:
        read = inputs if node.op_type in HEAVY else found if node.op_type in ACTIVATIONS else set[str]()
        if not read.isdisjoint(node.input):
            found.update(node.output)
    return frozenset(found)


def tail(graph: GraphProto) -> frozenset[str]:
    """Return the tensors from which no convolution or matrix product leads to the output."""
    makers = {name: node for node in graph.node for name in node.output}
    found: set[str] = set()
    waiting = [value.name for value in graph.output]
    while waiting:
        name = waiting.pop()
        if name in found or name not in makers:
            continue
        found.add(name)
        if makers[name].op_type not in HEAVY:
            waiting.extend(makers[name].input)
    return frozenset(found)
