"""Luma networks: chroma goes past them, enlarged as VapourSynth's ``resize.Bicubic`` enlarges a clip."""

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
    """Write the way from a frame's planes to luma, and return its chroma: none of GRAY; of RGB as that of 4:4:4."""
    planes = profile.planes
    values = [decode(nodes, frame, index, planes) for index in range(planes.planes)]
    if planes.family == "rgb":
        values = from_rgb(nodes, planes.matrix, *values)
    luma, *chroma = values
    hand_over(nodes, [luma], frame, spec, profile)
    return chroma


def write_luma(nodes: Nodes, chroma: Sequence[str], profile: Profile, padded: tuple[int, int], scale: int) -> None:
    """Write the way from the network's luma, and a frame's chroma, to the planes of a picture ``scale`` times larger.

    ``profile`` is the picture's, ``padded`` the size of the network's output.
    """
    planes, values = profile.planes, [cut(nodes, profile, padded)]
    if chroma:
        both = nodes.add("Concat", *chroma, axis=0)
        values += nodes.split(enlarge(nodes, both, planes, scale), 2, axis=0)
    if planes.family == "rgb":
        values = to_rgb(nodes, planes.matrix, *values)
    for index, value in enumerate(values):
        encode(nodes, value, "output", index, planes)
