"""Scene cuts and repeated frames: between which frames nothing is to be made."""

from __future__ import annotations

from itertools import pairwise
from math import gcd

import numpy as np
import vapoursynth as vs

from vs_interp.arguments import check_share

from .windows import shift

DEFAULT_THRESHOLD = 0.1
"""A mean absolute difference of luma (range 1) of this or more between two frames counts as a cut."""

MARKS = ("_SceneChangeNext", "_SceneChangePrev")
"""Properties that scene detectors set on the last frame of a scene and on the first of the next."""

GRID = 64, 256
"""The detector looks at about so many lines, and so many samples of each: what costs time is to fetch the lines."""

COARSE_GRID = 20, 22
"""Where the detector looks first.  For up to 500 samples NumPy keeps the interpreter's lock; wherever it gives it away,
another of VapourSynth's threads takes it, and to get it back costs more than the work."""

CLEAR = 2
"""A coarse look is enough where it differs from the threshold by this factor."""

FIRST_LINES, FIRST_SAMPLES = 128, 160
"""Two frames that differ mostly do so in every 128th line, and most of these in every 160th sample of such lines: of
these even a 2160p picture has fewer than 500."""


def check_threshold(threshold: float | None) -> None:
    """Raise :class:`ArgumentError` unless the threshold lies in (0, 1] or is ``None`` (detector off)."""
    if threshold is not None:
        check_share("scene_threshold", threshold, "0.1, or be None to switch it off")


def is_cut(first: vs.VideoFrame, second: vs.VideoFrame, threshold: float | None) -> bool:
    """Return whether a cut lies between two frames that follow each other in the clip.

    Marks set by a scene detector decide; without them the mean difference does, if a threshold is given.
    """
    marks = first.props.get(MARKS[0]), second.props.get(MARKS[1])
    if marks != (None, None):
        return any(marks)
    return threshold is not None and _differ(first, second, threshold)


def with_cuts_of(clip: vs.VideoNode, other: vs.VideoNode, threshold: float | None) -> vs.VideoNode:
    """Return ``other``, of as many frames, with marks of a scene detector where ``clip`` has its cuts."""

    def mark(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:
        frame = f[0].copy()
        for name, (first, second) in zip(MARKS, pairwise(reversed(f[1:])), strict=True):
            frame.props[name] = int(is_cut(second, first, threshold))
        return frame

    return other.std.ModifyFrame([other, shift(clip, -1), clip, shift(clip, 1)], mark)


def _differ(first: vs.VideoFrame, second: vs.VideoFrame, threshold: float) -> bool:
    """Return whether the difference of two frames reaches the threshold; most often a coarse look tells."""
    found = difference(first, second, COARSE_GRID)
    if threshold / CLEAR <= found < threshold * CLEAR:
        found = difference(first, second)
    return found >= threshold


def difference(first: vs.VideoFrame, second: vs.VideoFrame, grid: tuple[int, int] = GRID) -> float:
    """Return the mean absolute difference of luma (RGB: green) of two frames, of a range of 1, on a grid of samples.

    ``grid`` is about the number of lines, and of samples in each.
    """
    form = first.format
    plane = 1 if form.color_family == vs.RGB else 0
    rows, columns = apart(first.height, grid[0]), apart(first.width, grid[1])
    samples = [np.asarray(frame[plane])[::rows, ::columns].astype(np.float32) for frame in (first, second)]
    if form.sample_type == vs.FLOAT:
        samples = [sample.clip(0, 1) for sample in samples]
    top = 1 if form.sample_type == vs.FLOAT else 2**form.bits_per_sample - 1
    return float(np.abs(samples[0] - samples[1]).mean()) / top


def apart(length: int, count: int) -> int:
    """Return how far apart to take about ``count`` samples of a line or column.

    No multiple of 2 or 3: these would see one field of an interlaced flash alone, or the same line of every thin
    pattern.
    """
    step = max(1, length // count)
    while gcd(step, 6) > 1:
        step += 1
    return step


def is_repeat(first: vs.VideoFrame, second: vs.VideoFrame) -> bool:
    """Return whether two frames are equal, bit for bit."""
    planes = [(np.asarray(first[plane]), np.asarray(second[plane])) for plane in range(first.format.num_planes)]
    lines = [(a[::FIRST_LINES], b[::FIRST_LINES]) for a, b in planes]
    few = [(a[:, ::FIRST_SAMPLES], b[:, ::FIRST_SAMPLES]) for a, b in lines]
    return all(np.array_equal(a, b) for a, b in (*few, *lines, *planes))
