"""Films whose time stamps jump, where recordings were joined or a disc begins anew: their time goes on without a gap.

Sound and picture jump together.  ffmpeg, which copies the sound, takes each jump out as it meets it in the file; the
rule here is the same (ffmpeg's ``ts_discontinuity_detect``), so that the picture stays with the sound.
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
"""Seconds that time may leap ahead before it counts as a jump."""

STEP_BACK = Fraction(1, 10)
"""Seconds that time may go back before it counts as a jump."""

NEAR = 256
"""Packets among which a frame's own is looked for: the decoder leaves some out that it cannot decode."""


def may_jump(container: ContainerFormat) -> bool:
    """Whether time stamps of this container may jump: libav says so of discs and broadcasts."""
    flags: Any = container.flags  # an int, whatever PyAV declares
    return bool(flags & Flags.ts_discont.value)


def has_jumps(stamps: Stamps, tick: Fraction) -> bool:
    """Whether time goes back between frames, or leaps ahead."""
    known = np.array([stamp for stamp in stamps if stamp is not None], dtype=np.int64)
    steps = np.diff(known)
    return bool(((steps <= 0) | (steps > LEAP / tick)).any())


def joined(path: Path, index: int, stamps: Stamps) -> Stamps:
    """Return the stamps of the frames of track ``index`` without the jumps."""
    moved = sorted((without, raw) for raw, without in _packets(path, index))
    found: list[int | None] = []
    place = 0
    for stamp in stamps:
        near = range(place, min(place + NEAR, len(moved)))
        at = next((ahead for ahead in near if moved[ahead][1] == stamp), None)
        found.append(None if at is None else moved[at][0])
        place = place if at is None else at + 1
    return found


@dataclass
class _Jumps:
    """Finds the jumps while packets pass by; all times are in microseconds."""

    offset: int = 0
    last: int | None = None
    expected: dict[int, int] = field(default_factory=dict)
    decoded: dict[int, int] = field(default_factory=dict)

    def pass_by(self, stream: int, time: int, lasts: int) -> None:
        """Note a packet of a stream that is decoded at ``time``, as the file says."""
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
        self.expected[stream] = time + lasts


def _packets(path: Path, index: int) -> list[tuple[int, int]]:
    """Return, for every picture of a track, its stamp in the file and without the jumps, in ticks."""
    found = []
    jumps = _Jumps()
    with av.open(f"file:{path}") as container:
        timed = [stream for stream in container.streams if stream.type in ("audio", "video")]
        for packet in container.demux(timed):
            if packet.dts is None or packet.time_base is None:
                continue
            micro = packet.time_base * av.time_base
            jumps.pass_by(packet.stream_index, round(packet.dts * micro), round((packet.duration or 0) * micro))
            if packet.stream_index == index and packet.pts is not None:
                found.append((packet.pts, packet.pts + round(jumps.offset / micro)))
    return found
