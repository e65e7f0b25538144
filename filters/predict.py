"""Frames to come: a clip made longer than it is, or each of its frames as it was foreseen."""

from __future__ import annotations

import os
from typing import Literal

import vapoursynth as vs

from trt_build.backends import Backend
from vs_interp.arguments import check_choice, check_whole
from vs_interp.errors import ArgumentError
from vs_interp.spec import NetworkSpec

from .labels import FULL, as_labels, check_labels
from .models import load_model, speaking_as
from .planes import check_clip
from .scenes import DEFAULT_THRESHOLD, check_threshold
from .served import Served

core = vs.core

PREDICTED = "VsInterpPredicted"
"""Property of every frame: 1 where a network made it of frames before it, 0 where it is the clip's own."""


def predict(
    clip: vs.VideoNode,
    *,
    model: str | os.PathLike[str],
    frames: int | None = None,
    mode: Literal["extend", "aligned"] = "extend",
    horizon: int | None = None,
    backend: Backend | str | None = None,
    scene_threshold: float | None = DEFAULT_THRESHOLD,
) -> vs.VideoNode:
    """Return the clip with frames that a network foresees from those before them (SimVP).

    clip
        As for :func:`super_slomo`; grey for a model of grey pictures; GRAY8 labels, as :func:`masks` gives them, for a
        model of labels.
    model
        A model file that makes frames to come, of the frames up to one.
    frames
        How many frames ``"extend"`` adds; by default as many as the model makes at once.  More are made in blocks, each
        from the one before it, and what is wrong grows from block to block.
    mode
        ``"extend"``: the clip, then frames that follow its last.  ``"aligned"``: as many frames as the clip has, each
        as it was foreseen ``horizon`` frames before it: to be compared with the clip, or put where it is damaged.
    horizon
        See ``mode``, for ``"aligned"`` alone: 1, the default, for the next frame, at most what the model makes at once.
    backend, scene_threshold
        As for :func:`super_slomo`; a window never reaches across a cut.

    Every frame says by its property ``VsInterpPredicted`` whether it was made; with ``"aligned"`` the first ones, which
    have no whole window before them, are the clip's own.
    """
    with speaking_as("predict"):
        check_threshold(scene_threshold)
        check_choice("mode", mode, ("extend", "aligned"))
        if mode == "aligned" and frames is not None:
            raise ArgumentError(f"frames is {frames}, and mode='aligned' gives as many as the clip has: leave it out")
        if mode == "extend" and horizon is not None:
            raise ArgumentError(f"horizon is {horizon}, which is for mode='aligned': leave it out, or give that mode")
        colour = check_clip(clip)
        file = load_model(clip, model, "simvp", kinds=("frame", "labels"))
        spec = file.spec
        _check_spec(spec, model)
        if spec.window.labels:
            check_labels(clip)
            colour, scene_threshold = FULL, None
        elif spec.window.channels == 1 and clip.format.color_family != vs.GRAY:
            raise ArgumentError(
                f"the clip is {clip.format.name}, and the model {model} foresees grey pictures: give a GRAY clip, such "
                "as the luma of YUV, std.ShufflePlanes(clip, 0, vs.GRAY)"
            )
        ahead = 1 if horizon is None else check_whole("horizon", horizon, most=spec.pictures)
        count = spec.pictures if frames is None else check_whole("frames", frames, examples="11")
        served = Served(clip, colour, file, backend, alone=mode == "extend")

        def made(window: vs.VideoNode) -> list[vs.VideoNode]:
            pictures = served(window, scene_threshold)
            return [as_labels(picture) for picture in pictures] if spec.window.labels else pictures

        seen = len(spec.window.offsets)
        if mode == "aligned":
            return _aligned(clip, made(clip)[ahead - 1], seen, ahead)
        longer = _marked(clip, 0)
        while len(longer) < len(clip) + count:
            block = [picture[-1] for picture in made(longer[-seen:])]
            longer += following(core.std.Splice(block), clip[-1])
        return longer[: len(clip) + count]


def _aligned(clip: vs.VideoNode, foreseen: vs.VideoNode, seen: int, horizon: int) -> vs.VideoNode:
    """Return the clip's first frames, then those foreseen so long before."""
    own = seen - 1 + horizon
    if own >= len(clip):
        return _marked(clip, 0)
    made = core.std.CopyFrameProps(foreseen[seen - 1 : len(clip) - horizon], clip[own:])
    return _marked(clip[:own], 0) + _marked(made, 1)


def following(made: vs.VideoNode, last: vs.VideoNode) -> vs.VideoNode:
    """Return frames to come, with the properties of the last frame before them but for its time."""
    named = core.std.CopyFrameProps(made, core.std.Loop(last, len(made)))
    return _marked(core.std.RemoveFrameProps(named, "_AbsoluteTime"), 1)


def _marked(clip: vs.VideoNode, made: int) -> vs.VideoNode:
    return core.std.SetFrameProps(clip, **{PREDICTED: made})


def _check_spec(spec: NetworkSpec, model: object) -> None:
    """Raise :class:`ArgumentError` unless a network makes the next frames of the same size, one after the other."""
    times, wanted = spec.output.times or (), tuple(float(time) for time in range(1, spec.pictures + 1))
    if spec.window.offsets[-1] != 0 or times != wanted:
        raise ArgumentError(f"the model {model} is {spec.name}, which makes no frames to come: choose another")
    if spec.output.scale != 1 or spec.output.crop is not None:
        raise ArgumentError(f"the model {model} is {spec.name}, whose frames have another size: use nowcast")
