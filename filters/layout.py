"""Source frames and made frames, put in order on the time line."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from fractions import Fraction

import vapoursynth as vs

from vs_interp.films.caches import kept, passing
from vs_interp.films.durations import DURATION, TABLE, TICK, frame_duration

from .scenes import MARKS
from .serve import REPEAT
from .timeline import Timeline
from .windows import shift

core = vs.core

LONGEST = 2000
"""Most source frames for one SelectEvery: the time to create one grows with the square of its offsets."""


def or_source(picture: vs.VideoNode, clip: vs.VideoNode, made: vs.VideoNode) -> vs.VideoNode:
    """Return ``picture``, converted from ``made``, with the clip's own frames wherever ``made`` repeats them."""
    if picture is made:
        return picture

    def choose(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:
        return f[1 + f[0].props[REPEAT]] if REPEAT in f[0].props else f[0]

    return kept(picture.std.ModifyFrame([passing(picture), clip, shift(clip, 1)], choose))


def lay_out(
    clip: vs.VideoNode, made: Sequence[vs.VideoNode], timeline: Timeline, rate: Fraction, constant: bool
) -> vs.VideoNode:
    """Put source frames and made frames on the time line, with properties of the source and exact durations.

    Nothing here copies a picture.  Python is called only for durations that follow neither from a constant rate nor
    from a whole factor.
    """
    source = passing(core.std.RemoveFrameProps(clip, [*MARKS, TABLE, TICK]))  # at another rate they are of other frames
    made = [_named(frame, source) for frame in made]
    if timeline.is_whole and not constant:
        return passing(core.std.Interleave([source, *made]))  # divides durations
    laid = _lay([source, *made], timeline)
    if constant:
        return passing(core.std.AssumeFPS(laid, fpsnum=rate.numerator, fpsden=rate.denominator))
    return _timed(laid, clip, timeline, rate)


def _named(made: vs.VideoNode, source: vs.VideoNode) -> vs.VideoNode:
    """Return made frames with the properties of the source frames before them."""
    named = passing(core.std.CopyFrameProps(made, source))
    return passing(core.std.RemoveFrameProps(named, "_AbsoluteTime"))


def _lay(row: Sequence[vs.VideoNode], timeline: Timeline) -> vs.VideoNode:
    """Return the frames at the time line's moments, from a source clip and the clips of frames made after each."""
    woven, offsets = passing(core.std.Interleave(row, modify_duration=False)), timeline.offsets()
    frames, most = len(timeline.cycle) * len(row), LONGEST * len(row)
    if frames <= most:
        cycle = passing(core.std.SelectEvery(woven, frames, offsets, modify_duration=False))
        return passing(cycle[: timeline.length])
    parts = []  # the cycle of a variable rate is the whole clip
    for first in range(0, frames, most):
        part = woven[first : first + most]
        chosen = offsets[bisect_left(offsets, first) : bisect_left(offsets, first + most)]
        if chosen:
            moved = [offset - first for offset in chosen]
            parts.append(passing(core.std.SelectEvery(passing(part), len(part), moved, modify_duration=False)))
    return passing(passing(core.std.Splice(parts))[: timeline.length])


def _timed(laid: vs.VideoNode, clip: vs.VideoNode, timeline: Timeline, rate: Fraction) -> vs.VideoNode:
    """Return the frames with exact durations, from those of the source frame that each falls into and of the next."""
    rated = core.std.BlankClip(laid, fpsnum=rate.numerator, fpsden=rate.denominator if rate else 1, keep=True)
    following = _lay([shift(clip, 1)] * (1 + timeline.most_made), timeline)

    def set_duration(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:
        here, after = (frame_duration(frame, clip.fps) for frame in f)
        if here is None or after is None:
            return f[0]
        frame, duration = f[0].copy(), timeline.duration(n, here, after)
        frame.props.update(zip(DURATION, duration.as_integer_ratio(), strict=True))
        return frame

    return passing(rated.std.ModifyFrame([laid, following], set_duration))
