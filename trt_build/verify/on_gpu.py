"""Verify an engine on a GPU of this machine."""

from __future__ import annotations

from collections.abc import Mapping

from trt_build.backends.device import Device
from trt_build.backends.slots import bindings
from trt_build.backends.streams import open_slots
from trt_build.backends.tensorrt import load_engine
from trt_build.engines.build import BuildOptions
from trt_build.engines.engine import Engine
from trt_build.model_file import ModelFile
from trt_build.profile import Profile

from .verify import verify_session


def verify_engine(
    engine: Engine, options: BuildOptions, model: ModelFile, profile: Profile, device: Device
) -> Mapping[str, float]:
    """Return content → PSNR in dB at the profile's size; raises what :func:`verify_session` does."""
    loaded = load_engine(engine, options, model, profile, device=device)
    (slot,) = open_slots(device, loaded.executors, bindings(model.spec, profile), 1)
    return verify_session(slot, model, profile)
