"""What is missing from a film: packets lost in the middle, or an end that was cut off."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from .joins import may_jump
from .stamps import Track
from .times import MILLISECOND, Stamps, TimeLine

GAP = 1.5
"""A frame that lasts this many times the usual duration is a gap, in which frames may be missing."""

REGULAR = 0.9
"""Share of frames with the usual duration from which on a gap means that frames are missing."""

SHORT = Fraction(1, 2)
"""Seconds by which a picture may end before the file does, since sound often lasts longer."""

COUNTS = "avi"
"""The container whose header has the number of frames, while libav guesses the duration of a cut file from its size."""

FROM_ZERO = "matroska,webm"
"""The container whose durations begin at time 0, whenever its picture does."""

SHOWS_LOSSES = "mpegts"
"""The container with numbered packets, so that libav notices missing ones."""

SYNC_BYTE, PACKETS = 0x47, ((0, 188), (4, 192), (0, 204))
"""The first byte of a transport stream's packets, and the offset of the first packet and the size of each kind:
broadcast, Blu-ray, with parity bytes (ISO/IEC 13818-1)."""


@dataclass(frozen=True)
class Gap:
    """A time without frames, in seconds from the film's first frame, and how many frames are missing there."""

    frames: int
    begins: Fraction
    ends: Fraction


def gaps(line: TimeLine) -> list[Gap]:
    """Return the gaps of a film whose frame rate is constant otherwise; none if it is not."""
    lasts = line.durations[:-1]
    if line.rate is not None or len(lasts) < 2:
        return []
    usual = float(np.median(lasts))
    regular = np.abs(lasts - usual) <= max(usual / 10, float(2 * MILLISECOND / line.tick))
    if regular.mean() < REGULAR:
        return []
    return [
        Gap(round(float(lasts[n]) / usual) - 1, int(line.starts[n]) * line.tick, int(line.starts[n + 1]) * line.tick)
        for n in np.nonzero(lasts >= GAP * usual)[0].tolist()
    ]


@dataclass(frozen=True, kw_only=True)
class Packets:
    """The packets of a video track.

    stamps
        Their presentation time stamps in ticks, ascending.
    torn
        The time stamps of packets that are incomplete or follow missing ones, if the container shows that.
    cut_short
        Whether the file ends in the middle of a packet, of any stream.
    """

    stamps: tuple[int, ...]
    torn: tuple[int, ...]
    cut_short: bool


def read_packets(track: Track) -> Packets:
    """Read all packets of a file, without decoding them."""
    stamps, torn = [], []
    last_is_torn: dict[int, bool] = {}
    for packet in _all_packets(track.path):
        last_is_torn[packet.stream_index] = packet.is_corrupt
        if packet.stream_index == track.index and packet.pts is not None and not packet.is_discard:
            stamps.append(packet.pts)
            torn += [packet.pts] if packet.is_corrupt else []
    cut_short = any(last_is_torn.values()) or (track.container == SHOWS_LOSSES and _ends_inside_a_packet(track.path))
    return Packets(stamps=tuple(sorted(stamps)), torn=tuple(sorted(torn)), cut_short=cut_short)


def may_lack_packets(track: Track, stamps: Stamps, stated: Fraction | None) -> bool:
    """Whether reading a film's packets is worth the time: it ends early, has gaps, or its container shows losses."""
    known = np.array([stamp for stamp in stamps if stamp is not None], dtype=np.int64)
    steps = np.diff(known)
    if track.container == SHOWS_LOSSES:
        return True
    if len(known) < len(stamps) or len(steps) < 2 or steps.min() <= 0:
        return False
    seconds = (int(known[-1] - known[0]) + float(np.median(steps))) * track.tick
    return bool(steps.max() >= GAP * np.median(steps)) or (stated is not None and stated - Fraction(seconds) >= SHORT)


def stated_duration(container: InputContainer, video: VideoStream) -> Fraction | None:
    """Return the duration of the picture in seconds, as the container states it; ``None`` if unknown or guessed.

    Sound may last longer than the picture, so the video stream's own duration counts; Matroska has it in a tag.
    """
    if container.format.name == COUNTS and video.frames and video.average_rate:
        return video.frames / Fraction(str(video.average_rate))
    if may_jump(container.format) or container.duration is None:
        return None
    stated = [Fraction(container.duration, av.time_base)]
    if video.duration is not None and video.time_base:
        stated.append(video.duration * Fraction(str(video.time_base)))
    if tag := re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", video.metadata.get("DURATION", "")):
        stated.append(int(tag[1]) * 3600 + int(tag[2]) * 60 + Fraction(tag[3]))
    since = Fraction(container.start_time or 0, av.time_base) if container.format.name == FROM_ZERO else Fraction(0)
    return min(stated) - max(since, Fraction(0))


def cut_off(stated: Fraction | None, ends: Fraction, packets: Packets | None) -> list[str]:
    """Return a line on what is missing if a film ends earlier than its container states, or inside a packet."""
    if stated is not None and stated - ends >= SHORT:
        return [
            f"the file states a duration of {clock(stated)}, but its picture ends after {clock(ends)}: "
            f"{float(stated - ends):.1f} s are missing"
        ]
    if stated is None and packets is not None and packets.cut_short:
        return [
            f"the file ends in the middle of a packet, after {clock(ends)}: the rest is missing, and the file does not "
            "say how much that is"
        ]
    return []


def lacks_index(path: Path) -> bool:
    """Whether a file is an MP4 or MOV without its index (moov): cut off before it, as it mostly comes last."""
    whole = set()
    with path.open("rb") as file:
        end, place = path.stat().st_size, 0
        while place + 8 <= end:
            file.seek(place)
            size, kind = int.from_bytes(file.read(4)), file.read(4)
            size = int.from_bytes(file.read(8)) if size == 1 else size
            place += max(size, 8)
            if place <= end:
                whole.add(kind)
    return b"ftyp" in whole and b"moov" not in whole


def clock(seconds: Fraction | float) -> str:
    """Format a time like players do: 0:01:02.345."""
    whole, rest = divmod(float(seconds), 60)
    return f"{int(whole // 60)}:{int(whole % 60):02}:{rest:06.3f}"


def _ends_inside_a_packet(path: Path) -> bool:
    """Whether the last packet of a transport stream is incomplete."""
    with path.open("rb") as file:
        head = file.read(1024)
    for first, size in PACKETS:
        if len(head) > first + 4 * size and all(head[first + n * size] == SYNC_BYTE for n in range(5)):
            return path.stat().st_size % size != 0
    return False


def _all_packets(path: Path) -> Iterator[av.Packet[Any]]:
    with av.open(f"file:{path}") as container:
        packets = container.demux()
        while True:
            try:
                packet = next(packets)
            except (StopIteration, av.FFmpegError):
                return
            if packet.size:
                yield packet
