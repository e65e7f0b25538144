"""Frames between frames, by any network that makes them, on the time line that is asked for."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import vapoursynth as vs

from trt_build.backends import choose
from trt_build.backends.pool import SessionPool
from trt_build.profile import Profile
from trt_build.verify.verify import verify_session
from vs_interp.arguments import as_rate, check_share
from vs_interp.errors import ArgumentError
from vs_interp.films.caches import kept_shortly
from vs_interp.films.durations import carried_durations, check_durations, variable_durations
from vs_interp.registry import NETWORKS
from vs_interp.spec import NetworkSpec

from .layout import lay_out, or_source
from .models import load_model, speaking_as
from .planes import check_clip
from .routes import Route, enlarged, find_route, shrunk
from .scenes import check_threshold
from .serve import serve
from .timeline import HIGHEST_FACTOR, Timeline, as_factor, by_factor, by_rate, check_hold, moving

MEMORY = 256 << 20
"""Bytes that one window's pictures may take together; where they need more, they are made in several runs."""


def interpolate(
    clip: vs.VideoNode,
    network: str,
    *,
    factor: Any,
    fps: Any,
    model: Any,
    backend: Any,
    scene_threshold: float | None,
    hold: float | None,
    scale: float = 1,
) -> vs.VideoNode:
    """Interpolate with any network that makes frames between frames 0 and 1: see the filters of :mod:`.interpolate`."""
    with speaking_as(network.replace("-", "_")):
        check_threshold(scene_threshold)
        check_hold(hold)
        colour = check_clip(clip)
        small = shrunk(clip, colour, check_share("scale", scale, "0.5"))
        wanted = {"factor": factor} if network == "flavr" else {}
        file = load_model(clip, model, network, **wanted)
        _check_spec(file.spec, model, network)
        timeline, rate = _timeline(clip, _factor(file.spec, factor, fps), fps, hold)
        runtime = choose(backend)
        route = find_route(small, colour, runtime, file.spec)
        profile = Profile(width=small.width, height=small.height, planes=route.planes)
        pool = SessionPool(runtime.open(file, profile, verify_session))
        made = [
            or_source(enlarged(route.back(picture), clip, colour), clip, picture)
            for picture in _made(
                route, file.spec, pool, timeline=timeline, threshold=scene_threshold, timed=fps is None
            )
        ]
        return kept_shortly(lay_out(clip, made, timeline, rate, constant=fps is not None))


def _check_spec(spec: NetworkSpec, model: Any, network: str) -> None:
    """Raise :class:`ArgumentError` unless the network makes RGB frames between frames 0 and 1 and is no other."""
    if not spec.between or spec.output.scale != 1:
        raise ArgumentError(f"the model {model} is {spec.name}, which makes no frames between frames: choose another")
    if spec.name != network and spec.name in NETWORKS:
        raise ArgumentError(
            f"the model {model} is {spec.name}, not {network}: call {spec.name.replace('-', '_')}(), or name weights"
            f" of {network}"
        )
    window = spec.window
    if not {0, 1} <= set(window.offsets) or window.channels != 3:
        raise ArgumentError(
            f"the model {model} looks at the frames {window.offsets} in {window.channels} channels, where 0 and 1 in 3 "
            "are needed: choose another"
        )


def _factor(spec: NetworkSpec, factor: Any, fps: Any) -> Any:
    """Return the factor, which is the model's own where it makes frames at fixed times.

    Raises :class:`ArgumentError` for another one.
    """
    times = spec.output.times
    if times is None:
        return factor
    own = len(times) + 1
    if any(abs(time - (index + 1) / own) > 1e-6 for index, time in enumerate(times)):
        raise ArgumentError(f"the network {spec.name} makes frames at uneven times, {times}: choose another model")
    if fps is not None or (factor is not None and as_factor(factor) != own):
        asked = f"factor is {factor}" if fps is None else f"fps is {fps}"
        raise ArgumentError(
            f"{asked}, and the model makes {own - 1} frames in every gap: give factor={own}, or another model"
        )
    return own


def _timeline(clip: vs.VideoNode, factor: Any, fps: Any, hold: float | None) -> tuple[Timeline, Fraction]:
    """Return the time line and the output's nominal frame rate (0 where it varies)."""
    if factor is not None and fps is not None:
        raise ArgumentError(f"factor={factor} and fps={fps} are both given: give one of them")
    if fps is None:
        exact = as_factor(2 if factor is None else factor)
        check_durations(clip)
        carried = carried_durations(clip)
        return by_factor(len(clip), exact, moving(carried, hold) if carried and hold else None), clip.fps * exact
    wanted = as_rate(fps)
    durations = variable_durations(clip)
    source_rate = clip.fps if durations is None else len(durations) / sum(durations, Fraction(0))
    if wanted <= source_rate:
        raise ArgumentError(
            f"fps is {float(wanted):g}, and the clip already has {float(source_rate):g}: ask for more, or drop frames"
        )
    if wanted > HIGHEST_FACTOR * source_rate:
        raise ArgumentError(
            f"fps is {float(wanted):g}, more than {HIGHEST_FACTOR} times the {float(source_rate):g} of the clip: "
            "ask for less"
        )
    if durations is None:
        return by_factor(len(clip), wanted / clip.fps), wanted
    return by_rate(durations, wanted, moving(durations, hold) if hold else None), wanted


def _made(
    route: Route, spec: NetworkSpec, pool: SessionPool, *, timeline: Timeline, threshold: float | None, timed: bool
) -> list[vs.VideoNode]:
    """Return ``timeline.most_made`` clips: the first frame made in each window, the second, …

    Where the pictures of a window would take too much memory together, they are made in several runs.
    """
    served, most = route.served, timeline.most_made
    picture = served.width * served.height * served.format.bytes_per_sample * served.format.num_planes
    together = min(most, max(1, MEMORY // picture)) if spec.takes_time else most
    times = [[float(time) for time in times if time > 0] for times in timeline.cycle]
    made: list[vs.VideoNode] = []
    for first in range(0, most, together):
        last = min(first + together, most)
        parts = [times[first:last] for times in times]
        made += serve(route, spec, pool, times=parts, most=last - first, threshold=threshold, timed=timed)
    return made
