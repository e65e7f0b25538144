"""A model with one input and one output tensor, as vs-mlrt's ``core.ov``, ``core.ort`` and ``core.trt.Model`` take it.

Those stack the planes of all the clips they are given (https://github.com/AmusementClub/vs-mlrt).
"""

from __future__ import annotations

import onnx
from onnx import TensorProto, helper

from trt_build.model_file import SPEC_KEY, ModelFile
from vs_interp.errors import ArgumentError

from .nodes import Nodes


def one_tensor(model: ModelFile) -> onnx.ModelProto:
    """Return the model's graph from ``input`` to ``output``, both 1×channels×height×width in float32.

    The channels of ``input`` are those of the window's frames, one after the other, and one more filled with the time
    if the network takes one; the channels of ``output`` are those of the pictures, one after the other.  Input is
    clamped to [0, 1] if the spec says so.  Nothing is padded: height and width must be multiples of ``multiple_of``.
    Raises :class:`ArgumentError` for networks that do not make frames.
    """
    spec = model.spec
    if spec.output.kind != "frame":
        raise ArgumentError(f"{spec.name} makes {spec.output.kind}, not frames: vs-mlrt has no filter for that")
    before, after = Nodes("/one_tensor/in"), Nodes("/one_tensor/out")
    channels, count = spec.window.channels, len(spec.frame_inputs)
    whole = before.add("Clip", "input", before.real(0), before.real(1)) if spec.input_range == "clamped" else "input"
    for index, frame in enumerate(spec.frame_inputs):
        ends = (before.whole([place * channels]) for place in (index, index + 1))
        before.add("Slice", whole, *ends, before.whole([1]), name=frame)
    if spec.takes_time:
        first, behind = before.whole([count * channels, 0, 0]), before.whole([count * channels + 1, 1, 1])
        before.add("Slice", whole, first, behind, before.whole([1, 2, 3]), name="time")
    inner = [_renamed(node) for node in model.graph.graph.node]
    size = after.add("Shape", "pictures", start=2)
    shape = after.add("Concat", after.whole([1, spec.pictures * spec.output.channels]), size, axis=0)
    after.add("Reshape", "pictures", shape, name="output")
    taken = count * channels + spec.takes_time
    graph = helper.make_graph(
        [*before.nodes, *inner, *after.nodes],
        spec.name,
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, taken, "height", "width"])],
        [_output(spec.pictures * spec.output.channels)],
        [*before.constants, *model.graph.graph.initializer, *after.constants],
    )
    made = helper.make_model(graph, opset_imports=model.graph.opset_import, ir_version=model.graph.ir_version)
    said = {entry.key: entry.value for entry in model.graph.metadata_props if entry.key == SPEC_KEY}
    helper.set_model_props(made, {"made of": said[SPEC_KEY]})
    onnx.checker.check_model(made)
    return made


def _renamed(node: onnx.NodeProto) -> onnx.NodeProto:
    """Return a copy of the node in which the tensor ``output`` is called ``pictures``."""
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    for names in (copy.input, copy.output):
        for index, name in enumerate(names):
            names[index] = "pictures" if name == "output" else name
    return copy


def _output(channels: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, channels, "output_height", "output_width"])
