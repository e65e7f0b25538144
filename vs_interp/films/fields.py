"""Deinterlacing: the fields of interlaced films become frames."""

from __future__ import annotations

from typing import Literal

import vapoursynth as vs

from vs_interp.errors import SourceError
from vs_interp.extras import how_to_get

core = vs.core

type Fields = Literal["double", "keep"]
"""Make one frame of each field, which doubles the frame rate, or one frame of two fields."""

BWDIF_MODES = {"keep": 1, "double": 3}
"""bwdif's modes; it reads the field order from each frame."""


def deinterlaced(clip: vs.VideoNode, fields: Fields) -> vs.VideoNode:
    """Return the clip with its interlaced frames deinterlaced by bwdif; progressive frames stay as they are.

    Raises :class:`SourceError` if bwdif is not installed.
    """
    if not hasattr(core, "bwdif"):
        raise SourceError(f"deinterlacing needs bwdif: {how_to_get('deinterlace')}")
    made = core.bwdif.Bwdif(_with_whole_fields(clip), field=BWDIF_MODES[fields]).std.CropAbs(clip.width, clip.height)
    whole = clip if fields == "keep" else core.std.Interleave([clip, clip], modify_duration=False)

    def choose(n: int, f: vs.VideoFrame) -> vs.VideoNode:
        return made if f.props.get("_FieldBased", 0) else whole

    chosen = core.std.BlankClip(whole, keep=True).std.FrameEval(choose, prop_src=whole, clip_src=[made, whole])
    return chosen.std.SetFieldBased(0)


def _with_whole_fields(clip: vs.VideoNode) -> vs.VideoNode:
    """Return the clip with an even number of lines in each plane; bwdif leaves the last line of others undefined.

    The added lines continue the field that is short of them.
    """
    lines = 1 << clip.format.subsampling_h
    if clip.height // lines % 2 == 0:
        return clip
    return core.std.StackVertical([clip, clip.std.Crop(top=clip.height - 2 * lines, bottom=lines)])
