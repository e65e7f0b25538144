"""Stereoscopic films, two views in one frame: names of the layouts in Matroska and H.264 (ITU-T H.264, D.2.26)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from contextlib import suppress

import av
from av.container import InputContainer
from av.sidedata.sidedata import Type
from av.video.stream import VideoStream

TAG = "stereo_mode"

LAYOUTS = {
    1: ("left_right", "right_left"), 2: ("top_bottom", "bottom_top"), 3: ("block_lr", "block_rl"),
    4: ("checkerboard_lr", "checkerboard_rl"), 6: ("row_interleaved_lr", "row_interleaved_rl"),
    7: ("col_interleaved_lr", "col_interleaved_rl"),
}  # fmt: skip
"""libav's AVStereo3DType → Matroska's names, with the left or the right eye's view first."""

PACKING = {
    "checkerboard_lr": 0, "col_interleaved_lr": 1, "row_interleaved_lr": 2, "left_right": 3, "top_bottom": 4,
    "block_lr": 5,
}  # fmt: skip
"""Matroska's name → x264's ``frame-packing``, which is kept in any container; only with the left eye's view first."""


def stereo_mode(container: InputContainer, picture: VideoStream) -> str | None:
    """Return the layout that a film's first frame states, decoding it; ``None`` if it states none."""
    with suppress(av.FFmpegError, StopIteration):
        frame = next(container.decode(picture))
        stereo = frame.side_data.get(Type.STEREO3D)
        if stereo is not None:
            layout, flags = struct.unpack_from("=iI", bytes(stereo))
            return LAYOUTS[layout][flags & 1] if layout in LAYOUTS else None
    return None


def with_packing(arguments: Sequence[str], mode: str) -> tuple[str, ...]:
    """Return ffmpeg's options with x264's ``frame-packing`` added, if x264 is the encoder and knows the layout."""
    if mode not in PACKING or "libx264" not in arguments:
        return tuple(arguments)
    words, added = list(arguments), f"frame-packing={PACKING[mode]}"
    if "-x264-params" in words[:-1]:  # ffmpeg uses only the last
        last = len(words) - words[::-1].index("-x264-params")
        words[last] = f"{added}:{words[last]}"
        return tuple(words)
    return (*words, "-x264-params", added)


def has_packing(arguments: Sequence[str]) -> bool:
    """Whether ffmpeg's options state a layout of stereoscopic frames."""
    return any("frame-packing=" in word for word in arguments)
