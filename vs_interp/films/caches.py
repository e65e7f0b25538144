"""Caches of VapourSynth's nodes, at a size that stays.

By itself VapourSynth makes a node's cache larger and smaller as it goes.  Frames are then freed in an order in which
the heap of glibc before 2.39 finds little use for them again (:mod:`vs_interp.memory`): a plain ``resize`` of 320×180
grows by 200 MB in 1,000 frames.  With sizes that stay it does not grow.
"""

from __future__ import annotations

import vapoursynth as vs

AHEAD = 12
"""Frames that may be asked for once more, by the next window or by another filter."""


def kept(node: vs.VideoNode, frames: int = AHEAD) -> vs.VideoNode:
    """Return a node whose frames cost time: where VapourSynth sees that they are asked for again, so many are kept."""
    vs.core.std.SetVideoCache(node, mode=-1, fixedsize=True, maxsize=frames)
    return node


def passing(node: vs.VideoNode) -> vs.VideoNode:
    """Return a node that hands on frames of others, and keeps none."""
    vs.core.std.SetVideoCache(node, mode=0)
    return node
