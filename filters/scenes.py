"""Scene cuts and repeated frames: between which frames nothing is to be made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import vapoursynth as vs

from vs_interp.errors import ArgumentError

core = vs.core

DEFAULT_THRESHOLD = 0.1
"""Mean absolute difference of luma (of a range of 1) between two frames from which on a cut lies between them."""


def check_threshold(threshold: float | None) -> None:
    """Raise :class:`ArgumentError` unless the threshold lies in (0, 1] or is ``None`` (detector off)."""
    if threshold is not None and not (isinstance(threshold, int | float) and 0 < threshold <= 1):
        raise ArgumentError(f"scene_threshold is {threshold!r}: it must lie in (0, 1], or be None to switch it off")


def pairs(clip: vs.VideoNode) -> vs.VideoNode:
    """Return a small clip whose frame n tells of frames n and n + 1.

    ``PlaneStatsDiff`` of their luma (RGB: green), ``_SceneChangeNext`` of the first, ``_SceneChangePrev`` of the
    second; the last frame's is a pair with itself.
    """
    plane = core.std.ShufflePlanes(clip, 1 if clip.format.color_family == vs.RGB else 0, vs.GRAY)
    plane = core.std.RemoveFrameProps(plane)  # resize refuses a matrix that contradicts the format
    width, height = (max(16, size // 4) for size in (clip.width, clip.height))
    small = core.resize.Bilinear(plane, width, height, format=vs.GRAY8, range_in=vs.RANGE_FULL, range=vs.RANGE_FULL)
    compared = core.std.PlaneStats(small, following(small))
    marked = core.std.CopyFrameProps(compared, clip, props=["_SceneChangeNext"])
    return core.std.CopyFrameProps(marked, following(clip), props=["_SceneChangePrev"])


def following(clip: vs.VideoNode) -> vs.VideoNode:
    """Return the clip whose frame n is frame n + 1; the last repeats."""
    return clip[1:] + clip[-1] if len(clip) > 1 else clip


def is_cut(pair: Mapping[str, Any], threshold: float | None) -> bool:
    """Return whether a cut lies between two frames, by the properties of their pair.

    Marks have the say; where neither is there, the difference against the threshold, if there is one.
    """
    marks = pair.get("_SceneChangeNext"), pair.get("_SceneChangePrev")
    if marks != (None, None):
        return any(marks)
    return threshold is not None and pair["PlaneStatsDiff"] >= threshold
