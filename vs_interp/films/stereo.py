"""Two views in one frame: how Matroska calls the ways in which they lie, and H.264 (ITU-T H.264, D.2.26)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from contextlib import suppress

import av
from av.container import InputContainer
from av.sidedata.sidedata import Type
from av.video.stream import VideoStream

TAG = "stereo_mode"

WAYS = {
    1: ("left_right", "right_left"), 2: ("top_bottom", "bottom_top"), 3: ("block_lr", "block_rl"),
    4: ("checkerboard_lr", "checkerboard_rl"), 6: ("row_interleaved_lr", "row_interleaved_rl"),
    7: ("col_interleaved_lr", "col_interleaved_rl"),
}  # fmt: skip
"""libav's AVStereo3DType → Matroska's name, and that where the right eye's view comes first."""

PACKING = {
    "checkerboard_lr": 0, "col_interleaved_lr": 1, "row_interleaved_lr": 2, "left_right": 3, "top_bottom": 4,
    "block_lr": 5,
}  # fmt: skip
"""What x264 writes into the stream, which is kept in any container: the left eye's view comes first."""


def stereo_mode(container: InputContainer, picture: VideoStream) -> str | None:
    """Return how two views lie in a film's first frame, where its stream says so; the container is read for it."""
    with suppress(av.FFmpegError, StopIteration):
        frame = next(container.decode(picture))
        said = frame.side_data.get(Type.STEREO3D)
        if said is not None:
            way, flags = struct.unpack_from("=iI", bytes(said))
            return WAYS[way][flags & 1] if way in WAYS else None
    return None


def with_packing(arguments: Sequence[str], mode: str) -> tuple[str, ...]:
    """Return ffmpeg's options with x264's for two views, where it is the encoder and can say how they lie."""
    if mode not in PACKING or "libx264" not in arguments:
        return tuple(arguments)
    words, added = list(arguments), f"frame-packing={PACKING[mode]}"
    if "-x264-params" in words[:-1]:  # ffmpeg takes the last alone
        last = len(words) - words[::-1].index("-x264-params")
        words[last] = f"{added}:{words[last]}"
        return tuple(words)
    return (*words, "-x264-params", added)


def has_packing(arguments: Sequence[str]) -> bool:
    """Whether ffmpeg's options say how two views lie."""
    return any("frame-packing=" in word for word in arguments)
