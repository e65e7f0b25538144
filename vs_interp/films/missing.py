"""What is missing of a film: packets that were cut out, or an end that was cut off."""

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
"""So many usual durations are a gap, in which frames may have been lost."""

REGULAR = 0.9
"""Part of a film's frames that last as long as usual where gaps between the others mean that frames are missing."""

SHORT = Fraction(1, 2)
"""Seconds by which a picture may end before the file does: sound often lasts longer."""

COUNTS = "avi"
"""The container whose header says how many frames there are, and that guesses a cut film's duration by its size."""

SHOWS_LOSSES = "mpegts"
"""The container that numbers its packets, so that libav marks what lacks some."""

SYNC, SIZES = 0x47, ((0, 188), (4, 192), (0, 204))
"""With what each of its packets begins, where the first does so, and how far apart they are: broadcast, disc, with
parity bytes (ISO/IEC 13818-1)."""


@dataclass(frozen=True)
class Gap:
    """So many frames are missing from one moment to another, in seconds from the film's first frame."""

    frames: int
    begins: Fraction
    ends: Fraction


def gaps(line: TimeLine) -> list[Gap]:
    """Return where frames are missing of a film that has a constant rate but for that."""
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
    """A picture's packets in their file.

    stamps
        When they are shown, in ticks, ascending.
    torn
        Stamps of those that lack a part, or follow some that are gone, where the container shows it.
    cut_short
        Whether the file ends in the middle of a packet, be it of sound.
    """

    stamps: tuple[int, ...]
    torn: tuple[int, ...]
    cut_short: bool


def read_packets(track: Track) -> Packets:
    """Read all packets of a film's file, without decoding them."""
    stamps, torn = [], []
    last_is_torn: dict[int, bool] = {}
    for packet in _all_packets(track.path):
        last_is_torn[packet.stream_index] = packet.is_corrupt
        if packet.stream_index == track.index and packet.pts is not None and not packet.is_discard:
            stamps.append(packet.pts)
            torn += [packet.pts] if packet.is_corrupt else []
    cut_short = any(last_is_torn.values()) or (track.container == SHOWS_LOSSES and _ends_in_between(track.path))
    return Packets(stamps=tuple(sorted(stamps)), torn=tuple(sorted(torn)), cut_short=cut_short)


def may_lack_packets(track: Track, stamps: Stamps, stated: Fraction | None) -> bool:
    """Whether it is worth the time to read a film's packets: it ends early, has gaps, or may say what it lacks."""
    known = np.array([stamp for stamp in stamps if stamp is not None], dtype=np.int64)
    steps = np.diff(known)
    if track.container == SHOWS_LOSSES:
        return True
    if len(known) < len(stamps) or len(steps) < 2 or steps.min() <= 0:
        return False
    seconds = (int(known[-1] - known[0]) + float(np.median(steps))) * track.tick
    return bool(steps.max() >= GAP * np.median(steps)) or (stated is not None and stated - Fraction(seconds) >= SHORT)


def stated_duration(container: InputContainer, video: VideoStream) -> Fraction | None:
    """Return how long a film's picture lasts by its container, in seconds; ``None`` where that says nothing or guesses.

    Sound may last longer: a stream's own duration counts, which Matroska has in a tag.
    """
    if container.format.name == COUNTS and video.frames and video.average_rate:
        return video.frames / Fraction(str(video.average_rate))
    if may_jump(container.format) or container.duration is None:
        return None
    said = [Fraction(container.duration, av.time_base)]
    if video.duration is not None and video.time_base:
        said.append(video.duration * Fraction(str(video.time_base)))
    if tag := re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", video.metadata.get("DURATION", "")):
        said.append(int(tag[1]) * 3600 + int(tag[2]) * 60 + Fraction(tag[3]))
    return min(said)


def cut_off(stated: Fraction | None, ends: Fraction, packets: Packets | None) -> list[str]:
    """Return a line on what is missing of a film that ends earlier than its container says, or in a packet."""
    if stated is not None and stated - ends >= SHORT:
        return [
            f"the file says that it lasts {clock(stated)}, and its picture ends after {clock(ends)}: "
            f"{float(stated - ends):.1f} s are missing"
        ]
    if stated is None and packets is not None and packets.cut_short:
        return [
            f"the file ends in the middle of a packet, after {clock(ends)}: what followed is missing, and it does not "
            "say how much that was"
        ]
    return []


def lacks_index(path: Path) -> bool:
    """Whether a file is an MP4 or MOV that was cut off before its index, which mostly comes last, was written whole."""
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
    """Return a time as players show it: 0:01:02.345."""
    whole, rest = divmod(float(seconds), 60)
    return f"{int(whole // 60)}:{int(whole % 60):02}:{rest:06.3f}"


def _ends_in_between(path: Path) -> bool:
    """Whether a transport stream's last packet is not whole."""
    with path.open("rb") as file:
        head = file.read(1024)
    for first, size in SIZES:
        if len(head) > first + 4 * size and all(head[first + n * size] == SYNC for n in range(5)):
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
