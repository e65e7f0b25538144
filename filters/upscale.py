"""Upscaling: a clip at two, three or four times its size."""

from __future__ import annotations

import os
from collections.abc import Sequence

import vapoursynth as vs

from trt_build.backends import Backend, Session, choose
from trt_build.backends.pool import SessionPool
from trt_build.model_file import ModelFile
from trt_build.profile import Profile
from trt_build.verify.verify import verify_session
from vs_interp.arguments import check_whole
from vs_interp.errors import ArgumentError
from vs_interp.films.caches import kept_shortly
from vs_interp.spec import NetworkSpec

from .models import load_model, speaking_as
from .planes import check_clip
from .routes import Route, find_route
from .scenes import DEFAULT_THRESHOLD, check_threshold
from .serve import serve
from .tiles import TiledSession, tiling

core = vs.core


def upscale(
    clip: vs.VideoNode,
    *,
    scale: int = 2,
    model: str | os.PathLike[str] | None = None,
    tile: int | None = None,
    overlap: int | None = None,
    backend: Backend | str | None = None,
    scene_threshold: float | None = DEFAULT_THRESHOLD,
) -> vs.VideoNode:
    """Return the clip ``scale`` times as wide and as high; format, colours, durations and properties stay.

    clip
        GRAY, RGB or YUV 4:2:0, 4:2:2, 4:4:4 in 8–16 bits, half or float; constant format, from 16×16 up, progressive.
    scale
        How many times as wide and high: 2, 3 or 4 with the bundled weights.
    model
        A model file, a name of ``vs-interp weights list``, or a network's name for its usual weights; by default the
        bundled FSRCNN.  Networks of luma alone (FSRCNN) leave chroma to ``resize.Bicubic``.  Networks that look at
        neighbouring frames (``fsrcnn+five-parallel``) never look beyond a cut.
    tile
        Work on tiles of at most this many pixels a side instead of whole frames, so that memory does not grow with
        the clip's size.
    overlap
        Pixels by which tiles overlap on each side; by default as far as the network looks, which leaves no seams.
    backend
        ``OpenVINO(…)``, ``TensorRT(…)``, ``OnnxRuntime(…)``, a backend's name, or ``None`` for the best that works.
    scene_threshold
        A mean luma difference (range 1) of this or more is a cut, where frames carry no ``_SceneChange…`` marks;
        ``None`` switches the detector off.

    Raises ``vs.Error`` with one line that says what is wrong and what to do.
    """
    with speaking_as("upscale"):
        check_threshold(scene_threshold)
        check_whole("scale", scale, examples="2, 3 or 4")
        if tile is not None:
            check_whole("tile", tile, examples="512")
        if overlap is not None:
            check_whole("overlap", overlap, least=0, examples="16")
        colour = check_clip(clip)
        file = load_model(clip, model, "fsrcnn", scale=scale)
        _check_spec(file.spec, scale)
        runtime = choose(backend)
        route = find_route(clip, colour, runtime, file.spec)
        pool = SessionPool(_sessions(file, route, runtime, tile, overlap))
        (made,) = serve(route, file.spec, pool, times=[[0.0]], most=1, threshold=scene_threshold)
        return kept_shortly(core.std.CopyFrameProps(route.back(made), clip))


def _check_spec(spec: NetworkSpec, scale: int) -> None:
    """Raise :class:`ArgumentError` unless the network enlarges frame 0 itself by ``scale``."""
    if spec.output.times != (0.0,):
        raise ArgumentError(f"the network {spec.name} makes frames between frames: choose one that enlarges them")
    if spec.output.scale != scale:
        raise ArgumentError(
            f"scale is {scale}, and the model enlarges by {spec.output.scale}: give scale={spec.output.scale}, "
            "or another model"
        )


def _sessions(
    file: ModelFile, route: Route, runtime: Backend, tile: int | None, overlap: int | None
) -> Sequence[Session]:
    """Open the model for whole frames, or for tiles."""
    whole = Profile(width=route.served.width, height=route.served.height, planes=route.planes)
    if tile is None:
        if overlap is not None:
            raise ArgumentError(f"overlap is {overlap}, and there are no tiles: give tile= too")
        return runtime.open(file, whole, verify_session)
    tiles = tiling(file, whole, tile, overlap)
    tiled = Profile(width=tiles.width, height=tiles.height, planes=route.planes)
    sessions = runtime.open(file, tiled, verify_session)
    return [TiledSession(session, tiles, route.planes, file.spec) for session in sessions]
