"""Damaged films: frames that BestSource refuses come from libav, as players show them, or the last good one stands in.

BestSource knows a frame by what its decoded picture was when the film was indexed.  Where bits are damaged, a decoder
that begins elsewhere makes another picture of them, and mostly all frames up to the next key frame are refused.  libav,
decoding one frame after another, has a picture for nearly all of them.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from fractions import Fraction

import av
import numpy as np
import vapoursynth as vs

from vs_interp.errors import SourceError

from .linear import LinearReader
from .stamps import Track
from .times import Stamps

core = vs.core

REFUSED = "No frame returned for frame number"
"""What BestSource says of a frame that it cannot decode as it did."""

LISTED = 8
"""Moments that a report names."""

GAP = 1.5
"""So many usual durations are a gap, in which frames may have been lost."""

SHORT = Fraction(1, 2)
"""Seconds by which a picture may end before the file does: sound often lasts longer."""


@dataclass
class Damage:
    """What of a film cannot be decoded, and what is done then.

    strict
        Whether such a frame ends the work.
    found
        Whether there has been one: all frames come from libav from then on.
    broken, missing
        Numbers of frames whose pictures libav could decode in part, or not at all.
    lost
        Time stamps of frames that the file has and that are not among those decoded: the one before lasts longer.
    """

    stamps: Stamps
    tick: Fraction
    strict: bool = False
    found: bool = False
    broken: set[int] = field(default_factory=set)
    missing: set[int] = field(default_factory=set)
    lost: tuple[int, ...] = ()

    def goes_on_after(self, error: vs.Error) -> bool:
        """Whether frames can be asked for again after an error: once, where the film is damaged."""
        if self.strict or self.found or REFUSED not in str(error):
            return False
        self.found = True
        return True

    def report(self) -> list[str]:
        """Return a line on each kind of damage and when it is shown; none where there was none."""
        lost = [*map(self._time, sorted(self.missing)), *map(self._clock, self.lost)]
        kinds = (
            (len(self.broken), [self._time(number) for number in _runs(self.broken)], "could be decoded in part only"),
            (len(lost), lost, "could not be decoded, the picture before stands in"),
        )
        return [
            f"the film is damaged: {count} frame{'s'[: count > 1]} {what} ({_listed(times)})"
            for count, times, what in kinds
            if count
        ]

    def _time(self, number: int) -> str:
        stamp = self.stamps[number]
        return f"frame {number}" if stamp is None else self._clock(stamp)

    def _clock(self, stamp: int) -> str:
        first = next((stamp for stamp in self.stamps if stamp is not None), 0)
        return clock(float((stamp - first) * self.tick))


def guarded(clip: vs.VideoNode, track: Track, stamps: Stamps, *, strict: bool) -> tuple[vs.VideoNode, Damage]:
    """Return a film's frames as BestSource decodes them, and by libav once there is damage.

    Raises :class:`SourceError` where ``strict`` and frames are known to be lost.
    """
    damage = Damage(stamps, track.tick, strict, lost=lost_frames(track, stamps))
    if strict and damage.lost:
        raise SourceError(f"{damage.report()[0]}: leave out --on-error stop to convert it all the same")
    first = _first(clip, damage)
    if first is None:
        return clip, damage
    reader, lock = LinearReader(track.path, track.index, stamps, clip.format), threading.Lock()
    properties = dict(first.props)

    def read(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        frame = core.create_video_frame(clip.format, clip.width, clip.height)
        frame.props.update(properties)
        with lock:
            state = reader.read(n, frame)
        if state != "good":
            (damage.broken if state == "broken" else damage.missing).add(n)
        return frame

    linear = core.std.BlankClip(clip, keep=True)
    linear = linear.std.ModifyFrame(linear, read)
    chosen = core.std.BlankClip(clip, keep=True)
    return chosen.std.FrameEval(lambda n: linear if damage.found else clip, clip_src=[clip, linear]), damage


def frames_of(clip: vs.VideoNode, start: int, stop: int, damage: Damage, *, ahead: int) -> Generator[vs.VideoFrame]:
    """Yield the frames of a clip that was made of a film, beyond damage.  Raises ``vs.Error`` for all other errors."""
    number = start
    while number < stop:
        try:
            with closing(clip[number:stop].frames(prefetch=ahead, backlog=ahead, close=True)) as frames:
                for frame in frames:
                    number += 1
                    yield frame
        except vs.Error as error:
            if not damage.goes_on_after(error):
                raise


def clock(seconds: float) -> str:
    """Return a time as players show it: 0:01:02.345."""
    return f"{int(seconds // 3600)}:{int(seconds // 60 % 60):02}:{seconds % 60:06.3f}"


def _first(clip: vs.VideoNode, damage: Damage) -> vs.VideoFrame | None:
    """Return the first frame that can be decoded, whose properties are those of all."""
    for number in range(len(clip)):
        try:
            return clip.get_frame(number)
        except vs.Error as error:
            if damage.strict or REFUSED not in str(error):
                return None
            damage.found = True
    return None


def lost_frames(track: Track, stamps: Stamps) -> tuple[int, ...]:
    """Return the time stamps of frames in a gap between those that were decoded, in order.

    Looked for only where there are gaps: the file is read once more for it.
    """
    known = [stamp for stamp in stamps if stamp is not None]
    steps = np.diff(known)
    if len(known) < len(stamps) or len(steps) < 2 or steps.min() <= 0 or steps.max() < GAP * np.median(steps):
        return ()
    decoded = set(known)
    with av.open(f"file:{track.path}") as container, suppress(av.FFmpegError):
        given = [
            packet.pts
            for packet in container.demux(container.streams[track.index])
            if packet.size and packet.pts is not None and not packet.is_discard
        ]
    return tuple(sorted(stamp for stamp in given if known[0] < stamp < known[-1] and stamp not in decoded))


def cut_off(stated: Fraction | None, ends: Fraction) -> list[str]:
    """Return a line on what is missing of a film that ends earlier than its container says."""
    if stated is None or stated - ends < SHORT:
        return []
    return [
        f"the file says that it lasts {clock(float(stated))}, and its picture ends after {clock(float(ends))}: "
        f"{float(stated - ends):.1f} s are missing"
    ]


def _runs(numbers: set[int]) -> list[int]:
    """Return the first number of each run."""
    return [number for number in sorted(numbers) if number - 1 not in numbers]


def _listed(times: Sequence[str]) -> str:
    more = f", and {len(times) - LISTED} more places" if len(times) > LISTED else ""
    return f"at {', '.join(times[:LISTED])}{more}"
