"""Padding frames to a size that the network takes, and cropping its pictures again, in the graph."""

from __future__ import annotations

from collections.abc import Sequence

from trt_build.graphs.nodes import Nodes
from trt_build.profile import Profile
from vs_interp.spec import NetworkSpec


def hand_over(nodes: Nodes, values: Sequence[str], frame: str, spec: NetworkSpec, profile: Profile) -> None:
    """Add what makes planes the network's input ``frame``: padded to a size that it takes, and in its input range.

    Padding repeats the last row and column.
    """
    padding = spec.padded(profile.height) - profile.height, spec.padded(profile.width) - profile.width
    picture = nodes.add("Concat", *values, axis=1) if len(values) > 1 else values[0]
    if any(padding):
        picture = nodes.add("Pad", picture, nodes.whole([0, 0, 0, 0, 0, 0, *padding]), mode="edge")
    if spec.input_range == "clamped":
        nodes.add("Clip", picture, nodes.real(0), nodes.real(1), name=frame)
    else:
        nodes.add("Identity", picture, name=frame)


def cut(nodes: Nodes, profile: Profile, padded: tuple[int, int]) -> str:
    """Return the network's output, of the ``padded`` (height, width), cropped to the profile's size."""
    size = profile.height, profile.width
    if size == padded:
        return "output"
    return nodes.add("Slice", "output", nodes.whole([0, 0]), nodes.whole(size), nodes.whole([2, 3]))
