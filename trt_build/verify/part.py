"""How much of a picture the FP32 graph is run on, so that verifying an engine does not run out of memory."""

from __future__ import annotations

from dataclasses import replace
from math import lcm

from trt_build.graphs.memory import working_memory
from trt_build.graphs.receptive_field import receptive_radius
from trt_build.model_file import ModelFile
from trt_build.profile import Profile
from vs_interp.host import free_memory

OVERHEAD = 2.4
"""The most memory that OpenVINO takes, as a multiple of :func:`trt_build.graphs.memory.working_memory`."""

CHROMA = 8
"""The most pixels to each side that resampling chroma reads."""

LEAST = 64
"""Pixels that a part must have in addition to the margin."""


def part_that_fits(model: ModelFile, profile: Profile) -> tuple[Profile, int] | None:
    """Return an upper left part of a profile's picture that the FP32 graph fits into memory for, and a margin.

    Within the margin, in pixels, from the part's right and lower edges the result depends on pixels outside the part.
    If the whole picture fits, it is returned with a margin of 0.  ``None`` if it does not fit and the network's
    receptive field is unlimited, or if no part is small enough.
    """
    free = free_memory()
    if free is None or _needed(model, profile) <= free:
        return profile, 0
    radius = receptive_radius(model)
    if radius is None:
        return None
    margin = radius + CHROMA
    step = lcm(model.spec.multiple_of, *profile.planes.steps)
    part = profile
    while _needed(model, part) > free:
        width, height = (max(size // 2 // step * step, margin + LEAST) for size in (part.width, part.height))
        width, height = (min(-(-size // step) * step, most) for size, most in
                         ((width, profile.width), (height, profile.height)))  # fmt: skip
        if (width, height) == (part.width, part.height):
            return None
        part = replace(part, width=width, height=height)
    return part, margin


def _needed(model: ModelFile, profile: Profile) -> float:
    return OVERHEAD * working_memory(model, profile.width, profile.height)
