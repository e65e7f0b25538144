"""How much memory a network needs to run, estimated from its graph before anything is compiled."""

from __future__ import annotations

from math import prod

from trt_build.model_file import ModelFile
from trt_build.profile import Profile
from vs_interp.errors import BackendError
from vs_interp.host import free_memory
from vs_interp.log import logger

from .receptive_field import POINTWISE, receptive_radius
from .shapes import static_shapes

GIB = 2**30
FLOAT = 4
"""Bytes of a float32."""


def streams_that_fit(model: ModelFile, profile: Profile, wanted: int) -> int:
    """Return how many windows, at most ``wanted``, can be processed at once in the free memory.

    Logs a warning if these are fewer than wanted.  Raises :class:`BackendError` if not even one fits.
    """
    free = free_memory()
    if free is None:
        return wanted
    needed = working_memory(model, profile.width, profile.height)
    fitting = min(wanted, free // needed)
    if fitting < 1:
        raise BackendError(
            f"{model.spec.name} at {profile.width}x{profile.height} needs at least {needed / GIB:.1f} GiB, and "
            f"{free / GIB:.1f} GiB are free: use {_smaller(model)}, or end other programs"
        )
    if fitting < wanted:
        logger.warning("there is memory for %d of %d streams", fitting, wanted)
    return fitting


def _smaller(model: ModelFile) -> str:
    """Return advice on using less memory: an option of the network's filter, or else a smaller clip."""
    if model.spec.between:
        return "a smaller clip" if model.spec.takes_time else "a smaller size (scale=0.5)"
    return "a smaller clip" if receptive_radius(model) is None else "tiles (tile=512)"


def working_memory(model: ModelFile, width: int, height: int) -> int:
    """Return the peak memory of one run in FP32, in bytes, weights included.

    Assumes that nodes run in order, that a tensor is freed after the last node that reads it, and that a pointwise
    operator writes its output in place of an input that it is the last to read.  OpenVINO 2026.4 was measured at 0.9
    to 2.4 times this estimate.
    """
    nodes = model.graph.graph.node
    shapes = static_shapes(model, model.spec.padded(width), model.spec.padded(height))
    weights: int = sum(prod(value.dims) for value in model.graph.graph.initializer)
    last = {name: index for index, node in enumerate(nodes) for name in node.input}
    live = {name: prod(shapes[name]) for name in model.spec.inputs}
    most: int = 0
    for index, node in enumerate(nodes):
        dying = {name for name in node.input if name in live and last[name] == index}
        made = {name: prod(shapes[name]) for name in node.output if name in shapes}
        reused = max((live[name] for name in dying), default=0) if node.op_type in POINTWISE - {"Concat"} else 0
        most = max(most, sum(live.values()) + max(0, sum(made.values()) - reused))
        live.update(made)
        for name in dying:
            del live[name]
    return FLOAT * (most + weights)
