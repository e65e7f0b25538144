"""Try an engine on a GPU of this machine before it is trusted."""

from __future__ import annotations

from collections.abc import Mapping

from ..build import BuildOptions
from ..dynamic import input_shapes
from ..engine import Engine
from ..model_file import ModelFile
from ..profile import Profile
from ..runtimes import load
from ..verify import verify_session
from .device import Device
from .plans import Plans
from .slots import layout, open_slots


def verify_engine(
    engine: Engine, options: BuildOptions, model: ModelFile, profile: Profile, device: Device
) -> Mapping[str, float]:
    """Return the PSNR of each content in dB, at the profile's size; raises what :func:`verify_session` does."""
    shapes = input_shapes(model, profile) if options.dynamic else {}
    plans = Plans(load(options.runtime), engine.plans, shapes)
    (slot,) = open_slots(device, plans.executors, layout(model.spec, profile), 1)
    return verify_session(slot, model, profile)
