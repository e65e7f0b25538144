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


def differences(clip: vs.VideoNode) -> vs.VideoNode:
    """Return a small clip whose frame n carries ``PlaneStatsDiff`` of luma (RGB: green) to frame n + 1."""
    plane = core.std.ShufflePlanes(clip, 1 if clip.format.color_family == vs.RGB else 0, vs.GRAY)
    plane = core.std.RemoveFrameProps(plane)  # resize refuses a matrix that contradicts the format
    width, height = (max(16, size // 4) for size in (clip.width, clip.height))
    small = core.resize.Bilinear(plane, width, height, format=vs.GRAY8, range_in=vs.RANGE_FULL, range=vs.RANGE_FULL)
    following = small[1:] + small[-1] if len(small) > 1 else small
    return core.std.PlaneStats(small, following)


def is_cut(here: Mapping[str, Any], following: Mapping[str, Any], difference: float, threshold: float | None) -> bool:
    """Return whether a cut lies between two frames with the given properties.

    ``_SceneChangeNext`` of the first and ``_SceneChangePrev`` of the second have the say; where neither is there,
    the difference against the threshold, if there is one.
    """
    marks = here.get("_SceneChangeNext"), following.get("_SceneChangePrev")
    if marks != (None, None):
        return any(marks)
    return threshold is not None and difference >= threshold
