"""Frame interpolation: a clip at a higher frame rate."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import vapoursynth as vs

from trt_build.backends import choose
from trt_build.backends.base import Backend, Session
from trt_build.model_file import ModelFile
from trt_build.profile import RGBS, Profile
from vs_interp.errors import ArgumentError, VsInterpError
from vs_interp.spec import NetworkSpec, Window
from vs_interp.weights import resolve

from .planes import check_clip, from_rgb, plane_format, to_rgb
from .scenes import DEFAULT_THRESHOLD, check_threshold
from .serve import REPEAT, Batch, Planes, deal, serve
from .timeline import Rate, Timeline, as_factor, as_rate, by_factor, by_rate, span

core = vs.core

TALLEST = 256 << 20
"""Bytes that the pictures of one window may take together; more times than fit are worked out in several parts."""


def super_slomo(
    clip: vs.VideoNode,
    *,
    factor: int | float | Fraction | None = None,
    fps: Rate | None = None,
    model: str | os.PathLike[str] | None = None,
    backend: Backend | str | None = None,
    scene_threshold: float | None = DEFAULT_THRESHOLD,
) -> vs.VideoNode:
    """Return the clip at a higher frame rate, its own frames passed on bit-exact, the others made by Super-SloMo.

    clip
        GRAY, RGB or YUV 4:2:0, 4:2:2, 4:4:4 in 8–16 bits, half or float; constant format, from 16×16 up, progressive.
    factor
        How many times the frame rate: above 1, such as 2, 2.5 or ``Fraction(5, 2)``; 2 where ``fps`` is not given
        either.  The output has floor(n · factor) frames, and every source duration is divided exactly.
    fps
        The wanted rate instead: 60, 59.94, ``Fraction(60000, 1001)`` or ``(60000, 1001)``.
    model
        A model file, or a name of ``vs-interp weights list``; by default the bundled weights.
    backend
        ``OpenVINO(…)``, ``TensorRT(…)``, a backend's name, or ``None`` for the best that works.
    scene_threshold
        Mean luma difference (of 1) that makes a cut where frames carry no ``_SceneChange…``; ``None``: no detector.

    At a cut the nearer source frame is repeated; after the last source frame its picture repeats.  Raises
    ``vs.Error`` that says what is wrong and what to do.
    """
    return interpolate(
        clip, "super-slomo", factor=factor, fps=fps, model=model, backend=backend, scene_threshold=scene_threshold
    )


def rife(
    clip: vs.VideoNode,
    *,
    factor: int | float | Fraction | None = None,
    fps: Rate | None = None,
    model: str | os.PathLike[str] | None = None,
    backend: Backend | str | None = None,
    scene_threshold: float | None = DEFAULT_THRESHOLD,
) -> vs.VideoNode:
    """Return the clip at a higher frame rate, made by RIFE 4.0; arguments and errors are those of :func:`super_slomo`.

    Its weights are not bundled: ``vs-interp weights get rife-4.0`` fetches them once.
    """
    return interpolate(
        clip, "rife", factor=factor, fps=fps, model=model, backend=backend, scene_threshold=scene_threshold
    )


def interpolate(
    clip: vs.VideoNode,
    network: str,
    *,
    factor: Any,
    fps: Any,
    model: Any,
    backend: Any,
    scene_threshold: float | None,
) -> vs.VideoNode:
    """Serve any network that takes a time: see :func:`super_slomo`."""
    try:
        check_threshold(scene_threshold)
        colour = check_clip(clip)
        timeline, rate = _timeline(clip, factor, fps)
        file = ModelFile.load(resolve(model, network=network))
        _check_spec(file.spec, model)
        runtime = choose(backend)
        planes = plane_format(clip, colour) if runtime.native_planes else RGBS
        sessions = runtime.open(file, Profile(width=clip.width, height=clip.height, planes=planes))
    except VsInterpError as error:
        raise vs.Error(f"{network.replace('-', '_')}: {error}") from error
    convert = (lambda made: made) if runtime.native_planes else functools.partial(from_rgb, like=clip, colour=colour)
    source = Planes(clip, clip if runtime.native_planes else to_rgb(clip, colour))
    made = _made(source, file.spec.window, sessions, timeline=timeline, threshold=scene_threshold, convert=convert)
    return _lay_out(clip, made, timeline, rate, constant=fps is not None)


def _check_spec(spec: NetworkSpec, model: Any) -> None:
    """Raise :class:`ArgumentError` unless the network makes RGB frames at any time between frames 0 and 1."""
    if not spec.takes_time or spec.output.kind != "frame" or spec.output.scale != 1:
        raise ArgumentError(f"the model {model} is {spec.name}, which makes no frames at any time: choose another")
    window = spec.window
    if not {0, 1} <= set(window.offsets) or window.channels != 3:
        raise ArgumentError(
            f"the model {model} looks at the frames {window.offsets} in {window.channels} channels, where 0 and 1 in 3 "
            "are needed: choose another"
        )


def _timeline(clip: vs.VideoNode, factor: Any, fps: Any) -> tuple[Timeline, Fraction]:
    """Return the time line and the output's nominal frame rate (0 where it varies)."""
    if factor is not None and fps is not None:
        raise ArgumentError(f"factor={factor} and fps={fps} are both given: give one of them")
    if fps is None:
        exact = as_factor(2 if factor is None else factor)
        return by_factor(len(clip), exact), clip.fps * exact
    wanted = as_rate(fps)
    durations = variable_durations(clip)
    source_rate = clip.fps if durations is None else len(durations) / sum(durations, Fraction(0))
    if wanted <= source_rate:
        raise ArgumentError(
            f"fps is {float(wanted):g}, and the clip already has {float(source_rate):g}: ask for more, or drop frames"
        )
    if durations is None:
        return by_factor(len(clip), as_factor(wanted / clip.fps)), wanted
    as_factor(wanted / source_rate)
    return by_rate(durations, wanted), wanted


