"""Source frames and made frames laid on the time line."""

from __future__ import annotations

from fractions import Fraction

import vapoursynth as vs

from vs_interp.films.durations import lasts

from .scenes import following
from .serve import REPEAT
from .timeline import Timeline, span

core = vs.core


def lay_out(
    clip: vs.VideoNode, made: list[vs.VideoNode], timeline: Timeline, rate: Fraction, constant: bool
) -> vs.VideoNode:
    """Put source frames and made frames on the time line, with properties of the source and exact durations."""
    stride, offsets = len(made) + 1, timeline.offsets()

    def lay(row: list[vs.VideoNode]) -> vs.VideoNode:
        woven = core.std.Interleave(row, modify_duration=False)
        picked = core.std.SelectEvery(woven, len(timeline.cycle) * stride, offsets, modify_duration=False)
        return picked[: timeline.length]

    rows = [lay([clip, *made]), lay([clip] * stride), lay([following(clip)] * stride)]
    rated = core.std.BlankClip(
        clip, length=timeline.length, fpsnum=rate.numerator, fpsden=rate.denominator if rate else 1, keep=True
    )
    moments, count = timeline.moments(), len(timeline.cycle)

    def finish(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:
        laid, here, after = f
        cycle, index = divmod(n, len(moments))
        source, time = moments[index]
        chosen = laid
        if time and REPEAT in laid.props:
            chosen = here if time <= Fraction(1, 2) or cycle * count + source == len(clip) - 1 else after
        frame = chosen.copy()
        if chosen is laid and time:
            frame.props.clear()
            frame.props.update(here.props)
        for name in ("_SceneChangeNext", "_SceneChangePrev", *(("_AbsoluteTime",) if time else ())):
            if name in frame.props:
                del frame.props[name]
        if constant:
            duration: Fraction | None = 1 / rate
        else:
            duration = _duration(timeline, n, moments, lasts(here, clip.fps), lasts(after, clip.fps))
        if duration is not None:
            frame.props["_DurationNum"], frame.props["_DurationDen"] = duration.numerator, duration.denominator
        return frame

    return core.std.ModifyFrame(rated, clips=rows, selector=finish)


def _duration(
    timeline: Timeline,
    n: int,
    moments: tuple[tuple[int, Fraction], ...],
    lasts: Fraction | None,
    next_lasts: Fraction | None,
) -> Fraction | None:
    """Return how long output frame n lasts where source durations are divided; ``None`` where they are unknown."""
    if lasts is None or next_lasts is None:
        return None
    source, time = moments[n % len(moments)]
    if n + 1 == timeline.length:
        rest = timeline.sources - 1 - (n // len(moments) * len(timeline.cycle) + source)
        return span(time, Fraction(1 + rest), lasts, next_lasts)
    next_source, next_time = moments[(n + 1) % len(moments)]
    ahead = (next_source - source) % len(timeline.cycle)
    if next_source == source and next_time <= time:
        ahead = len(timeline.cycle)
    return span(time, next_time + ahead, lasts, next_lasts)
