"""Optical flow: where every pixel of a frame goes, as two clips; a picture of it; and frames sampled along it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import vapoursynth as vs
from numpy.typing import NDArray

from trt_build.backends import Backend
from trt_build.graphs.flow import flow_alone
from trt_build.model_file import ModelFile
from vs_interp.arguments import check_share, check_whole, is_real
from vs_interp.errors import ArgumentError
from vs_interp.flow_fields import coloured, sampled
from vs_interp.weights.catalogue import resolve

from .models import check_window, speaking_as
from .planes import check_clip
from .routes import shrunk
from .scenes import DEFAULT_THRESHOLD, check_threshold
from .served import Served

core = vs.core

LARGEST = 1024 * 576
"""Pixels up to which flow is worked out at the clip's own size: RAFT's correlations take memory by their square."""


class Flow(NamedTuple):
    """By how many pixels of the clip each pixel of a frame lies further right and further down in the next: GRAYS."""

    right: vs.VideoNode
    down: vs.VideoNode


def optical_flow(
    clip: vs.VideoNode,
    *,
    model: str | os.PathLike[str] = "raft-small",
    updates: int | None = None,
    scale: float | None = None,
    backend: Backend | str | None = None,
    scene_threshold: float | None = DEFAULT_THRESHOLD,
) -> Flow:
    """Return the flow from each frame to the next: two clips of signed floats, in pixels of the clip.

    clip
        As for :func:`super_slomo`, of any size: small pictures are padded.
    model
        ``"raft-small"``, ``"raft-sintel"`` (large, and 9 times the work) or ``"raft-kitti"`` (traffic) of ``vs-interp
        weights get``; ``"super-slomo-small"``, which is bundled, coarse and quick; ``"rife-4.25"``, whose flow is made
        to fetch pixels by, and not to be true; or a model file of any of these networks.
    updates
        How often RAFT refines its flow: 12 by default, at most what the model file has (20 in those of the catalogue).
    scale
        Of the size that flow is worked out at, such as 0.5; lengths are of the clip all the same.  By default 1, and
        halves of it above 1024×576 pixels, where memory asks for it (1080p whole: 5.7 GB for RAFT).
    backend, scene_threshold
        As for :func:`super_slomo`.

    Pixel (x, y) of frame n is found at (x + right, y + down) in frame n + 1.  Before a cut, before a frame that is the
    same, and in the last frame nothing moves: 0.
    """
    with speaking_as("optical_flow"):
        check_threshold(scene_threshold)
        colour = check_clip(clip)
        small = shrunk(clip, colour, _scale(clip, scale))
        file = _flow_model(clip, model, updates)
        found = Served(small, colour, file, backend)(small, scene_threshold)
        return Flow(
            *(
                core.std.CopyFrameProps(_enlarged(field, clip, along), clip, props=["_DurationNum", "_DurationDen"])
                for along, field in zip((clip.width / small.width, clip.height / small.height), found, strict=True)
            )
        )


def _scale(clip: vs.VideoNode, scale: float | None) -> float:
    """Return the scale that was asked for, or the default."""
    if scale is None:
        scale = 1.0
        while clip.width * clip.height * scale**2 > LARGEST:
            scale /= 2
    return check_share("scale", scale, "0.5")


def _flow_model(clip: vs.VideoNode, model: Any, updates: int | None) -> ModelFile:
    """Return a model that makes flow, cut to the updates asked for."""
    file = ModelFile.load(resolve(model, network="raft"))
    if file.spec.between:
        file = flow_alone(file)
    check_window(clip, file.spec, model, kinds=("flow",))
    if file.spec.window.offsets != (0, 1):
        raise ArgumentError(
            f"the model {model} finds flow between the frames {file.spec.window.offsets}: choose another"
        )
    if updates is not None:
        return file.with_updates(check_whole("updates", updates, examples="12"))
    return file.with_updates(min(12, file.spec.updates)) if file.spec.updates else file


def _enlarged(field: vs.VideoNode, clip: vs.VideoNode, along: float) -> vs.VideoNode:
    """Return one component of a flow at the size of the clip, its lengths with it."""
    if (field.width, field.height) != (clip.width, clip.height):
        field = core.resize.Bilinear(field, clip.width, clip.height)
    return field if along == 1 else core.std.Expr(field, f"x {along} *")


def flow_picture(flow: Flow, *, largest: float | None = None) -> vs.VideoNode:
    """Return flow as colours (RGB24): the hue is the direction, the saturation how far; white does not move.

    ``largest`` is how many pixels have the full colour; by default the longest of each frame.  The wheel is that of
    Baker et al. 2011, "A Database and Evaluation Methodology for Optical Flow".
    """
    with speaking_as("flow_picture"):
        right, down = _checked(flow)
        if largest is not None and not (is_real(largest) and largest > 0):
            raise ArgumentError(f"largest is {largest!r}: it must be a number of pixels above 0")
    blank = core.std.BlankClip(right, format=vs.RGB24, keep=True)

    def paint(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:
        picture = f[0].copy()
        colours = coloured(np.asarray(f[1][0]), np.asarray(f[2][0]), None if largest is None else float(largest))
        for plane in range(3):
            np.copyto(np.asarray(picture[plane]), colours[..., plane])
        return picture

    return core.std.ModifyFrame(blank, [blank, right, down], paint)


def warp(clip: vs.VideoNode, flow: Flow) -> vs.VideoNode:
    """Return each frame sampled where a flow points: pixel (x, y) is what lies at (x + right, y + down), bilinear.

    ``warp(clip[1:] + clip[-1], optical_flow(clip))`` is each frame made of the next one: what differs from the frame
    itself is noise, or hidden.  Beyond the edges the last pixels repeat.  The flow has the size and length of the clip.
    """
    with speaking_as("warp"):
        check_clip(clip)
        right, down = _checked(flow)
        if (clip.width, clip.height, len(clip)) != (right.width, right.height, len(right)):
            raise ArgumentError(
                f"the clip has {len(clip)} frames of {clip.width}x{clip.height}, and the flow {len(right)} of "
                f"{right.width}x{right.height}: make both alike"
            )
    steps = 1 << clip.format.subsampling_w, 1 << clip.format.subsampling_h
    chroma = right, down
    if steps != (1, 1):
        size = clip.width // steps[0], clip.height // steps[1]
        chroma = tuple(
            core.std.Expr(core.resize.Bilinear(field, *size), f"x {step} /")
            for field, step in zip((right, down), steps, strict=True)
        )
    return core.std.ModifyFrame(clip, [clip, right, down, *chroma], _warper())


def _warper() -> Callable[[int, list[vs.VideoFrame]], vs.VideoFrame]:
    def sample(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:
        frame, fields = f[0], [np.asarray(field[0]) for field in f[1:]]
        made = frame.copy()
        for plane in range(frame.format.num_planes):
            across, along = fields[2:] if plane else fields[:2]
            source: NDArray[Any] = np.asarray(frame[plane])
            np.copyto(np.asarray(made[plane]), sampled(source, across, along))
        return made

    return sample


def _checked(flow: Any) -> Flow:
    """Return a flow.  Raises :class:`ArgumentError` for what is none."""
    if not isinstance(flow, tuple) or len(flow) != 2 or not all(isinstance(each, vs.VideoNode) for each in flow):
        raise ArgumentError(f"the flow is {type(flow).__name__}: give what optical_flow returns, two clips")
    first, second = flow
    alike = (first.width, first.height, len(first)) == (second.width, second.height, len(second))
    if any(each.format is None or each.format.id != vs.GRAYS for each in flow) or not alike:
        raise ArgumentError(
            "the flow's clips are not both GRAYS of one size and length: give what optical_flow returns"
        )
    return Flow(first, second)
