"""How much of a picture the FP32 graph is worked out for, so that trying an engine never ends the machine's memory."""

from __future__ import annotations

from dataclasses import replace
from math import lcm

from trt_build.graphs.memory import working_memory
from trt_build.graphs.receptive_field import receptive_radius
from trt_build.model_file import ModelFile
from trt_build.profile import Profile
from vs_interp.host import free_memory

OVERHEAD = 2.4
"""What OpenVINO takes at most, as a multiple of the estimate: see :func:`trt_build.graphs.memory.working_memory`."""

CHROMA = 8
"""Pixels that resampling chroma looks at to each side, at most."""

LEAST = 64
"""Pixels beyond the margin that a part must have."""


def part_that_fits(model: ModelFile, profile: Profile) -> tuple[Profile, int] | None:
    """Return the upper left part of a profile's picture that there is memory for, and a margin.

    Nearer than the margin to the part's right and lower edges the network sees what the part lacks; the whole picture
    has none.  ``None`` where the whole does not fit, and the network looks at all of it.
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
