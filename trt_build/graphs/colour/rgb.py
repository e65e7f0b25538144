"""RGB networks: planes are converted to RGB and back as zimg (VapourSynth's ``resize.Bicubic``) does it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from trt_build.graphs.nodes import Nodes
from trt_build.profile import PlaneFormat, Profile
from vs_interp.spec import NetworkSpec

from .chroma import subsample, upsample
from .matrices import from_rgb, to_rgb
from .padding import cut, hand_over
from .samples import decode, encode


def read_rgb(nodes: Nodes, frame: str, spec: NetworkSpec, profile: Profile) -> None:
    """Add the conversion of a frame's planes to the network's RGB input."""
    planes = profile.planes
    values = [decode(nodes, frame, index, planes) for index in range(planes.planes)]
    if planes.family == "gray":
        values *= 3
    elif planes.family == "yuv":
        chroma = _resampled(nodes, upsample, values[1:], planes)
        values = to_rgb(nodes, planes.matrix, values[0], *chroma)
    hand_over(nodes, values, frame, spec, profile)


def write_rgb(nodes: Nodes, profile: Profile, padded: tuple[int, int]) -> None:
    """Add the conversion of the network's output, of the ``padded`` (height, width), to the planes of a picture."""
    planes = profile.planes
    values = nodes.split(cut(nodes, profile, padded), 3, axis=1)
    if planes.family != "rgb":
        luma, *chroma = from_rgb(nodes, planes.matrix, *values)
        values = [luma]
        if planes.family == "yuv":
            values += _resampled(nodes, subsample, chroma, planes)
    for index, value in enumerate(values):
        encode(nodes, value, "output", index, planes)


def _resampled(
    nodes: Nodes, resample: Callable[[Nodes, str, PlaneFormat], str], chroma: Sequence[str], planes: PlaneFormat
) -> Sequence[str]:
    """Return both chroma planes, resampled together unless they have the size of luma."""
    if planes.steps == (1, 1):
        return chroma
    return nodes.split(resample(nodes, nodes.add("Concat", *chroma, axis=0), planes), 2, axis=0)
