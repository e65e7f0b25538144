"""Names of the weights in an exported graph: the exporter drops some, without which training cannot go on from it."""

from __future__ import annotations

import re

import numpy as np
import onnx

from trt_build.model_file import PREFIX, part_name
from vs_interp.networks.base import Network


def renamed_weights(graph: onnx.ModelProto, network: Network) -> dict[str, str]:
    """Return parameter → initialiser with its values, for parameters whose names the exporter has not kept.

    It reshapes some (the slopes of PReLU, the scales of norms), and merges equal ones into one.
    """
    constants = {value.name: onnx.numpy_helper.to_array(value).ravel() for value in graph.graph.initializer}
    known = {re.sub(r"\[:, .*", "", name) for name in constants}
    found = {}
    for parameter, tensor in network.named_parameters():
        if PREFIX + parameter not in known:
            weight = tensor.detach().numpy().ravel()
            alike = (name for name, values in constants.items() if np.array_equal(values, weight))
            found[parameter] = next(alike, "")
    return {parameter: name for parameter, name in found.items() if name}


def name_weight_slices(graph: onnx.ModelProto, network: Network) -> None:
    """Rename, in place, the initialisers that are slices of a weight along its inputs (see :func:`part_name`).

    The exporter makes such slices where a network applies parts of one weight, and does not keep the weight itself.
    """
    kept, names = {value.name for value in graph.graph.initializer}, {}
    for parameter, tensor in network.named_parameters():
        weight, first = tensor.detach().numpy(), 0
        for value in graph.graph.initializer if PREFIX + parameter not in kept else ():
            part = onnx.numpy_helper.to_array(value)
            end = first + (part.shape[1] if 1 < part.ndim == weight.ndim else 0)
            if end > first and np.array_equal(part, weight[:, first:end]):
                names[value.name] = part_name(parameter, first, end)
                value.name, first = names[value.name], end
    for node in graph.graph.node:
        for index, name in enumerate(node.input):
            node.input[index] = names.get(name, name)
