"""The durations of a clip's frames: written to frame properties, and read from them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import vapoursynth as vs

from vs_interp.errors import ArgumentError

from .caches import passing
from .times import MILLISECOND, TimeLine

DURATION = ["_DurationNum", "_DurationDen"]
"""The properties of a frame that hold its duration in seconds, a fraction."""

TABLE, TICK = "VsInterpDurations", "VsInterpTick"
"""Properties of a film's first frame: the durations of all frames in ticks (int64), and the seconds per tick."""

UNTIMED = (
    "has no duration, so the clip's frame rate cannot be relied on: open the film with vs_interp.open_film(path), or "
    "if you know its rate, set it with std.AssumeFPS"
)

SAMPLED = 100
"""How many frames are looked at to tell whether the frame rate is constant."""


def with_durations(clip: vs.VideoNode, line: TimeLine) -> vs.VideoNode:
    """Return the clip with a variable frame rate, every frame with its duration on the time line.

    The first frame carries the durations of all, so that nobody has to decode the film to learn them.
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
    return passing(rateless.std.ModifyFrame(clip, timed))


def variable_durations(clip: vs.VideoNode) -> list[Fraction] | None:
    """Return the duration of each frame in seconds, or ``None`` if the frame rate is constant.

    Films from :func:`~vs_interp.films.source.open_source` carry them.  In other clips the first hundred frames are
    compared with the clip's frame rate, and only if they deviate by more than a container's rounding are all frames
    read.  A frame without a duration gets that of the one before.  Raises :class:`ArgumentError` if the first has none.
    """
    carried = carried_durations(clip)
    if carried is not None:
        return carried
    if clip.fps and _is_regular(_read_durations(clip[:SAMPLED]), clip.fps):
        return None
    return _read_durations(clip)


def check_durations(clip: vs.VideoNode) -> None:
    """Raise :class:`ArgumentError` if the first frame has no duration, as when BestSource opens a DVD."""
    with clip.get_frame(0) as frame:
        if frame_duration(frame, Fraction(0)) is None:
            raise ArgumentError(f"frame 0 {UNTIMED}")


def frame_duration(frame: vs.VideoFrame, rate: Fraction) -> Fraction | None:
    """Return a frame's duration in seconds; 1 / ``rate`` if it has none, or ``None`` if that is 0.

    BestSource gives the very last frame of a film none.
    """
    numerator, denominator = frame.props.get("_DurationNum", 0), frame.props.get("_DurationDen", 0)
    if numerator > 0 and denominator > 0:
        return Fraction(numerator, denominator)
    return 1 / rate if rate else None


def carried_durations(clip: vs.VideoNode) -> list[Fraction] | None:
    """Return the durations carried by the first frame; ``None`` if there are none, or the clip was trimmed since."""
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
    """Whether frames end when those of a constant rate do, up to rounding to milliseconds."""
    ends = np.cumsum([float(seconds) for seconds in durations])
    deviations = ends - np.arange(1, len(durations) + 1) / float(rate)
    return bool(np.ptp(np.append(deviations, 0)) <= 2 * MILLISECOND)


def _read_durations(clip: vs.VideoNode) -> list[Fraction]:
    """Return the durations of all frames, which are decoded for it."""
    found: list[Fraction] = []
    for number, frame in enumerate(clip.frames(close=True)):
        seconds = frame_duration(frame, Fraction(0))
        if seconds is None and not found:
            raise ArgumentError(f"frame {number} {UNTIMED}")
        found.append(found[-1] if seconds is None else seconds)
    return found