def variable_durations(clip: vs.VideoNode) -> list[Fraction] | None:
    """Return the seconds that each frame lasts, or ``None`` where the frame rate is constant.

    Looks at the first hundred frames; only where these stray from the clip's rate by more than containers round
    (1 ms and a half) all frames are read.  Raises :class:`ArgumentError` for a frame without a duration.
    """
    if clip.fps and all(abs(seconds - 1 / clip.fps) <= Fraction(3, 2000) for seconds in _durations(clip[:100])):
        return None
    return _durations(clip)


def _durations(clip: vs.VideoNode) -> list[Fraction]:
    found = []
    for number, frame in enumerate(clip.frames(close=True)):
        seconds = _lasts(frame, clip.fps)
        if seconds is None:
            raise ArgumentError(
                f"frame {number} has no duration and the clip no rate: use factor=, or std.AssumeFPS first"
            )
        found.append(seconds)
    return found


def _lasts(frame: vs.VideoFrame, rate: Fraction) -> Fraction | None:
    """Return a frame's duration in seconds; where it has none (BestSource's very last) that of the clip's rate."""
    numerator, denominator = frame.props.get("_DurationNum", 0), frame.props.get("_DurationDen", 0)
    if numerator > 0 and denominator > 0:
        return Fraction(numerator, denominator)
    return 1 / rate if rate else None


def _made(
    source: Planes,
    window: Window,
    sessions: Sequence[Session],
    *,
    timeline: Timeline,
    threshold: float | None,
    convert: Callable[[vs.VideoNode], vs.VideoNode],
) -> list[vs.VideoNode]:
    """Return ``timeline.most_made`` clips: the first frame made in each window, the second, …"""
    served, most = source.served, timeline.most_made
    picture = served.width * served.height * served.format.bytes_per_sample * served.format.num_planes
    pictures = min(most, max(1, TALLEST // picture))
    batch = Batch(pictures, -(-most // pictures))

    def times_of(number: int) -> list[float]:
        return [float(time) for time in timeline.times(number) if time > 0]

    tall = serve(source, window, sessions, times_of=times_of, batch=batch, threshold=threshold)
    made = []
    for index in range(most):
        part, place = divmod(index, pictures)
        below = (pictures - 1 - place) * served.height
        made.append(convert(deal(tall, batch.parts, part).std.Crop(top=place * served.height, bottom=below)))
    return made


def _lay_out(
    clip: vs.VideoNode, made: list[vs.VideoNode], timeline: Timeline, rate: Fraction, constant: bool
) -> vs.VideoNode:
    """Put source frames and made frames on the time line, with properties of the source and exact durations."""
    stride, offsets = len(made) + 1, timeline.offsets()
    following = clip[1:] + clip[-1] if len(clip) > 1 else clip

    def lay(row: list[vs.VideoNode]) -> vs.VideoNode:
        woven = core.std.Interleave(row, modify_duration=False)
        picked = core.std.SelectEvery(woven, len(timeline.cycle) * stride, offsets, modify_duration=False)
        return picked[: timeline.length]

    rows = [lay([clip, *made]), lay([clip] * stride), lay([following] * stride)]
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
            duration = _duration(timeline, n, moments, _lasts(here, clip.fps), _lasts(after, clip.fps))
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
