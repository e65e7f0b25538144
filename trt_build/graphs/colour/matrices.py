"""Luma and colour differences to RGB and back, by the matrices of video, in the graph."""

from __future__ import annotations

from trt_build.graphs.nodes import Nodes
from vs_interp.matrices import RED_AND_BLUE, Matrix


def to_rgb(nodes: Nodes, matrix: Matrix, luma: str, blueness: str, redness: str) -> list[str]:
    """Return R, G and B of Y, Cb and Cr: the inverse of :func:`from_rgb`."""
    red, blue = RED_AND_BLUE[matrix]
    green = 1 - red - blue
    less = nodes.add("Add", *(nodes.scaled(c, 2 * w * (1 - w) / green) for c, w in ((blueness, blue), (redness, red))))
    return [
        nodes.add("Add", luma, nodes.scaled(redness, 2 * (1 - red))),
        nodes.add("Sub", luma, less),
        nodes.add("Add", luma, nodes.scaled(blueness, 2 * (1 - blue))),
    ]


def from_rgb(nodes: Nodes, matrix: Matrix, r: str, g: str, b: str) -> list[str]:
    """Return Y = Kr R + Kg G + Kb B, Cb = (B - Y) / (2 - 2 Kb) and Cr = (R - Y) / (2 - 2 Kr)."""
    red, blue = RED_AND_BLUE[matrix]
    luma = nodes.add("Add", nodes.scaled(r, red), nodes.scaled(g, 1 - red - blue))
    luma = nodes.add("Add", luma, nodes.scaled(b, blue))
    return [
        luma,
        nodes.scaled(nodes.add("Sub", b, luma), 1 / (2 - 2 * blue)),
        nodes.scaled(nodes.add("Sub", r, luma), 1 / (2 - 2 * red)),
    ]
