"""The frames at which a job's chunks start: how long chunks are, and where near a border the source has a cut."""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from typing import Any

import av

from .conversion import OpenConversion

USUAL = 10
"""The approximate length of a chunk, in seconds."""

USUAL_PIXELS = 1280 * 720
"""Pixels of an output frame below which chunks are longer, so that each still is about as much work."""

LONGEST = 60
"""The length of a chunk of the smallest frames, in seconds."""

SPREAD = 8
"""Chunks are longer only in a film that still has this many of them, for several workers to share.

With twice as many, a job of five minutes of 192×108 takes 4 % longer than ``--whole``, instead of equally long.
"""

NEAR = 5
"""A chunk's border moves to a key frame of the source within one ``NEAR``-th of a chunk's length."""


def borders(opened: OpenConversion, seconds: float | None = None) -> Iterator[int]:
    """Yield 0, the output frames at which further chunks start, and the number of frames.

    Chunks are about ``seconds`` long, by default :func:`usual_seconds`.  Borders do not affect the frames, since each
    chunk is cut out of the whole clip.  They are placed at key frames of the source if there are any nearby: these are
    mostly cuts, where a new key frame costs the output few bits.
    """
    clip, length = opened.clip, len(opened.clip)
    source, seconds_in_all = opened.source, opened.encoding.stream.seconds
    fps = float(clip.fps) or (length / float(seconds_in_all) if seconds_in_all else 25.0)
    usual = max(round((seconds or usual_seconds(clip.width * clip.height, length / fps)) * fps), 1)
    near = usual // NEAR
    made, of = length * source.fields, len(source.stream.clip)  # output frames for so many of the film's
    key_frames = [(number - source.first) * made // of for number in _key_frames(opened)]
    border = 0
    yield border
    while length - border > usual + near:
        wanted = border + usual
        place = bisect.bisect(key_frames, wanted)
        close = [frame for frame in key_frames[max(place - 1, 0) : place + 1] if abs(frame - wanted) <= near]
        border = min(close, key=lambda frame: abs(frame - wanted), default=wanted)
        yield border
    yield length


def usual_seconds(pixels: int, film: float) -> float:
    """Return the approximate length of a chunk for frames of so many pixels, in a film of ``film`` seconds.

    To start and end an encoder takes as long for small frames as for large ones, so chunks of small frames are longer.
    The number of workers does not matter: a job that is resumed may have others.
    """
    return max(USUAL, min(USUAL * USUAL_PIXELS / pixels, LONGEST, film / SPREAD))


def _key_frames(opened: OpenConversion) -> list[int]:
    """Return the numbers of the source's key frames, in decoding order."""
    with av.open(f"file:{opened.source.path}") as container:
        packets = container.demux(container.streams[opened.source.track])
        return [number for number, packet in enumerate(filter(_holds_a_frame, packets)) if packet.is_keyframe]


def _holds_a_frame(packet: av.Packet[Any]) -> bool:
    return packet.size > 0
