"""What bfloat16 would spoil: both ends of a graph, and the flow with which a search from coarse to fine begins."""

from __future__ import annotations

from onnx import GraphProto

HEAVY = ("Conv", "ConvTranspose", "Gemm", "MatMul")
"""The operators that take nearly all of the time; the others cost next to nothing in FP32."""

ACTIVATIONS = ("Relu", "LeakyRelu", "PRelu")
"""The operators that runtimes compute together with the convolution before them, in its precision."""


def head(graph: GraphProto) -> frozenset[str]:
    """Return the tensors that convolutions make of the graph's inputs directly, before and after their activations.

    Few graphs have any: where a frame is padded, shifted or joined with another before, it is a node's output.
    """
    inputs, found = {value.name for value in graph.input}, set[str]()
    for node in graph.node:
        read = inputs if node.op_type in HEAVY else found if node.op_type in ACTIVATIONS else set[str]()
        if not read.isdisjoint(node.input):
            found.update(node.output)
    return frozenset(found)


def tail(graph: GraphProto) -> frozenset[str]:
    """Return the tensors of the last convolutions that make pictures, and of what follows them.

    Convolutions that make flows and masks are not among them: how a picture is sampled or blended need not be as exact
    as the picture.  A picture that itself comes out of a sigmoid is taken for a mask, so that its last convolution is
    rounded: ``precision="auto"`` measures whether that is near enough.
    """
    return _before(graph, [value.name for value in graph.output], last=(*HEAVY, "Sigmoid"))


def coarse_flow(graph: GraphProto) -> frozenset[str]:
    """Return the tensors that lead to the first flow, if frames are averaged before any convolution on the way to it.

    An error in it is enlarged, and later flows start from it.  In Super-SloMo, whose first flow is at a quarter of the
    size, FP32 costs nearly nothing there and brings frames 5 to 12 dB nearer.  RIFE takes single pixels in place of
    means, and its spec names the blocks that must be FP32.
    """
    grid = next((node.input[1] for node in graph.node if node.op_type == "GridSample"), None)
    found = _before(graph, [grid] if grid else [])
    frames = {value.name for value in graph.input}
    for node in graph.node:
        if node.op_type in ("AveragePool", "Shape") or frames.isdisjoint(node.input):
            continue
        if node.op_type in HEAVY and not found.isdisjoint(node.output):
            return frozenset()
        frames.update(node.output)
    return found


def _before(graph: GraphProto, waiting: list[str], last: tuple[str, ...] = ()) -> frozenset[str]:
    """Return the tensors that lead to those in ``waiting``, back to nodes of the types ``last``, and not by a grid."""
    makers = {name: node for node in graph.node for name in node.output}
    found = set[str]()
    while waiting:
        name = waiting.pop()
        if name in found or name not in makers:
            continue
        found.add(name)
        maker = makers[name]
        if maker.op_type not in last:
            waiting.extend(maker.input[:1] if maker.op_type == "GridSample" else maker.input)
    return frozenset(found)
