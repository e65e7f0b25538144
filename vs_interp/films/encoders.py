"""ffmpeg's encoders: what each calls quality and speed, which codec it writes, and what containers take that."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Encoder:
    """One encoder of ffmpeg.

    quality
        Its option for a constant quality, the default, and the range of what can be given, best end first.
    preset
        Its option for how much time to take, the default, and what can be given.
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
"""What people type → the encoders that write it, the one to prefer first."""

HOLDS = {
    "mp4": ("h264", "h265", "av1", "vp9"), "mov": ("h264", "h265", "prores"), "webm": ("vp9", "av1"),
    "avi": ("h264", "ffv1"), "mpegts": ("h264", "h265"),
}  # fmt: skip
"""What a container takes, by libav's name of it; Matroska takes all."""

PLAYED = ("h264", "h265", "vp9", "ffv1")
"""Codecs for those who name none, the one to prefer first."""

APPLE_TAG = {"libx265": "hvc1"}
"""What Apple's players want H.265 to be called in MP4 and MOV."""
