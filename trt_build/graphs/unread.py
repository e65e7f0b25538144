"""Transposed convolutions without the channels that nobody reads: the same results for less work.

The last block of RIFE 4.25 makes eight features for a next block, of which there is none, and the blocks of 4.6 have an
output without a use.  Runtimes leave out layers that nobody reads, but no part of a layer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from trt_build.model_file import ModelFile

AXIS = 1
"""The axis of channels, in pictures and in the weights of a transposed convolution."""

ALL = 2**62
"""More channels than any tensor has."""


def without_unread(model: ModelFile) -> ModelFile:
    """Return the model with smaller transposed convolutions, where pixels are shuffled from them and then sliced.

    What they make after the last channel that a slice reads is left out.
    """
    changed = ModelProto()
    changed.CopyFrom(model.graph)
    reading, stale = _Reading(changed.graph, model.spec.state), set[str]()
    for node in changed.graph.node:
        shuffle = reading.shuffle_after(node)
        if shuffle is None:
            continue
        sliced: list[str] = []
        count = reading.channels(shuffle.output[0], sliced) * helper.get_node_attr_value(shuffle, "blocksize") ** 2
        if 0 < count < reading.weights[node.input[1]].dims[AXIS]:
            _cut(changed.graph, node, reading.weights, count)
            stale |= {node.output[0], *sliced}
    for value in [value for value in changed.graph.value_info if value.name in stale]:
        changed.graph.value_info.remove(value)  # it has the former number of channels
    return ModelFile(changed, model.spec, model.digest) if stale else model


class _Reading:
    """Which channels of a graph's tensors are read."""

    def __init__(self, graph: GraphProto, state: Sequence[str]) -> None:
        self.weights = {value.name: value for value in graph.initializer}
        self.outputs = {*state, *(value.name for value in graph.output)}
        self.readers = defaultdict[str, list[NodeProto]](list)
        for node in graph.node:
            for name in node.input:
                self.readers[name].append(node)

    def shuffle_after(self, node: NodeProto) -> NodeProto | None:
        """Return the one reader of a transposed convolution of one group, if it shuffles channels in their order."""
        readers = self.readers[node.output[0]]
        if node.op_type != "ConvTranspose" or [each.op_type for each in readers] != ["DepthToSpace"]:
            return None
        grouped = any(each.name == "group" and each.i != 1 for each in node.attribute)
        constant = all(name in self.weights for name in node.input[1:])
        in_order = helper.get_node_attr_value(readers[0], "mode") == b"CRD"
        return readers[0] if constant and in_order and not grouped else None

    def channels(self, name: str, sliced: list[str]) -> int:
        """Return the number of channels of a tensor up to the last that is read; :data:`ALL` if that is not known.

        Adds to ``sliced`` the tensor and all that are sliced from it.
        """
        sliced.append(name)
        if name in self.outputs:
            return ALL
        found = 0
        for node in self.readers[name]:
            start, end = self._bounds(node)
            inner = self.channels(node.output[0], sliced) if end < ALL else ALL
            found = max(found, min(end, start + inner))
        return found

    def _bounds(self, node: NodeProto) -> tuple[int, int]:
        """Return the first channel that a node reads, and the one after its last."""
        constants = [self.weights.get(name) for name in node.input[1:]]
        if node.op_type != "Slice" or len(constants) < 3 or None in constants:
            return 0, ALL
        starts, ends, axes, *steps = (numpy_helper.to_array(value).tolist() for value in constants if value)
        if axes != [AXIS] or steps not in ([], [[1]]) or min(starts[0], ends[0]) < 0:
            return 0, ALL
        return starts[0], min(ends[0], ALL)


def _cut(graph: GraphProto, node: NodeProto, weights: dict[str, TensorProto], count: int) -> None:
    """Keep the first ``count`` output channels of a transposed convolution."""
    for index, name in enumerate(node.input[1:], 1):
        values = numpy_helper.to_array(weights[name])
        kept = values[:count] if index == 2 else values[:, :count]
        node.input[index] = f"{node.output[0]}/read{index}"
        graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(kept), node.input[index]))
    read = {name for each in graph.node for name in each.input}
    for value in [weights[name] for name in weights if name not in read]:
        graph.initializer.remove(value)
        del weights[value.name]
