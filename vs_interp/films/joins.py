"""Films whose time stamps jump, where recordings were joined or a DVD restarts its clock: the jumps are removed.

ffmpeg, which copies the sound, removes each jump where it meets it in the file.  The rule here is the same (ffmpeg's
``ts_discontinuity_detect``), so that picture and sound stay in sync.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.format import ContainerFormat, Flags

from .times import Stamps

LEAP = Fraction(10)
"""A step forward by more than this many seconds is a jump."""

STEP_BACK = Fraction(1, 10)
"""A step back by more than this many seconds is a jump."""

NEAR = 256
"""How many packets ahead a frame's packet is searched, as the decoder skips packets that it cannot decode."""


def may_jump(container: ContainerFormat) -> bool:
    """Whether time stamps may jump in this kind of container; libav flags those of discs and broadcasts."""
    flags: Any = container.flags  # an int, whatever PyAV declares
    return bool(flags & Flags.ts_discont.value)


def has_jumps(stamps: Stamps, tick: Fraction) -> bool:
    """Whether the time stamps go back somewhere, or leap ahead."""
    known = np.array([stamp for stamp in stamps if stamp is not None], dtype=np.int64)
    steps = np.diff(known)
    return bool(((steps <= 0) | (steps > LEAP / tick)).any())


def without_jumps(path: Path, index: int, stamps: Stamps) -> Stamps:
    """Return the time stamps of the frames of track ``index`` in ticks, with the jumps removed."""
    packets = sorted((continuous, raw) for raw, continuous in _packets(path, index))
    found: list[int | None] = []
    place = 0
    for stamp in stamps:
        near = range(place, min(place + NEAR, len(packets)))
        match = next((number for number in near if packets[number][1] == stamp), None)
        found.append(None if match is None else packets[match][0])
        place = place if match is None else match + 1
    return found


@dataclass
class _Jumps:
    """Finds jumps from packets in file order.  All times are in microseconds.

    offset
        What to add to the file's times to remove the jumps so far.
    last
        The corrected decoding time of the last packet of any stream.
    expected, decoded
        For each stream, the corrected time at which its next packet is due, and that of its last packet.
    """

    offset: int = 0
    last: int | None = None
    expected: dict[int, int] = field(default_factory=dict)
    decoded: dict[int, int] = field(default_factory=dict)

    def add(self, stream: int, time: int, duration: int) -> None:
        """Take the next packet, whose decoding time in the file is ``time``, and update the offset."""
        time += self.offset
        leap, back = (int(seconds * av.time_base) for seconds in (LEAP, STEP_BACK))
        if stream in self.expected:
            delta = time - self.expected[stream]
            jump = abs(delta) > leap or time + back < self.decoded[stream]
        else:
            delta = 0 if self.last is None else time - self.last
            jump = abs(delta) > leap
        if jump:
            self.offset -= delta
            time -= delta
        self.last = self.decoded[stream] = time
        self.expected[stream] = time + duration


def _packets(path: Path, index: int) -> list[tuple[int, int]]:
    """Return, for every packet of a track, its time stamp in the file and that without jumps, in ticks."""
    found = []
    jumps = _Jumps()
    with av.open(f"file:{path}") as container:
        timed = [stream for stream in container.streams if stream.type in ("audio", "video")]
        for packet in container.demux(timed):
            if packet.dts is None or packet.time_base is None:
                continue
            microseconds = packet.time_base * av.time_base  # per tick
            duration = round((packet.duration or 0) * microseconds)
            jumps.add(packet.stream_index, round(packet.dts * microseconds), duration)
            if packet.stream_index == index and packet.pts is not None:
                found.append((packet.pts, packet.pts + round(jumps.offset / microseconds)))
    return found
