"""The name of the hardware, to go with the figures of benchmarks and evaluations."""

from __future__ import annotations

from trt_build.engines.targets import current_gpu
from vs_interp.host import cores, processor

from .base import Backend
from .tensorrt import EngineBackend


def machine(runtime: Backend) -> str:
    """Return the GPU's name if the backend uses one, otherwise the processor and how many cores may be used."""
    if isinstance(runtime, EngineBackend):
        return current_gpu(runtime.numbers[0]).name
    return f"{processor()}, {cores()} cores"
