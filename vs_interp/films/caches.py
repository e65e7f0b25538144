"""Caches of VapourSynth's nodes: what is kept for the next window, for whoever asks for our frames, or not at all.

By itself VapourSynth makes a node's cache larger and smaller as it goes.  Frames are then freed in an order in which
the heap of glibc before 2.39 finds little use for them again (:mod:`vs_interp.memory`): a plain ``resize`` of 320×180
grows by 200 MB in 1,000 frames.  So the nodes inside our filters have caches of fixed sizes.
"""

from __future__ import annotations

import vapoursynth as vs

AHEAD = 12
"""Frames that the next window, or another filter, may request once more."""


SHORTLY = 6
"""Frames kept of a filter's output at first; by itself VapourSynth would keep twenty."""


def kept(node: vs.VideoNode) -> vs.VideoNode:
    """Return a node that keeps its last :data:`AHEAD` frames, if VapourSynth sees that they are requested again."""
    vs.core.std.SetVideoCache(node, mode=-1, fixedsize=True, maxsize=AHEAD)
    return node


def passing(node: vs.VideoNode) -> vs.VideoNode:
    """Return a node that passes on the frames of others, and keeps none."""
    vs.core.std.SetVideoCache(node, mode=0)
    return node


def kept_shortly(clip: vs.VideoNode) -> vs.VideoNode:
    """Return a filter's output, of which VapourSynth keeps few frames at first, and more if they are requested again.

    Frames that nobody requests again cost more than their memory: twenty of 1080p in 10 bits fill a processor's cache
    three times over, so that every new frame is written to memory outside it.
    """
    vs.core.std.SetVideoCache(clip, mode=-1, fixedsize=False, maxsize=SHORTLY)
    return clip
