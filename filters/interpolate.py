"""Frame interpolation: a clip at a higher frame rate."""

from __future__ import annotations

import os
from fractions import Fraction

import vapoursynth as vs

from trt_build.backends import Backend
from vs_interp.arguments import Rate

from .between import interpolate
from .scenes import DEFAULT_THRESHOLD
from .timeline import HOLD


def super_slomo(
    clip: vs.VideoNode,
    *,
    factor: int | float | Fraction | None = None,
    fps: Rate | None = None,
    model: str | os.PathLike[str] | None = None,
    backend: Backend | str | None = None,
    scene_threshold: float | None = DEFAULT_THRESHOLD,
    hold: float | None = HOLD,
) -> vs.VideoNode:
    """Return the clip at a higher frame rate, its own frames passed on bit-exact, the others made by Super-SloMo.

    clip
        GRAY, RGB or YUV 4:2:0, 4:2:2, 4:4:4 in 8–16 bits, half or float; constant format, from 16×16 up, progressive.
    factor
        How many times the frame rate: above 1, such as 2, 2.5 or ``Fraction(5, 2)``; 2 where ``fps`` is not given
        either.  The output has floor(n · factor) frames, and every source duration is divided exactly.
    fps
        The output rate instead: 60, 59.94, ``Fraction(60000, 1001)`` or ``(60000, 1001)``.
    model
        A model file, or a name of ``vs-interp weights list``; by default the bundled weights.
    backend
        ``OpenVINO(…)``, ``TensorRT(…)``, ``OnnxRuntime(…)``, a backend's name, or ``None`` for the best that works.
    scene_threshold
        A mean luma difference (range 1) of this or more is a cut, where frames carry no ``_SceneChange…`` marks;
        ``None`` switches the detector off.
    hold
        At a variable rate, a frame that lasts more than this many times the usual duration around it is held still and
        moves on to the next only in its last usual interval; ``None`` keeps everything moving.  With ``factor``,
        durations must be known beforehand, as in a clip from :func:`~vs_interp.films.source.open_film`.

    At a cut the nearer source frame is repeated, and so is the last frame at the end.  Raises ``vs.Error`` with one
    line that says what is wrong and what to do.
    """
    return interpolate(
        clip,
        "super-slomo",
        factor=factor,
        fps=fps,
        model=model,
        backend=backend,
        scene_threshold=scene_threshold,
        hold=hold,
    )


def rife(
    clip: vs.VideoNode,
    *,
    factor: int | float | Fraction | None = None,
    fps: Rate | None = None,
    model: str | os.PathLike[str] | None = None,
    backend: Backend | str | None = None,
    scene_threshold: float | None = DEFAULT_THRESHOLD,
    hold: float | None = HOLD,
) -> vs.VideoNode:
    """Return the clip at a higher frame rate, made by RIFE; arguments and errors are those of :func:`super_slomo`.

    The default is RIFE 4.25; ``model="rife-4.6"`` and so on choose another (see ``vs-interp weights list``), and
    ``"rife-4.25-half"`` is for motion of hundreds of pixels, as in fast 2160p film.  The weights are not bundled:
    ``vs-interp weights get rife-4.25`` fetches them once.
    """
    return interpolate(
        clip,
        "rife",
        factor=factor,
        fps=fps,
        model=model,
        backend=backend,
        scene_threshold=scene_threshold,
        hold=hold,
    )


def flavr(
    clip: vs.VideoNode,
    *,
    factor: int | None = None,
    model: str | os.PathLike[str] | None = None,
    backend: Backend | str | None = None,
    scene_threshold: float | None = DEFAULT_THRESHOLD,
    hold: float | None = HOLD,
    scale: float = 1,
) -> vs.VideoNode:
    """Return the clip at 2, 4 or 8 times its frame rate, made by FLAVR.

    factor
        The factor that the model was trained for.  Without ``model`` it chooses the weights (2 by default); with
        ``model`` it can be left out.
    scale
        ``0.5`` makes frames at half the size and enlarges them again, where memory does not suffice for whole frames
        (FLAVR cannot work in tiles).  Made frames are then softer than the source's.

    Each frame is made from the four around it.  The clip, of four frames or more, is mirrored at its ends, and a frame
    beyond a cut is replaced by its neighbour on this side of it.  All else is as in :func:`super_slomo`.  Small weights
    for 2 and 4 are bundled; ``vs-interp weights list`` says how to get the published ones.
    """
    return interpolate(
        clip,
        "flavr",
        factor=factor,
        fps=None,
        model=model,
        backend=backend,
        scene_threshold=scene_threshold,
        hold=hold,
        scale=scale,
    )
