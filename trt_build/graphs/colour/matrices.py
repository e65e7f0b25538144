"""Y, Cb and Cr to RGB and back, in the graph (ITU-T H.273, matrix coefficients)."""

from __future__ import annotations

from trt_build.graphs.nodes import Nodes
from vs_interp.matrices import RED_AND_BLUE, Matrix


def to_rgb(nodes: Nodes, matrix: Matrix, luma: str, cb: str, cr: str) -> list[str]:
    """Return R, G and B from Y, Cb and Cr: the inverse of :func:`from_rgb`."""
    red, blue = RED_AND_BLUE[matrix]
    green = 1 - red - blue
    from_cb = nodes.scaled(cb, 2 * blue * (1 - blue) / green)
    from_cr = nodes.scaled(cr, 2 * red * (1 - red) / green)
    both = nodes.add("Add", from_cb, from_cr)
    return [
        nodes.add("Add", luma, nodes.scaled(cr, 2 * (1 - red))),
        nodes.add("Sub", luma, both),
        nodes.add("Add", luma, nodes.scaled(cb, 2 * (1 - blue))),
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
