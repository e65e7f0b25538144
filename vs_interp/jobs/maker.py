"""What makes frames on a machine, as far as the frames depend on it: the backends, their options and the devices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from trt_build.backends import Backend, OnnxRuntime, OpenVINO, choose
from trt_build.backends.openvino import device_name, has_bfloat
from trt_build.backends.tensorrt import EngineBackend
from trt_build.engines.targets import current_gpu
from vs_interp.errors import BackendError
from vs_interp.host import processor

from .conversion import Conversion

DIVIDING: Mapping[type[Backend], frozenset[str]] = {
    EngineBackend: frozenset({"device", "devices"}),  # but not streams: with several, another engine is built
    OpenVINO: frozenset({"threads", "streams"}),
    OnnxRuntime: frozenset({"device", "threads", "streams"}),
}
"""Backend → options that divide the work among parts of a machine, and on which its frames do not depend."""


def computing(backend: str | None) -> str:
    """Return the backend that is chosen on this machine, with the options that its frames depend on."""
    chosen = choose(backend)
    dividing = next(names for kind, names in DIVIDING.items() if isinstance(chosen, kind))
    options = {option.name: getattr(chosen, option.name) for option in fields(chosen) if option.name not in dividing}
    given = [f"{name}={value!r}" for name, value in options.items() if value is not None]
    return f"{type(chosen).__name__}({', '.join(given)})"


def maker(conversion: Conversion) -> str:
    """Return the backends and devices that make a conversion's frames on this machine.

    Equal makers make identical frames, with TensorRT if they use one engine: it chooses kernels by timing them, so
    engines built twice may differ.  The frames of different makers differ by one code value at most, or a few where a
    network runs in bfloat16 on one machine and in FP32 on another.

    Raises :class:`BackendError` if a runtime or a device is missing.
    """
    return "; ".join(
        dict.fromkeys(f"{computing(step.backend)} on {_devices(choose(step.backend))}" for step in conversion.steps)
    )


def _devices(backend: Backend) -> str:
    absent = backend.missing()
    if absent:
        raise BackendError(absent)
    if isinstance(backend, EngineBackend):
        return ", ".join(dict.fromkeys(current_gpu(number).name for number in backend.numbers))
    if isinstance(backend, OpenVINO):
        has_half = backend.device.startswith("CPU") and has_bfloat()
        return f"{device_name(backend.device)}{' with bfloat16' if has_half else ''}"
    if isinstance(backend, OnnxRuntime) and backend.provider == "cuda":
        return current_gpu(backend.device).name
    return processor()
