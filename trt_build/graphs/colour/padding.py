"""Frames padded to what a network takes, its pictures cut back, in the graph."""

from __future__ import annotations

from collections.abc import Sequence

from trt_build.graphs.nodes import Nodes
from trt_build.profile import Profile


def pad(nodes: Nodes, values: Sequence[str], frame: str, profile: Profile, padded: tuple[int, int]) -> None:
    """Hand planes to the network as its input ``frame``: last row and column repeated up to the ``padded`` size."""
    padding = [0, 0, 0, 0, 0, 0, padded[0] - profile.height, padded[1] - profile.width]
    if any(padding):
        picture = nodes.add("Concat", *values, axis=1) if len(values) > 1 else values[0]
        nodes.add("Pad", picture, nodes.whole(padding), mode="edge", name=frame)
    else:
        nodes.add("Concat", *values, axis=1, name=frame)


def cut(nodes: Nodes, profile: Profile, padded: tuple[int, int]) -> str:
    """Return the network's output, which has the ``padded`` size, at the profile's."""
    size = profile.height, profile.width
    if size == padded:
        return "output"
    return nodes.add("Slice", "output", nodes.whole([0, 0]), nodes.whole(size), nodes.whole([2, 3]))
