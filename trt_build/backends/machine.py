"""What the figures of a benchmark or an evaluation were made on."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from trt_build.engines.targets import current_gpu

from .base import Backend
from .tensorrt import EngineBackend


def machine(runtime: Backend) -> str:
    """Return the GPU's name, or the processor's architecture and how many cores may be used."""
    if isinstance(runtime, EngineBackend):
        return current_gpu(runtime.numbers[0]).name
    return f"{_processor()}, {len(os.sched_getaffinity(0))} cores"


def _processor() -> str:
    """Return the processor's name as Linux gives it, else its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
