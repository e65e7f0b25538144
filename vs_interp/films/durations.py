"""How long the frames of a clip last."""

from __future__ import annotations

from fractions import Fraction

import vapoursynth as vs

from vs_interp.errors import ArgumentError


def variable_durations(clip: vs.VideoNode) -> list[Fraction] | None:
    """Return the seconds that each frame lasts, or ``None`` where the frame rate is constant.

    Looks at the first hundred frames; only where these stray from the clip's rate by more than containers round
    (1 ms and a half) all frames are read.  Raises :class:`ArgumentError` for a frame without a duration.
    """
    if clip.fps and all(abs(seconds - 1 / clip.fps) <= Fraction(3, 2000) for seconds in _all(clip[:100])):
        return None
    return _all(clip)


def _all(clip: vs.VideoNode) -> list[Fraction]:
    found = []
    for number, frame in enumerate(clip.frames(close=True)):
        seconds = lasts(frame, clip.fps)
        if seconds is None:
            raise ArgumentError(
                f"frame {number} has no duration and the clip no rate: use factor=, or std.AssumeFPS first"
            )
        found.append(seconds)
    return found


def lasts(frame: vs.VideoFrame, rate: Fraction) -> Fraction | None:
    """Return a frame's duration in seconds; where it has none (BestSource's very last) that of the clip's rate."""
    numerator, denominator = frame.props.get("_DurationNum", 0), frame.props.get("_DurationDen", 0)
    if numerator > 0 and denominator > 0:
        return Fraction(numerator, denominator)
    return 1 / rate if rate else None
