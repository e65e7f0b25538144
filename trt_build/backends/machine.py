"""What the figures of a benchmark or an evaluation were made on."""

from __future__ import annotations

from trt_build.engines.targets import current_gpu
from vs_interp.host import cores, processor

from .base import Backend
from .tensorrt import EngineBackend


def machine(runtime: Backend) -> str:
    """Return the GPU's name, or the processor's architecture and how many cores may be used."""
    if isinstance(runtime, EngineBackend):
        return current_gpu(runtime.numbers[0]).name
    return f"{processor()}, {cores()} cores"
