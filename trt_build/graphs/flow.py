"""A model that gives the optical flow which an interpolation network computes on its way to a frame."""

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
"""The tensor of Super-SloMo's flow from frame 0 to frame 1, which is the same for all times: 1×2×H×W."""

SUMS = "/add_change/"
"""Scope of the nodes where RIFE refines its flows, B×4×H×W: from the wanted time to frame 0, then to frame 1."""

EARLY = 1 / 8
"""The time that RIFE is asked for.  It is trained on times between the frames only; at time 0 its flow is unreliable.

Error in pixels on crops of a film moved by (−6, 3), at times 0, 1/8 and 1/4: RIFE 4.25 8.8, 0.35, 0.39; 4.6 1.1, 0.31,
0.35.
"""


def flow_alone(file: ModelFile) -> ModelFile:
    """Return the part of an interpolation network that computes the flow from frame 0 to frame 1, in pixels.

    Its output is 2×1×H×W: the horizontal, then the vertical displacement.  Super-SloMo has this flow as state.  RIFE
    gives the flow from the time :data:`EARLY` to frame 1, which is scaled to the whole way.  Raises
    :class:`ArgumentError` for a network that computes no flow.
    """
    spec = file.spec
    sums = [node.output[0] for node in file.graph.graph.node if node.name.startswith(SUMS)]
    if STATE in spec.state:
        inputs, name, parts = list(spec.frame_inputs), STATE, _as_pictures(STATE)
    elif spec.takes_time and sums:
        inputs, name, parts = [*spec.frame_inputs, "time"], sums[-1], _second_scaled(sums[-1])
    else:
        raise ArgumentError(f"{spec.name} computes no flow between two frames: use raft-small, rife-4.25 or similar")
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


def _as_pictures(flow: str) -> Sequence[NodeProto]:
    """Return the node that turns a flow's two channels (1×2×H×W) into two pictures (2×1×H×W)."""
    return [helper.make_node("Transpose", [flow], ["output"], name="/flow/Transpose", perm=[1, 0, 2, 3])]


def _second_scaled(flows: str) -> Sequence[NodeProto]:
    """Return the nodes that take the second of RIFE's two flows and scale it to the whole way from frame 0."""
    cut = helper.make_node("Slice", [flows, "flow_first", "flow_end", "flow_axis"], ["flow_second"], name="/flow/Slice")
    longer = helper.make_node("Mul", ["flow_second", "flow_gain"], ["flow_whole"], name="/flow/Mul")
    return [cut, longer, *_as_pictures("flow_whole")]
