"""Damaged films: frames that BestSource refuses are decoded by libav, as in players, or repeat the last good frame.

BestSource recognises a frame by a hash of its picture from when the film was indexed.  A decoder that starts elsewhere
makes a different picture of damaged bits, so that most frames up to the next key frame are refused.  libav, decoding
one frame after another, has a picture for nearly all of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import vapoursynth as vs

from vs_interp.errors import SourceError

from .alpha import PLANE
from .caches import kept, passing
from .linear import LinearReader
from .missing import Gap, Packets, clock
from .stamps import Track, libav_stamps
from .times import Stamps

core = vs.core

REFUSED = "No frame returned for frame number"
"""BestSource's error for a frame that does not decode to the picture it indexed."""

TOLERATE = "leave out --on-error stop to convert it all the same"
"""What to do where damage stops a run."""

LISTED = 8
"""How many times a report lists."""


@dataclass
class Damage:
    """The frames of a film that cannot be decoded.

    stamps, tick
        Time stamps of the film's frames in ticks, and the seconds per tick.
    strict
        Whether such a frame is an error; otherwise it is replaced and counted here.
    broken, missing
        Numbers of frames that libav decoded only in part, or not at all.
    lost
        Time stamps of frames that are in the file, but not among the decoded ones: the frame before lasts longer, or
        the film ends earlier.
    torn
        Time stamps of frames whose packets are incomplete.
    skipped
        Time stamps of frames that BestSource leaves out and libav decodes.
    gaps
        Times for which the file has no frames.
    """

    stamps: Stamps
    tick: Fraction
    strict: bool = False
    broken: set[int] = field(default_factory=set)
    missing: set[int] = field(default_factory=set)
    lost: tuple[int, ...] = ()
    torn: tuple[int, ...] = ()
    skipped: tuple[int, ...] = ()
    gaps: Sequence[Gap] = ()

    def of_part(self, frames: range, begins: Fraction, ends: Fraction) -> Damage:
        """Return what of it lies in some of the film's frames, which last from ``begins`` to ``ends`` (seconds).

        Frames are found by the film's own stamps, which its time line may not follow.
        """
        first = self._stamp_from(frames.start) if frames.start else -math.inf
        end = self._stamp_from(frames.stop)
        lost, torn, skipped = (
            tuple(stamp for stamp in stamps if first <= stamp < end) for stamps in (self.lost, self.torn, self.skipped)
        )
        gaps = [gap for gap in self.gaps if gap.begins < ends and gap.ends > begins]
        # broken and missing are the same sets, and still grow
        return replace(self, lost=lost, torn=torn, skipped=skipped, gaps=gaps)

    def _stamp_from(self, number: int) -> float:
        """Return the first stamp from a frame on; infinity if there is none."""
        return next((stamp for stamp in self.stamps[number:] if stamp is not None), math.inf)

    def check(self) -> None:
        """Raise :class:`SourceError` if ``strict`` and frames are known to be lost."""
        if self.strict and (self.lost or self.torn or self.skipped):
            skipped = f"the film is damaged: BestSource leaves out {len(self.skipped)} of its frames"
            raise SourceError(f"{self.report()[0] if self.lost or self.torn else skipped}: {TOLERATE}")

    def report(self) -> list[str]:
        """Return a line on each kind of damage that was found, with the times where it is."""
        last = max((stamp for stamp in self.stamps if stamp is not None), default=math.inf)
        within, beyond = ([stamp for stamp in self.lost if (stamp > last) == after] for after in (False, True))
        repeated = [*map(self._time, sorted(self.missing)), *map(self._clock, within)]
        kinds = (
            (len(self.broken), [self._time(number) for number in _runs(self.broken)], "could be decoded only in part"),
            (len(repeated), repeated, "could not be decoded, the picture before is repeated"),
            (len(beyond), [*map(self._clock, beyond)], "after the last picture could not be decoded"),
            (len(self.torn), [*map(self._clock, self.torn)], "came in incomplete packets, or after missing ones"),
        )
        lines = [
            f"the film is damaged: {count} frame{'s'[: count > 1]} {what} (at {_listed(times)})"
            for count, times, what in kinds
            if count
        ]
        gone = [(self._gone(gap), gap) for gap in self.gaps]
        if count := sum(frames for frames, _ in gone):
            times = [f"{frames} between {clock(gap.begins)} and {clock(gap.ends)}" for frames, gap in gone if frames]
            lines.append(
                f"{count} frame{'s are' if count > 1 else ' is'} missing, or the recorder skipped what did not change: "
                f"the picture before lasts longer ({_listed(times)})"
            )
        return lines

    def _gone(self, gap: Gap) -> int:
        """Return how many frames of a gap are not even in the file."""
        return gap.frames - sum(gap.begins < self._seconds(stamp) < gap.ends for stamp in self.lost)

    def _time(self, number: int) -> str:
        stamp = self.stamps[number]
        return f"frame {number}" if stamp is None else self._clock(stamp)

    def _clock(self, stamp: int) -> str:
        return clock(self._seconds(stamp))

    def _seconds(self, stamp: int) -> Fraction:
        first = next((stamp for stamp in self.stamps if stamp is not None), 0)
        return (stamp - first) * self.tick


