"""Bitmap subtitles: white boxes as on Blu-rays (PGS) and DVDs, and when a film shows them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from struct import pack

import av

from tests.video import ffmpeg

type Times = list[tuple[float, float]]
"""Seconds at which subtitles come on and go off."""

SIZE = (96, 64)
BOX = (8, 40, 80, 16)
"""Left edge, top edge, width and height of each subtitle."""

COMPOSITION, WINDOW, PALETTE, OBJECT, END = 0x16, 0x17, 0x14, 0x15, 0x80
"""Kinds of segments in PGS."""


def make_bitmaps(path: Path, times: Times) -> Path:
    """Write subtitles that are white boxes: PGS to a ``.sup``, DVD's to a ``.mkv``."""
    bitmaps = path.with_suffix(".sup")
    bitmaps.write_bytes(b"".join(_shown(*each, number) for number, each in enumerate(times)))
    if path != bitmaps:
        ffmpeg("-itsoffset", str(times[0][0]), "-fix_sub_duration", "-i", bitmaps, "-c:s", "dvdsub", path)
    return path


def shown_bitmaps(path: Path) -> Times:
    """Return when a film's bitmap subtitles are on, by libav's decoder; the last may stay on until the end."""
    found: Times = []
    with av.open(str(path)) as container:
        stream, ends = container.streams.subtitles[0], (container.duration or 0) / av.time_base
        packets = [packet for packet in container.demux(stream) if packet.size]
        for packet in packets:
            start = float(packet.pts * packet.time_base)
            if found and found[-1][1] > start:
                found[-1] = (found[-1][0], start)
            if packet.decode():
                found.append((start, start + float(packet.duration * packet.time_base) if packet.duration else ends))
    return [(start, end) for start, end in found if end > start]


def _shown(begin: float, end: float, number: int) -> bytes:
    """Return the segments that show one box and take it away, as in a ``.sup`` file."""
    left, top, width, height = BOX
    window = b"\1" + pack(">BHHHH", 0, left, top, width, height)
    line = bytes([0, 0xC0 | width >> 8, width & 255, 1, 0, 0])  # a run of colour 1
    drawn = pack(">HH", width, height) + line * height
    placed = pack(">HHBHBBBB", *SIZE, 0x10, 2 * number, 0x80, 0, 0, 1) + pack(">HBBHH", 0, 0, 0, left, top)
    empty = pack(">HHBHBBBB", *SIZE, 0x10, 2 * number + 1, 0, 0, 0, 0)
    white, drawing = bytes([0, 0, 1, 235, 128, 128, 255]), pack(">HBB", 0, 0, 0xC0) + len(drawn).to_bytes(3) + drawn
    on = ((COMPOSITION, placed), (WINDOW, window), (PALETTE, white), (OBJECT, drawing), (END, b""))
    return _segments(begin, on) + _segments(end, ((COMPOSITION, empty), (WINDOW, window), (END, b"")))


def _segments(time: float, segments: Iterable[tuple[int, bytes]]) -> bytes:
    stamp = round(time * 90_000)
    return b"".join(b"PG" + pack(">IIBH", stamp, 0, kind, len(content)) + content for kind, content in segments)
