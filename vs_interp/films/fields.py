"""Interlaced films: their fields become frames."""

from __future__ import annotations

from typing import Literal

import vapoursynth as vs

from vs_interp.errors import SourceError
from vs_interp.extras import how_to_get

core = vs.core

type Fields = Literal["double", "keep"]
"""What becomes of two fields: a frame each, which doubles the rate, or one frame."""

AS_IT_SAYS = {"keep": 1, "double": 3}
"""bwdif's modes; which field comes first it is told by each frame."""


def deinterlaced(clip: vs.VideoNode, fields: Fields) -> vs.VideoNode:
    """Return the clip with its interlaced frames made progressive by bwdif; progressive ones stay as they are.

    Raises :class:`SourceError` where bwdif is not installed.
    """
    if not hasattr(core, "bwdif"):
        raise SourceError(f"deinterlacing needs bwdif: {how_to_get('deinterlace')}")
    made = core.bwdif.Bwdif(clip, field=AS_IT_SAYS[fields])
    whole = clip if fields == "keep" else core.std.Interleave([clip, clip], modify_duration=False)

    def choose(n: int, f: vs.VideoFrame) -> vs.VideoNode:
        return made if f.props.get("_FieldBased", 0) else whole

    chosen = core.std.BlankClip(whole, keep=True).std.FrameEval(choose, prop_src=whole, clip_src=[made, whole])
    return chosen.std.SetFieldBased(0)
