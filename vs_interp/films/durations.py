"""How long the frames of a clip last: written into their properties, and read from them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import vapoursynth as vs

from vs_interp.errors import ArgumentError

from .times import MILLISECOND, TimeLine

DURATION = ["_DurationNum", "_DurationDen"]
"""Properties of every frame that has one: the fraction of a second that it lasts."""

TABLE, TICK = "VsInterpDurations", "VsInterpTick"
"""Properties of a film's first frame: the ticks that every frame lasts (int64), and the seconds of a tick (a pair)."""

UNTIMED = (
    "has no duration, and so the clip's rate cannot be relied on: open the film by vs_interp.open_film(path), or where "
    "you know its rate, set it by std.AssumeFPS"
)

SEEN = 100
"""Frames that tell whether a rate is constant."""


def with_durations(clip: vs.VideoNode, line: TimeLine) -> vs.VideoNode:
    """Return the clip without a frame rate, every frame with its duration on the time line.

    The first frame carries all durations, so that who needs them need not decode the film.
    """
    ticks, tick = line.durations.tolist(), line.tick
    table = line.durations.tobytes()

    def timed(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        frame, seconds = f.copy(), ticks[n] * tick
        frame.props["_DurationNum"], frame.props["_DurationDen"] = seconds.numerator, seconds.denominator
        if n == 0:
            frame.props[TABLE], frame.props[TICK] = table, [tick.numerator, tick.denominator]
        return frame

    rateless = vs.core.std.BlankClip(clip, fpsnum=0, fpsden=1, keep=True)
    return rateless.std.ModifyFrame(clip, timed)


def variable_durations(clip: vs.VideoNode) -> list[Fraction] | None:
    """Return the seconds that each frame lasts, or ``None`` where the frame rate is constant.

    A film of :func:`~vs_interp.films.source.open_source` carries them along.  Of others the first hundred frames are
    looked at; only where these stray from the clip's rate by more than containers round all frames are read.  Frames
    without a duration last as long as the one before.  Raises :class:`ArgumentError` where the first has none.
    """
    carried = carried_durations(clip)
    if carried is not None:
        return carried
    if clip.fps and _is_regular(_read(clip[:SEEN]), clip.fps):
        return None
    return _read(clip)


def check_durations(clip: vs.VideoNode) -> None:
    """Raise :class:`ArgumentError` where frames have no durations, as BestSource's of discs have none."""
    with clip.get_frame(0) as frame:
        if lasts(frame, Fraction(0)) is None:
            raise ArgumentError(f"frame 0 {UNTIMED}")


def lasts(frame: vs.VideoFrame, rate: Fraction) -> Fraction | None:
    """Return a frame's duration in seconds; where it has none (BestSource's very last) that of the clip's rate."""
    numerator, denominator = frame.props.get("_DurationNum", 0), frame.props.get("_DurationDen", 0)
    if numerator > 0 and denominator > 0:
        return Fraction(numerator, denominator)
    return 1 / rate if rate else None


def carried_durations(clip: vs.VideoNode) -> list[Fraction] | None:
    """Return the durations that the first frame carries, unless the clip has been cut or changed in time since."""
    with clip.get_frame(0) as frame:
        props = dict(frame.props)
    if TABLE not in props or clip.fps:
        return None
    ticks = np.frombuffer(props[TABLE], np.int64)
    if len(ticks) != len(clip):
        return None
    tick = Fraction(*props[TICK])
    return [int(each) * tick for each in ticks]


def _is_regular(durations: Sequence[Fraction], rate: Fraction) -> bool:
    """Whether frames begin at the moments of a rate, rounded to milliseconds or finer."""
    begins = np.cumsum([float(seconds) for seconds in durations])
    strays = begins - np.arange(1, len(durations) + 1) / float(rate)
    return bool(np.ptp(np.append(strays, 0)) <= 2 * MILLISECOND)


def _read(clip: vs.VideoNode) -> list[Fraction]:
    found: list[Fraction] = []
    for number, frame in enumerate(clip.frames(close=True)):
        seconds = lasts(frame, Fraction(0))
        if seconds is None and not found:
            raise ArgumentError(f"frame {number} {UNTIMED}")
        found.append(found[-1] if seconds is None else seconds)
    return found
