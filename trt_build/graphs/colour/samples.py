"""Conversion of samples from their form in memory to values and back, in the graph."""

from __future__ import annotations

from onnx import TensorProto

from trt_build.graphs.nodes import Nodes
from trt_build.profile import PlaneFormat

STORED = {
    "uint8": TensorProto.UINT8,
    "uint16": TensorProto.UINT8,
    "float16": TensorProto.FLOAT16,
    "float32": TensorProto.FLOAT,
}
"""NumPy type → type of the tensors that hold samples.  TensorRT has no uint16, so these travel as pairs of bytes."""


def elements(planes: PlaneFormat) -> int:
    """Return how many elements of a tensor hold one sample: 2 if it is a pair of bytes."""
    return 2 if planes.dtype == "uint16" else 1


def decode(nodes: Nodes, picture: str, index: int, planes: PlaneFormat) -> str:
    """Return the values of a picture's plane: luma and RGB in [0, 1], chroma in [-1/2, 1/2]."""
    plane = f"{picture}_plane{index}"
    scale, offset = planes.levels[index]
    value = plane if planes.dtype == "float32" else nodes.add("Cast", plane, to=TensorProto.FLOAT)
    if planes.dtype == "uint16":
        low, high = (_every_second(nodes, value, start) for start in (0, 1))
        value = nodes.add("Add", low, nodes.scaled(high, 256))
    return nodes.scaled(value, 1 / scale, -offset / scale)


def encode(nodes: Nodes, value: str, picture: str, index: int, planes: PlaneFormat) -> None:
    """Add the output of a picture's plane.  Integers are rounded, halves to even, and clamped to their bit depth."""
    name = f"{picture}_plane{index}"
    if planes.floating:
        nodes.add("Cast", value, to=STORED[planes.dtype.name], name=name)
        return
    rounded = nodes.add("Round", nodes.scaled(value, *planes.levels[index]))
    code = nodes.add("Clip", rounded, nodes.real(0), nodes.real(2**planes.bits - 1))
    if planes.dtype == "uint16":
        code = _pairs(nodes, code)
    nodes.add("Cast", code, to=TensorProto.UINT8, name=name)


def _every_second(nodes: Nodes, value: str, start: int) -> str:
    """Return the columns ``start``, ``start`` + 2, …"""
    return nodes.add("Slice", value, *(nodes.whole([number]) for number in (start, 2**31 - 1, 3, 2)))


def _pairs(nodes: Nodes, code: str) -> str:
    """Return N×1×height×width codes as N×1×height×(2·width) bytes: low byte, high byte."""
    high = nodes.add("Floor", nodes.scaled(code, 1 / 256))
    low = nodes.add("Sub", code, nodes.scaled(high, 256))
    both = nodes.add("Transpose", nodes.add("Concat", low, high, axis=1), perm=[0, 2, 3, 1])
    rows = nodes.add("Reshape", both, nodes.whole([0, 0, -1]))  # 0 keeps the input's length
    return nodes.add("Unsqueeze", rows, nodes.whole([1]))
