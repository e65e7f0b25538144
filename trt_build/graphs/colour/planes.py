"""The colour graph: it makes a network take a clip's own planes and give them back.

Frames are converted to RGB (or luma) in FP32, clamped and padded as the network needs, and its pictures are converted
back.  Luma goes through sums and products only, since runtimes may compute FP32 convolutions in TF32; subsampled chroma
goes through one convolution each way, so build with TF32 off.
"""

from __future__ import annotations

from dataclasses import replace

import onnx
from onnx import GraphProto, ModelProto, ValueInfoProto, helper

from trt_build.graphs.nodes import Nodes
from trt_build.model_file import ModelFile
from trt_build.profile import Profile, made_profile
from vs_interp.errors import ArgumentError, ModelFileError

from .luma import read_luma, write_luma
from .padding import cut
from .rgb import read_rgb, write_rgb
from .samples import STORED, elements, encode


def with_planes(model: ModelFile, profile: Profile) -> ModelFile:
    """Return the model at one size, with planes as inputs and outputs.  Apply the FP16 pass first.

    Inputs are ``frame0_plane0``, …, then ``time`` if the network takes one; outputs are ``output_plane0``, …  A plane
    is N×1×height×width, with N = 1 for inputs and the number of pictures for outputs.  8-bit samples are uint8, those
    of 9–16 bits pairs of bytes (uint8, low byte first, twice as wide), those of floating formats float16 or float32.

    The network's frames become inner tensors.  If it takes a time they count as state, so that
    :meth:`ModelFile.split` gives one graph from planes to RGB and the network's own state, run once a window, and one
    from there to the output's planes, run for every time.

    A luma network makes the luma of its picture; the chroma is that of frame 0, enlarged.

    Raises :class:`ModelFileError` if the network maps neither RGB to RGB nor luma to luma, and :class:`ArgumentError`
    if the size does not suit the subsampling.
    """
    spec = model.spec
    _check(model, profile)
    before, after = Nodes("/colour/in"), Nodes("/colour/out")
    made = made_profile(spec, profile)
    larger = spec.made_size(spec.padded(profile.height), spec.padded(profile.width))
    inputs = [value for frame in spec.frame_inputs for value in _values(frame, profile, 1)]
    is_luma = spec.window.channels == 1
    chroma: list[list[str]] = []
    for frame in spec.frame_inputs:
        if is_luma:
            chroma.append(read_luma(before, frame, spec, profile))
        else:
            read_rgb(before, frame, spec, profile)
    if spec.output.kind != "frame":
        encode(after, cut(after, made, larger), "output", 0, made.planes)
    elif is_luma:
        write_luma(after, chroma[spec.window.offsets.index(0)], made, larger, spec.output.scale)
    else:
        write_rgb(after, made, larger)
    graph = helper.make_graph(
        [*before.nodes, *model.graph.graph.node, *after.nodes],
        spec.name,
        [*inputs, *(value for value in model.graph.graph.input if value.name == "time")],
        _values("output", made, spec.pictures),
        [*before.constants, *model.graph.graph.initializer, *after.constants],
    )
    return _finished(model, graph)


def _check(model: ModelFile, profile: Profile) -> None:
    spec = model.spec
    wanted = spec.window.channels if spec.output.kind == "frame" else 1
    if spec.window.channels not in (1, 3) or spec.output.channels != wanted:
        raise ModelFileError(
            f"the network {spec.name} makes {spec.output.channels} channels from {spec.window.channels}: only RGB from "
            "RGB, luma from luma, and flow, labels and masks of one channel can be planes"
        )
    spec.check_size(profile.height, profile.width)
    gray = profile.planes.family == "gray" or spec.output.kind != "frame"
    if spec.window.channels == 1 and not gray and spec.output.times != (0.0,):
        raise ModelFileError(
            f"the luma network {spec.name} makes pictures at the times {spec.output.times}, whose chroma is unknown:"
            " give a GRAY clip"
        )
    columns, rows = profile.planes.steps
    if profile.width % columns or profile.height % rows:
        raise ArgumentError(
            f"{profile.width}x{profile.height} is not a multiple of the chroma subsampling {columns}x{rows}: "
            "crop the clip"
        )


def _finished(model: ModelFile, graph: GraphProto) -> ModelFile:
    """Return the composed graph, checked, with all shapes inferred and the state at which it is to be split."""
    whole = ModelProto()
    whole.CopyFrom(model.graph)
    whole.graph.CopyFrom(graph)
    del whole.metadata_props[:]
    whole = onnx.shape_inference.infer_shapes(whole, check_type=True, strict_mode=True, data_prop=True)
    onnx.checker.check_model(whole, full_check=True)
    spec = model.spec
    state = (*spec.frame_inputs, *spec.state) if spec.takes_time else spec.state
    return ModelFile(whole, replace(spec, state=state), model.digest)


def _values(picture: str, profile: Profile, count: int) -> list[ValueInfoProto]:
    """Return the planes of ``count`` pictures as inputs or outputs of a graph."""
    kind, wide = STORED[profile.planes.dtype.name], elements(profile.planes)
    return [
        helper.make_tensor_value_info(f"{picture}_plane{index}", kind, [count, 1, height, width * wide])
        for index, (height, width) in enumerate(profile.plane_sizes)
    ]
