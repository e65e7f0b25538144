"""Nowcasts: the next pictures of a series, such as a satellite's, by a network or by the motion seen so far."""

from __future__ import annotations

import os
from itertools import product
from typing import Any, Literal

import numpy as np
import vapoursynth as vs

from trt_build.backends import Backend
from vs_interp.arguments import check_choice, check_whole, is_real
from vs_interp.errors import ArgumentError

from .flow import Flow, optical_flow, warp
from .labels import FULL
from .models import load_model, speaking_as
from .planes import check_clip
from .predict import PREDICTED, following
from .served import Served

core = vs.core

SEEN = 12
"""Pictures whose motion is extrapolated."""

LEAST = 2
SMALL, ENLARGED = 256, 2
"""Lines and columns below which pictures are enlarged, so many times, before motion is looked for."""


def nowcast(
    clip: vs.VideoNode,
    *,
    frames: int = 24,
    method: Literal["flow", "network", "mix"] = "flow",
    model: str | os.PathLike[str] | None = None,
    flow_model: str | os.PathLike[str] | None = None,
    blur: float = 0.0,
    backend: Backend | str | None = None,
) -> vs.VideoNode:
    """Return the clip, then ``frames`` pictures that follow.

    clip
        GRAY, the numbers in the full range (such as 10-bit counts in GRAY10), for a network; for ``"flow"`` as for
        :func:`super_slomo`.  Two pictures or more, twelve for a network.
    method
        ``"flow"``: the last picture moved on along the mean flow of the last twelve, in which newer ones weigh more.
        ``"network"``: a model of ``nowcast``.  ``"mix"``: the mean of both.
    model
        The network's model file.  Where it gives the middle of its pictures only (128×128 in, 64×64 out), it works in
        parts that lie side by side, the clip's sides must be multiples of 64 from 128 up, and the result lacks 32
        pixels at each side.
    flow_model
        What finds the flow, ``"raft-small"`` by default; see :func:`optical_flow`.
    blur
        σ in pixels of a Gaussian on the pictures made: scores of uncertain pictures rise with it, sharpness falls.

    Frames say by the property ``VsInterpPredicted`` whether they were made.  Flow moves things and neither makes them
    grow nor fade: past an hour of clouds, trust neither.
    """
    with speaking_as("nowcast"):
        check_choice("method", method, ("flow", "network", "mix"))
        check_whole("frames", frames, examples="24")
        if method == "flow" and model is not None:
            raise ArgumentError(f"model is {model}, and method='flow' has none: give flow_model, or another method")
        if method == "network" and flow_model is not None:
            raise ArgumentError(f"flow_model is {flow_model}, and method='network' finds no flow: leave it out")
        if not is_real(blur) or not 0 <= blur <= 6:
            raise ArgumentError(f"blur is {blur!r}: it must lie between 0 and 6 pixels")
        check_clip(clip)
        if len(clip) < LEAST:
            raise ArgumentError("the clip has one picture only, in which nothing moves: give two or more")
        known, made = clip, clip
        if method != "flow":
            known, made = _by_network(clip, frames, model, backend)
        if method != "network":
            moved = _by_flow(clip, frames, "raft-small" if flow_model is None else flow_model, backend)
            moved = _cropped(moved, (clip.width - known.width) // 2, (clip.height - known.height) // 2)
            made = core.std.Merge(made, moved) if method == "mix" else moved
        return core.std.SetFrameProps(known, **{PREDICTED: 0}) + following(_blurred(made, float(blur)), known[-1])


def _by_flow(clip: vs.VideoNode, frames: int, model: Any, backend: Any) -> vs.VideoNode:
    """Return the last picture moved on step by step."""
    window = _stretched(clip[-SEEN:])
    count = len(window) - 1
    times = ENLARGED if min(clip.width, clip.height) < SMALL else 1
    seen = core.resize.Bicubic(window, times * clip.width, times * clip.height) if times > 1 else window
    flow = optical_flow(seen, model=model, backend=backend, scene_threshold=None)
    weights = np.arange(1, count + 1) ** 2 / np.sum(np.arange(1, count + 1) ** 2)
    names = [chr(ord("a") + (23 + place) % 26) for place in range(count)]
    mean = " ".join(f"{name} {weight:.9f} *" for name, weight in zip(names, weights, strict=True)) + " +" * (count - 1)

    def along(field: vs.VideoNode) -> vs.VideoNode:
        whole = core.std.Expr([field[place] for place in range(count)], f"{mean} {times} /")
        whole = core.resize.Bilinear(whole, clip.width, clip.height) if times > 1 else whole
        return core.std.Splice([core.std.Expr(whole, f"x {-step} *") for step in range(1, frames + 1)])

    return warp(core.std.Loop(clip[-1], frames), Flow(along(flow.right), along(flow.down)))


def _stretched(window: vs.VideoNode) -> vs.VideoNode:
    """Return grey pictures at full contrast, all by the same: clouds fill little of the range, and flow needs edges."""
    if window.format.color_family != vs.GRAY:
        return window
    if window.format.id == vs.GRAYH:
        window = core.resize.Point(window, format=vs.GRAYS)
    stats = [dict(frame.props) for frame in core.std.PlaneStats(window).frames(close=True)]
    low, high = min(each["PlaneStatsMin"] for each in stats), max(each["PlaneStatsMax"] for each in stats)
    if low == high:
        return window
    top = 1 if window.format.sample_type == vs.FLOAT else (1 << window.format.bits_per_sample) - 1
    stretched = core.std.Levels(window, min_in=low, max_in=high, min_out=0, max_out=top)
    return core.std.SetFrameProps(stretched, _Range=vs.RANGE_FULL)


def _by_network(clip: vs.VideoNode, frames: int, model: Any, backend: Any) -> tuple[vs.VideoNode, vs.VideoNode]:
    """Return the clip, without what the network does not give, and the pictures that follow."""
    if model is None:
        raise ArgumentError("no weights of the network are known to vs-interp: give model=FILE.onnx, or method='flow'")
    file = load_model(clip, model, "nowcast")
    spec = file.spec
    if clip.format.color_family != vs.GRAY or spec.window.channels != 1:
        raise ArgumentError(f"the clip is {clip.format.name}, and {spec.name} looks at grey pictures: give a GRAY clip")
    if not spec.output.times or spec.output.times[0] < 1 or frames > spec.pictures:
        raise ArgumentError(f"frames is {frames}, and the model makes {spec.pictures} to come: ask for as many at most")
    window = clip[-len(spec.window.offsets) :]
    if spec.fixed is None or spec.output.crop is None:
        made = Served(window, FULL, file, backend, alone=True)(window, None)
        return clip, core.std.Splice([picture[-1] for picture in made[:frames]])
    (rows, columns), (top, left, height, width) = spec.fixed, spec.output.crop
    if min(clip.width - columns, clip.height - rows) < 0:
        raise ArgumentError(
            f"the clip is {clip.width}x{clip.height}, and {spec.name} works in parts of {columns}x{rows}: enlarge it"
        )
    whole = clip.width - (clip.width - columns) % width, clip.height - (clip.height - rows) % height
    if whole != (clip.width, clip.height):
        raise ArgumentError(
            f"the clip is {clip.width}x{clip.height}, and {spec.name} works in parts of {columns}x{rows}, {width} and "
            f"{height} pixels apart: crop it, to {whole[0]}x{whole[1]} say"
        )
    across, down = (clip.width - columns) // width + 1, (clip.height - rows) // height + 1
    served = Served(core.std.CropAbs(window, columns, rows), FULL, file, backend)
    tiles = [
        served(core.std.CropAbs(window, columns, rows, column * width, row * height), None)
        for row, column in product(range(down), range(across))
    ]
    pictures = []
    for number in range(frames):
        parts = [tile[number][-1] for tile in tiles]
        lines = [core.std.StackHorizontal(parts[row * across : (row + 1) * across]) for row in range(down)]
        pictures.append(core.std.StackVertical(lines))
    known = core.std.CropAbs(clip, across * width, down * height, left, top)
    return known, core.std.Splice(pictures)


def _cropped(clip: vs.VideoNode, across: int, down: int) -> vs.VideoNode:
    return core.std.Crop(clip, across, across, down, down) if across or down else clip


def _blurred(clip: vs.VideoNode, sigma: float) -> vs.VideoNode:
    """Return a clip under a Gaussian of σ pixels."""
    if not sigma:
        return clip
    radius = min(12, max(1, round(4 * sigma)))
    taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    weights = [round(float(tap), 3) for tap in 1000 * taps / taps.max()]
    for direction in ("h", "v"):
        clip = core.std.Convolution(clip, weights, mode=direction)
    return clip
