"""Try an engine on a GPU of this machine before it is trusted."""

from __future__ import annotations

from collections.abc import Mapping

from ..engine import Engine
from ..model_file import ModelFile
from ..profile import Profile
from ..runtimes import Runtime, load
from ..verify import verify_session
from .cuda import CudaDevice
from .plans import Plans
from .slots import open_slots
from .tensorrt import layout


def verify_engine(
    engine: Engine, runtime: Runtime, model: ModelFile, profile: Profile, device: int = 0
) -> Mapping[str, float]:
    """Return the PSNR of each content in dB; see :func:`~trt_build.verify.verify_session` for what it raises."""
    plans = Plans(load(runtime), engine.plans)
    (slot,) = open_slots(CudaDevice(device), plans.executors, layout(model.spec, profile), 1)
    return verify_session(slot, model, profile)
