"""Pixel formats: ffmpeg's names for VapourSynth's formats, and the choice of the one to encode."""

from __future__ import annotations

from collections.abc import Set

import av
import vapoursynth as vs

from vs_interp.errors import EncoderError

LAYOUTS = {(1, 1): "420", (1, 0): "422", (0, 0): "444", (0, 1): "440", (2, 0): "411", (2, 2): "410"}
"""Chroma subsampling (how often width and height are halved) → its usual name."""

PACKED = {"bgr0": "gbrp", "bgra": "gbrp", "rgb24": "gbrp", "bgr24": "gbrp", "rgb48le": "gbrp16le"}
"""Packed format → the planar format that ffmpeg converts to it without loss."""

BT709 = 1
"""The matrix for converting RGB to YUV (ITU-T H.273)."""


def pixel_format(video: vs.VideoFormat) -> str:
    """Return ffmpeg's name of a GRAY, YUV or RGB format of 8–16 bits.  Raises :class:`EncoderError` for others."""
    depth = "" if video.bits_per_sample == 8 else f"{video.bits_per_sample}le"
    family = {vs.GRAY: "gray", vs.RGB: "gbrp"}.get(video.color_family)
    if family is None:
        family = f"yuv{LAYOUTS.get((video.subsampling_w, video.subsampling_h))}p"
    name = family + depth
    if video.sample_type != vs.INTEGER or name not in av.video.format.names:
        raise EncoderError(
            f"the clip's format {video.name} cannot be encoded: convert it to 8, 10, 12 or 16 bits first"
        )
    return name


def playable_format(clip: vs.VideoNode) -> vs.VideoFormat:
    """Return the format that most players can play: YUV 4:2:0 (4:4:4 at odd sizes) of 8 or 10 bits."""
    halved = int(clip.width % 2 == clip.height % 2 == 0)
    return vs.core.query_video_format(vs.YUV, vs.INTEGER, 8 if clip.format.bits_per_sample == 8 else 10, halved, halved)


def nearest_format(clip: vs.VideoNode, accepted: Set[str]) -> vs.VideoFormat | None:
    """Return the accepted format (by ffmpeg's names) that loses least of a clip; ``None`` if none is possible.

    Chroma resolution counts most, then bit depth, then the colour family (an RGB clip may become YUV).  Formats that
    only take more space come last.
    """
    mine, accepted = clip.format, accepted | {PACKED[name] for name in accepted & PACKED.keys()}
    candidates = []
    for family in (vs.YUV, vs.RGB, vs.GRAY):
        for across, down in LAYOUTS if family == vs.YUV else ((0, 0),):
            for bits in (8, 9, 10, 12, 14, 16):
                fits = clip.width % (1 << across) == clip.height % (1 << down) == 0
                keeps_colour = family != vs.GRAY or mine.color_family == vs.GRAY
                wanted = vs.core.query_video_format(family, vs.INTEGER, bits, across, down)
                if fits and keeps_colour and _name(wanted) in accepted:
                    candidates.append(wanted)
    return min(candidates, key=lambda wanted: _loss(mine, wanted), default=None)


def converted(clip: vs.VideoNode, wanted: vs.VideoFormat) -> vs.VideoNode:
    """Return the clip in another format; RGB is converted to YUV in BT.709, limited range."""
    if clip.format.id == wanted.id:
        return clip
    coloured = {}
    if clip.format.color_family == vs.RGB and wanted.color_family == vs.YUV:
        coloured = {"matrix": BT709, "range": vs.RANGE_LIMITED}
    return clip.resize.Bicubic(format=wanted.id, **coloured)


def _loss(mine: vs.VideoFormat, wanted: vs.VideoFormat) -> tuple[int, ...]:
    has_colour = mine.color_family != vs.GRAY
    kept = mine.subsampling_w + mine.subsampling_h
    left = wanted.subsampling_w + wanted.subsampling_h if has_colour else kept
    bits = mine.bits_per_sample - wanted.bits_per_sample
    return (
        max(left - kept, 0), max(bits, 0), int(wanted.color_family != mine.color_family), max(kept - left, 0),
        max(-bits, 0), -wanted.subsampling_w - wanted.subsampling_h,
    )  # fmt: skip


def _name(video: vs.VideoFormat) -> str | None:
    try:
        return pixel_format(video)
    except EncoderError:
        return None
