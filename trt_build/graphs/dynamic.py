"""Engines for a range of sizes: graphs with free heights and widths, and the input shapes at a given size."""

from __future__ import annotations

from dataclasses import replace

import onnx
from onnx import ModelProto

from trt_build.graphs.colour.planes import with_planes
from trt_build.model_file import ModelFile
from trt_build.profile import Profile
from vs_interp.errors import ArgumentError
from vs_interp.size import Size

Shapes = dict[str, tuple[int, ...]]
"""Name of an input → its shape."""


def with_free_sizes(model: ModelFile) -> ModelFile:
    """Return a model made by :func:`with_planes` with its heights and widths left free.

    The profile given to :func:`with_planes` must have a size that needs no padding.
    """
    graph = ModelProto()
    graph.CopyFrom(model.graph)
    del graph.graph.value_info[:]
    for value in (*graph.graph.input, *graph.graph.output):
        height, width = value.type.tensor_type.shape.dim[2:]
        if value.name != "time":
            height.dim_param, width.dim_param = f"height{height.dim_value}", f"width{width.dim_value}"
    graph = onnx.shape_inference.infer_shapes(graph, check_type=True, strict_mode=True)
    onnx.checker.check_model(graph, full_check=True)
    return replace(model, graph=graph)


def input_shapes(model: ModelFile, profile: Profile) -> Shapes:
    """Return the shapes of all inputs of the engine's graphs (planes, state and time) at one size."""
    shapes: Shapes = {}
    for graph in filter(None, with_planes(model, profile).split()):
        for value in graph.graph.input:
            shapes[value.name] = tuple(dimension.dim_value for dimension in value.type.tensor_type.shape.dim)
    return shapes


def check_range(model: ModelFile, profile: Profile, limits: tuple[Size, Size]) -> None:
    """Raise :class:`ArgumentError` unless smallest, usual and largest size suit the network and are in that order.

    The usual size is the profile's.
    """
    spec = model.spec
    sizes = {"smallest": limits[0], "usual": Size(profile.width, profile.height), "largest": limits[1]}
    for name, (width, height) in sizes.items():
        if (spec.padded(width), spec.padded(height)) != (width, height):
            raise ArgumentError(
                f"the {name} size {width}x{height} does not suit {spec.name}: width and height must be multiples of"
                f" {spec.multiple_of} from {spec.minimum} up; next is {spec.padded(width)}x{spec.padded(height)}"
            )
    for smaller, larger in (("smallest", "usual"), ("usual", "largest")):
        if any(a > b for a, b in zip(sizes[smaller], sizes[larger], strict=True)):
            raise ArgumentError(
                f"the {smaller} size {'x'.join(map(str, sizes[smaller]))} exceeds the {larger} size"
                f" {'x'.join(map(str, sizes[larger]))}: order them MIN OPT MAX"
            )


def served_size(model: ModelFile, profile: Profile, limits: tuple[Size, Size]) -> Profile:
    """Return the profile at which an engine for a range of sizes runs a clip.

    That is the clip's size, rounded up to one that the network takes; the last column and row of its planes are
    repeated to fill it.  Raises :class:`ArgumentError` if it lies outside the range.
    """
    spec = model.spec
    width, height = spec.padded(profile.width), spec.padded(profile.height)
    (narrowest, lowest), (widest, highest) = limits
    if not (narrowest <= width <= widest and lowest <= height <= highest):
        raise ArgumentError(
            f"the clip's size {profile.width}x{profile.height} is outside the engine's range, {narrowest}x{lowest}"
            f" to {widest}x{highest}: give another range in dynamic="
        )
    return replace(profile, width=width, height=height)
