"""The colour graph: a network that takes a clip's own planes and gives them back.

Frames become RGB in [0, 1] by the rules of zimg (VapourSynth's ``resize.Bicubic``), all in FP32, are padded to a size
the network takes, and its pictures go the way back.  Luma goes through sums and products only, since runtimes may work
out FP32 convolutions in TF32; subsampled chroma goes through one convolution each way, so build with TF32 off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import onnx
from onnx import GraphProto, ModelProto, ValueInfoProto, helper

from vs_interp.errors import ArgumentError, ModelFileError

from .chroma import enlarge, reduce
from .model_file import ModelFile
from .nodes import Nodes
from .profile import Matrix, Profile
from .samples import STORED, decode, elements, encode

LUMA: dict[Matrix, tuple[float, float]] = {"601": (0.299, 0.114), "709": (0.2126, 0.0722), "2020": (0.2627, 0.0593)}
"""Weights of red and blue in luma, by matrix (Rec. ITU-R BT.601, BT.709, BT.2020 with non-constant luminance)."""


def with_planes(model: ModelFile, profile: Profile) -> ModelFile:
    """Return the model at one size, with planes as inputs and outputs; the FP16 pass comes before this one.

    Inputs are ``frame0_plane0``, …, then ``time`` where the network takes one; outputs ``output_plane0``, …  A plane
    is N×1×height×width, N 1 for inputs and the pictures of a run for outputs: 8 bits as uint8, 9–16 bits as pairs of
    bytes (uint8, low byte first, twice as wide), half and float as they are.

    The network's frames become inner tensors.  Where it takes a time they count as state, so that
    :meth:`ModelFile.split` gives a graph from planes to RGB and the network's own state, run once a window, and one
    from there to the output's planes, run for every time.

    Raises :class:`ModelFileError` where the network does not make RGB of RGB, :class:`ArgumentError` where the size
    does not fit the subsampling.
    """
    spec = model.spec
    _check(model, profile)
    before, after = Nodes("/colour/in"), Nodes("/colour/out")
    made = replace(profile, width=profile.width * spec.output.scale, height=profile.height * spec.output.scale)
    inputs: list[ValueInfoProto] = []
    for frame in spec.frame_inputs:
        inputs += _values(frame, profile, 1)
        _read(before, frame, profile, (spec.padded(profile.height), spec.padded(profile.width)))
    _write(after, made)
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
    if (spec.output.kind, spec.window.channels, spec.output.channels) != ("frame", 3, 3):
        raise ModelFileError(f"the network {spec.name} does not make RGB of RGB: convert the clip outside of the graph")
    columns, rows = profile.planes.steps
    if profile.width % columns or profile.height % rows:
        raise ArgumentError(
            f"{profile.width}x{profile.height} has no whole chroma planes {columns}x{rows} times smaller: crop the clip"
        )


def _finished(model: ModelFile, graph: GraphProto) -> ModelFile:
    """Return the composed graph, checked, every size worked out, with the state it is to be split at."""
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
    """Return the planes of a picture as inputs or outputs of a graph."""
    kind, wide = STORED[profile.planes.dtype.name], elements(profile.planes)
    return [
        helper.make_tensor_value_info(f"{picture}_plane{index}", kind, [count, 1, height, width * wide])
        for index, (height, width) in enumerate(profile.plane_sizes)
    ]


def _read(nodes: Nodes, frame: str, profile: Profile, padded: tuple[int, int]) -> None:
    """Write the way from a frame's planes to RGB, its last row and column repeated up to the padded size."""
    planes = profile.planes
    values = [decode(nodes, frame, index, planes) for index in range(planes.planes)]
    if planes.family == "gray":
        values *= 3
    elif planes.family == "yuv":
        values = _to_rgb(nodes, planes.matrix, values[0], *_enlarged(nodes, values[1:], profile))
    padding = [0, 0, 0, 0, 0, 0, padded[0] - profile.height, padded[1] - profile.width]
    if any(padding):
        nodes.add("Pad", nodes.add("Concat", *values, axis=1), nodes.whole(padding), mode="edge", name=frame)
    else:
        nodes.add("Concat", *values, axis=1, name=frame)


def _write(nodes: Nodes, profile: Profile) -> None:
    """Write the way from the network's output to planes, without what was padded."""
    planes = profile.planes
    cut = nodes.whole([0, 0]), nodes.whole([profile.height, profile.width]), nodes.whole([2, 3])
    values = nodes.split(nodes.add("Slice", "output", *cut), 3, axis=1)
    if planes.family != "rgb":
        luma, *chroma = _from_rgb(nodes, planes.matrix, *values)
        values = [luma] if planes.family == "gray" else [luma, *_reduced(nodes, chroma, profile)]
    for index, value in enumerate(values):
        encode(nodes, value, "output", index, profile)


def _enlarged(nodes: Nodes, chroma: Sequence[str], profile: Profile) -> Sequence[str]:
    """Return both chroma planes at luma size."""
    if profile.planes.steps == (1, 1):
        return chroma
    both = nodes.add("Concat", *chroma, axis=0)
    return nodes.split(enlarge(nodes, both, profile.planes, profile.plane_sizes[1]), 2, axis=0)


def _reduced(nodes: Nodes, chroma: Sequence[str], profile: Profile) -> Sequence[str]:
    """Return both chroma planes at their own size."""
    if profile.planes.steps == (1, 1):
        return chroma
    both = nodes.add("Concat", *chroma, axis=0)
    return nodes.split(reduce(nodes, both, profile.planes, profile.plane_sizes[0]), 2, axis=0)


def _to_rgb(nodes: Nodes, matrix: Matrix, luma: str, blueness: str, redness: str) -> list[str]:
    """Return R, G and B of Y, Cb and Cr: the inverse of :func:`_from_rgb`."""
    red, blue = LUMA[matrix]
    green = 1 - red - blue
    less = nodes.add("Add", *(nodes.scaled(c, 2 * w * (1 - w) / green) for c, w in ((blueness, blue), (redness, red))))
    return [
        nodes.add("Add", luma, nodes.scaled(redness, 2 * (1 - red))),
        nodes.add("Sub", luma, less),
        nodes.add("Add", luma, nodes.scaled(blueness, 2 * (1 - blue))),
    ]


def _from_rgb(nodes: Nodes, matrix: Matrix, r: str, g: str, b: str) -> list[str]:
    """Return Y = Kr R + Kg G + Kb B, Cb = (B - Y) / (2 - 2 Kb) and Cr = (R - Y) / (2 - 2 Kr)."""
    red, blue = LUMA[matrix]
    luma = nodes.add("Add", nodes.scaled(r, red), nodes.scaled(g, 1 - red - blue))
    luma = nodes.add("Add", luma, nodes.scaled(b, blue))
    return [
        luma,
        nodes.scaled(nodes.add("Sub", b, luma), 1 / (2 - 2 * blue)),
        nodes.scaled(nodes.add("Sub", r, luma), 1 / (2 - 2 * red)),
    ]
