"""From a clip to the planes that a network is given, and from the network's pictures back to the clip's format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import vapoursynth as vs

from trt_build.backends import Backend
from trt_build.profile import GRAYS, RGBS, PlaneFormat
from vs_interp.errors import ArgumentError
from vs_interp.films.caches import kept
from vs_interp.spec import NetworkSpec

from .planes import BT709, SMALLEST, Colour, from_rgb, plane_format, to_rgb

core = vs.core

Convert = Callable[[vs.VideoNode], vs.VideoNode]


@dataclass(frozen=True)
class Route:
    """The conversions on the way to a network and back.

    source, served
        The clip as it is, and in the planes that sessions take.
    planes
        The format of ``served``.
    back
        Converts pictures that sessions made to the source's format, keeping their size.
    """

    source: vs.VideoNode
    served: vs.VideoNode
    planes: PlaneFormat
    back: Convert


def find_route(clip: vs.VideoNode, colour: Colour, runtime: Backend, spec: NetworkSpec) -> Route:
    """Return the route through a network: the clip's own planes where the runtime takes them, else by ``resize``.

    A luma network sees luma alone; chroma is enlarged by Catmull-Rom.  For such a network RGB is converted to YUV.
    """
    if runtime.native_planes:
        return Route(clip, clip, plane_format(clip, colour), lambda made: made)
    if spec.window.channels == 1:
        return _luma_route(clip, colour)
    return Route(clip, kept(to_rgb(clip, colour)), RGBS, lambda made: from_rgb(made, clip, colour))


def shrunk(clip: vs.VideoNode, colour: Colour, scale: float) -> vs.VideoNode:
    """Return the clip at ``scale`` times its size, rounded to what its subsampling allows; for 1 the clip itself.

    Raises :class:`ArgumentError` where next to nothing is left of it.
    """
    columns, rows = 1 << clip.format.subsampling_w, 1 << clip.format.subsampling_h
    size = round(clip.width * scale / columns) * columns, round(clip.height * scale / rows) * rows
    if min(size) < SMALLEST:
        raise ArgumentError(
            f"scale is {scale}, which leaves {size[0]}x{size[1]} of the clip: the network needs {SMALLEST}x{SMALLEST} "
            "or more"
        )
    return clip if size == (clip.width, clip.height) else _resized(clip, colour, size)


def enlarged(made: vs.VideoNode, like: vs.VideoNode, colour: Colour) -> vs.VideoNode:
    """Return pictures at the size of ``like``."""
    size = like.width, like.height
    return made if size == (made.width, made.height) else _resized(made, colour, size)


def _resized(clip: vs.VideoNode, colour: Colour, size: tuple[int, int]) -> vs.VideoNode:
    located = {}
    if clip.format.subsampling_w:
        located = {"chromaloc_in": colour.chroma_location, "chromaloc": colour.chroma_location}
    clip = core.std.SetFrameProps(clip, _Matrix=colour.matrix)  # one that contradicts the format is refused by resize
    return core.resize.Bicubic(clip, *size, **located)


def _luma_route(clip: vs.VideoNode, colour: Colour) -> Route:
    if clip.format.color_family == vs.RGB:
        return _by_yuv(clip, colour)
    plane = core.std.SetFrameProps(core.std.ShufflePlanes(clip, 0, vs.GRAY), _Matrix=colour.matrix)
    luma = core.resize.Point(plane, format=vs.GRAYS, range_in=colour.range, range=vs.RANGE_FULL)

    def back(made: vs.VideoNode) -> vs.VideoNode:
        luma = core.resize.Point(made, format=plane.format.id, matrix=colour.matrix, range=colour.range)
        if clip.format.color_family == vs.GRAY:
            return luma
        chroma = _resized(clip, colour, (made.width, made.height))
        return core.std.ShufflePlanes([luma, chroma, chroma], [0, 1, 2], vs.YUV)

    return Route(clip, luma, GRAYS, back)


def _by_yuv(clip: vs.VideoNode, colour: Colour) -> Route:
    """Return the route of an RGB clip through a luma network."""
    yuv = core.resize.Point(to_rgb(clip, colour), format=vs.YUV444PS, matrix=BT709)
    way = _luma_route(yuv, Colour(matrix=BT709, range=vs.RANGE_FULL, chroma_location=0))

    def back(made: vs.VideoNode) -> vs.VideoNode:
        joined = way.back(made)
        return core.resize.Point(joined, format=clip.format.id, matrix_in=BT709, range=colour.range)

    return Route(clip, way.served, way.planes, back)
