"""Luma networks: the network gets the luma, and chroma is enlarged as VapourSynth's ``resize.Bicubic`` does it."""

from __future__ import annotations

from collections.abc import Sequence

from trt_build.graphs.nodes import Nodes
from trt_build.profile import Profile
from vs_interp.spec import NetworkSpec

from .chroma import enlarge
from .matrices import from_rgb, to_rgb
from .padding import cut, hand_over
from .samples import decode, encode


def read_luma(nodes: Nodes, frame: str, spec: NetworkSpec, profile: Profile) -> list[str]:
    """Add the conversion of a frame's planes to luma, and return its two chroma planes; none if the clip is GRAY."""
    planes = profile.planes
    values = [decode(nodes, frame, index, planes) for index in range(planes.planes)]
    if planes.family == "rgb":
        values = from_rgb(nodes, planes.matrix, *values)
    luma, *chroma = values
    hand_over(nodes, [luma], frame, spec, profile)
    return chroma


def write_luma(nodes: Nodes, chroma: Sequence[str], profile: Profile, padded: tuple[int, int], scale: int) -> None:
    """Add the conversion of the network's luma and a frame's chroma to the planes of a ``scale`` times larger picture.

    ``profile`` is the picture's; ``padded`` is (height, width) of the network's output.
    """
    planes, values = profile.planes, [cut(nodes, profile, padded)]
    if chroma:
        both = nodes.add("Concat", *chroma, axis=0)
        values += nodes.split(enlarge(nodes, both, planes, scale), 2, axis=0)
    if planes.family == "rgb":
        values = to_rgb(nodes, planes.matrix, *values)
    for index, value in enumerate(values):
        encode(nodes, value, "output", index, planes)
