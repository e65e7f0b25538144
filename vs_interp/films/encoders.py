"""ffmpeg's encoders: their options for quality and speed, the codec that each writes, and the containers for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Encoder:
    """One encoder of ffmpeg.

    quality
        Its option for constant quality, our default, and the range of values, the best first.
    preset
        Its option for speed against compression, our default, and the values that it accepts.
    fixed
        Options that are always given.
    """

    name: str
    quality: tuple[str, int, tuple[int, int]] | None = None
    preset: tuple[str, str | None, tuple[str, ...]] | None = None
    fixed: tuple[str, ...] = ()


X26_PRESETS = (
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
    "placebo",
)
PRORES_ALPHA = ("4444", "4444xq")
PRORES_PROFILES = ("proxy", "lt", "standard", "hq", *PRORES_ALPHA)

CODECS = {
    "h264": (Encoder(name="libx264", quality=("-crf", 16, (0, 51)), preset=("-preset", "medium", X26_PRESETS)),),
    "h265": (
        Encoder(
            name="libx265", quality=("-crf", 17, (0, 51)), preset=("-preset", "medium", X26_PRESETS),
            fixed=("-x265-params", "log-level=error"),
        ),
    ),
    "av1": (
        Encoder(
            name="libsvtav1", quality=("-crf", 22, (1, 63)), preset=("-preset", "6", tuple(map(str, range(14)))),
        ),
        Encoder(
            name="libaom-av1", quality=("-crf", 20, (0, 63)), preset=("-cpu-used", "4", tuple(map(str, range(9)))),
            fixed=("-row-mt", "1"),
        ),
    ),
    "vp9": (
        Encoder(
            name="libvpx-vp9", quality=("-crf", 20, (0, 63)), preset=("-cpu-used", "3", tuple(map(str, range(9)))),
            fixed=("-b:v", "0", "-row-mt", "1"),
        ),
    ),
    "prores": (Encoder(name="prores_ks", quality=("-q:v", 4, (1, 31)), preset=("-profile:v", None, PRORES_PROFILES)),),
    "ffv1": (Encoder(name="ffv1", fixed=("-level", "3", "-g", "1", "-slices", "4")),),
}  # fmt: skip
"""Value of ``--codec`` → the encoders that write it, the preferred one first."""

HOLDS = {
    "mp4": ("h264", "h265", "av1", "vp9"), "mov": ("h264", "h265", "prores"), "webm": ("vp9", "av1"),
    "avi": ("h264", "ffv1"), "mpegts": ("h264", "h265"), **dict.fromkeys(("mpeg", "vob", "dvd", "svcd"), ()),
}  # fmt: skip
"""The codecs that a container (by libav's name) can hold; Matroska holds all, program streams only MPEG-2."""

REORDERING = ("libx264", "libx265")
"""Encoders that store frames in another order than the one in which they are shown."""

IN_ORDER = ("avi", "asf")
"""Containers whose time stamps say when a frame is decoded, not when it is shown: both orders must be the same."""

DEFAULT_CODECS = ("h264", "h265", "vp9", "ffv1")
"""Codecs to use if the user asks for none, the preferred one first."""

APPLE_TAG = {"libx265": "hvc1"}
"""The codec tag that Apple's players expect for H.265 in MP4 and MOV."""
