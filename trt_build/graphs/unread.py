"""Transposed convolutions without the last channels that nobody reads: the same results for less work.

So end RIFE's blocks: a transposed convolution, whose pixels are shuffled and then sliced into flow, mask and features.
The last block of 4.25 makes eight features for a next block, of which there is none, and the blocks of 4.6 have an
output without a use.  Runtimes leave out layers that nobody reads, but no part of a layer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, helper, numpy_helper

from trt_build.model_file import ModelFile

AXIS = 1
"""The axis of channels, in pictures and in the weights of a transposed convolution."""

ALL = 2**62
"""More channels than any tensor has."""


def without_unread(model: ModelFile) -> ModelFile:
    """Return the model with smaller transposed convolutions, where pixels are shuffled from them and then sliced.

    What they make after the last channel that a slice reads is left out.  Returns a graph with branches or loops as it
    is: these may read any tensor of it.
    """
    graph = model.graph.graph
    if any(attribute.HasField("g") or attribute.graphs for node in graph.node for attribute in node.attribute):
        return model
    reading, counts, stale = _Reading(graph, model.spec.state), dict[int, int](), set[str]()
    for index, node in enumerate(graph.node):
        shuffle = reading.shuffle_after(node)
        if shuffle is None:
            continue
        sliced: list[str] = []
        count = reading.channels(shuffle.output[0], sliced) * helper.get_node_attr_value(shuffle, "blocksize") ** 2
        if 0 < count < reading.weights[node.input[1]].dims[AXIS]:
            counts[index] = count
            stale |= {node.output[0], *sliced}
    return ModelFile(_cut(model.graph, counts, stale), model.spec, model.digest) if counts else model


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
        in_order = any(each.name == "mode" and each.s == b"CRD" for each in readers[0].attribute)
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


def _cut(model: ModelProto, counts: Mapping[int, int], stale: set[str]) -> ModelProto:
    """Return a copy whose transposed convolutions, given by their places, make only so many channels.

    ``stale`` are the tensors that have another number of channels then.
    """
    changed = ModelProto()
    changed.CopyFrom(model)
    graph = changed.graph
    weights, replaced = {value.name: value for value in graph.initializer}, set[str]()
    for place, count in counts.items():
        node = graph.node[place]
        for index, name in enumerate(node.input[1:], 1):
            values = numpy_helper.to_array(weights[name])
            kept = values[:count] if index == 2 else values[:, :count]
            node.input[index] = f"{node.output[0]}/read{index}"
            graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(kept), node.input[index]))
            replaced.add(name)
    read = {name for node in graph.node for name in node.input}
    for name in replaced - read:
        graph.initializer.remove(weights[name])
    for value in [value for value in graph.value_info if value.name in stale]:
        graph.value_info.remove(value)
    return changed
