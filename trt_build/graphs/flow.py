"""The flow that a network finds on its way to a frame between two, as a model of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper
from onnx.utils import Extractor

from trt_build.model_file import ModelFile, with_spec
from vs_interp.errors import ArgumentError
from vs_interp.spec import Output

STATE = "flow01"
"""Super-SloMo's flow from frame 0 to frame 1, which is the same for all times."""

SUMS = "/add_change/"
"""Where RIFE adds to its flows, B×4×H×W: from the time asked for to frame 0, then to frame 1."""

EARLY = 1 / 8
"""The time that RIFE is asked for: it was trained between the frames, and nearer to frame 0 its flow is chance.

A film's crops moved by (−6, 3), 4.25: 8.8 pixels off at 0, 0.35 at 1/8, 0.39 at 1/4; 4.6: 1.1, 0.31, 0.35.
"""


def flow_alone(file: ModelFile) -> ModelFile:
    """Return the model that gives a network's flow from frame 0 to frame 1, in pixels, and no frames.

    Super-SloMo's is a state of it.  RIFE's is its last flow from soon after frame 0 to frame 1, as much longer as the
    way from frame 0 is.  Raises :class:`ArgumentError` for a network that has none.
    """
    spec = file.spec
    sums = [node.output[0] for node in file.graph.graph.node if node.name.startswith(SUMS)]
    if STATE in spec.state:
        inputs, name, parts = list(spec.frame_inputs), STATE, _turned(STATE)
    elif spec.takes_time and sums:
        inputs, name, parts = [*spec.frame_inputs, "time"], sums[-1], _second(sums[-1])
    else:
        raise ArgumentError(f"{spec.name} finds no flow between two frames: give raft-small, rife-4.25 or the like")
    model = Extractor(onnx.shape_inference.infer_shapes(file.graph)).extract_model(inputs, [name])
    graph = model.graph
    graph.node.extend(parts)
    if "time" in inputs:
        graph.input.remove(next(value for value in graph.input if value.name == "time"))
        constants = {"flow_first": [2], "flow_end": [4], "flow_axis": [1]}
        graph.initializer.extend(numpy_helper.from_array(np.array(v, np.int64), n) for n, v in constants.items())
        graph.initializer.append(numpy_helper.from_array(np.full((1, 1, 1, 1), EARLY, np.float32), "time"))
        graph.initializer.append(numpy_helper.from_array(np.array(1 / (1 - EARLY), np.float32), "flow_gain"))
    graph.output[0].CopyFrom(helper.make_tensor_value_info("output", TensorProto.FLOAT, (2, 1, None, None)))
    spec = replace(
        spec, output=Output(kind="flow", channels=1, times=(0.0, 0.0)), state=(), tileable=False,
        fp32_islands=(*spec.fp32_islands, "/flow/*"),
    )  # fmt: skip
    digest = hashlib.sha256(f"{file.digest} {name}".encode()).hexdigest()
    return ModelFile(with_spec(model, spec), spec, digest)


def _turned(flow: str) -> Sequence[NodeProto]:
    """Return the node that makes two pictures of a flow's two channels."""
    return [helper.make_node("Transpose", [flow], ["output"], name="/flow/Transpose", perm=[1, 0, 2, 3])]


def _second(flows: str) -> Sequence[NodeProto]:
    """Return the nodes that take the second of two flows, and make it as long as from frame 0."""
    cut = helper.make_node("Slice", [flows, "flow_first", "flow_end", "flow_axis"], ["flow_second"], name="/flow/Slice")
    longer = helper.make_node("Mul", ["flow_second", "flow_gain"], ["flow_whole"], name="/flow/Mul")
    return [cut, longer, *_turned("flow_whole")]