def guarded(
    clip: vs.VideoNode, track: Track, stamps: Stamps, packets: Packets | None, *, strict: bool
) -> tuple[vs.VideoNode, Damage]:
    """Return a film decoded by BestSource, and by libav from the first frame that it refuses; and its damage.

    If ``packets`` (``None`` if they were not read) show more frames than BestSource found, and libav decodes them,
    the whole film is decoded by libav.
    """
    lost, skipped = _lost(packets, stamps), set[int]()
    if lost:
        decodable = libav_stamps(track)
        if len(decodable) > len(stamps):
            skipped = {stamp for stamp in decodable if stamp is not None} - set(stamps)
            stamps = decodable
            lost = _lost(packets, stamps)
    torn = tuple(sorted(set(packets.torn) - set(lost))) if packets is not None else ()
    damage = Damage(stamps, track.tick, strict, lost=lost, torn=torn, skipped=tuple(sorted(skipped)))
    blank = core.std.BlankClip(clip, length=len(stamps), keep=True)
    frames = blank.std.ModifyFrame(blank, _Guard(passing(clip), track, damage, by_libav=len(stamps) > len(clip)))
    return kept(frames), damage


class _Guard:
    """The frame callback: takes frames from BestSource, and after the first that it refuses from libav.

    Waiting for a frame in a callback is safe: VapourSynth starts another thread in place of the waiting one.
    """

    def __init__(self, clip: vs.VideoNode, track: Track, damage: Damage, *, by_libav: bool) -> None:
        self._clip, self._damage, self._by_libav = clip, damage, by_libav
        self._reader = LinearReader(track.path, track.index, damage.stamps, clip.format)
        self._properties: dict[str, Any] | None = None

    def __call__(self, n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        if not self._by_libav:
            try:
                return self._clip.get_frame(n)
            except vs.Error as error:
                if REFUSED not in str(error):
                    raise
                self._by_libav = True
        if self._properties is None:
            self._properties = _properties(self._clip)
        frame = core.create_video_frame(self._clip.format, self._clip.width, self._clip.height)
        frame.props.update(self._properties)
        alpha = self._properties.get(PLANE)
        if alpha is not None:
            alpha = core.create_video_frame(alpha.format, alpha.width, alpha.height)
            alpha.props["_Range"] = vs.RANGE_FULL
        state = self._reader.read(n, frame, alpha)
        if alpha is not None:
            frame.props[PLANE] = alpha
        if state != "good" and self._damage.strict:
            raise SourceError(f"frame {n} cannot be decoded whole: {TOLERATE}")
        if state != "good":
            (self._damage.broken if state == "broken" else self._damage.missing).add(n)
        return frame


def _properties(clip: vs.VideoNode) -> dict[str, Any]:
    """Return the properties of the first frame that can be decoded; they stand for all frames."""
    for number in range(len(clip)):
        try:
            return dict(clip.get_frame(number).props)
        except vs.Error:
            continue
    return {}


def _lost(packets: Packets | None, stamps: Stamps) -> tuple[int, ...]:
    """Return, in order, the time stamps of packets whose frames were not decoded."""
    decoded = {stamp for stamp in stamps if stamp is not None}
    if packets is None or not decoded:
        return ()
    first = min(decoded)
    return tuple(stamp for stamp in packets.stamps if stamp > first and stamp not in decoded)


def _runs(numbers: set[int]) -> list[int]:
    """Return the first number of each run of consecutive numbers."""
    return [number for number in sorted(numbers) if number - 1 not in numbers]


def _listed(times: Sequence[str]) -> str:
    more = f", and {len(times) - LISTED} more places" if len(times) > LISTED else ""
    return f"{', '.join(times[:LISTED])}{more}"
