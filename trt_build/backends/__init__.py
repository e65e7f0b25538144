"""The backends, which run models, and the choice among them.  Importing this imports no runtime."""

from __future__ import annotations

import functools

from trt_build.engines.runtimes import plain_name
from vs_interp.errors import ArgumentError, BackendError
from vs_interp.log import logger

from .base import Backend, Picture, Session
from .gpus import other_gpus
from .onnx_runtime import OnnxRuntime
from .openvino import OpenVINO
from .tensorrt import TensorRT, TensorRTRTX
from .typed import with_options

__all__ = ["Backend", "OnnxRuntime", "OpenVINO", "Picture", "Session", "TensorRT", "TensorRTRTX", "choose", "known"]


def known() -> tuple[type[Backend], ...]:
    """Return every backend, most preferred first."""
    return (TensorRT, TensorRTRTX, OpenVINO, OnnxRuntime)


def choose(backend: Backend | str | None) -> Backend:
    """Return the backend that is given, by itself or by name, or the best that works here for ``None``.

    A name may be followed by options: ``"openvino"``, ``"tensorrt:devices=0+1,streams=2"``.  Raises
    :class:`ArgumentError` for unknown names and options, and :class:`BackendError` if no backend works.
    """
    if isinstance(backend, Backend):
        return backend
    if backend is None:
        return _best()
    if isinstance(backend, type) and issubclass(backend, Backend):
        raise ArgumentError(f"backend is the class {backend.__name__}: give {backend.__name__}(), with its brackets")
    if not isinstance(backend, str):
        raise ArgumentError(f"backend is {backend!r}: give OpenVINO(), a backend's name such as 'openvino', or None")
    name, _, options = backend.partition(":")
    names = {kind.name: kind for kind in known()}
    if plain_name(name) not in names:
        raise ArgumentError(f"no backend is called {name!r}: known are {', '.join(names)}")
    return with_options(names[plain_name(name)], options)


@functools.cache
def _best() -> Backend:
    """Return the first backend that works, with a warning if it is not TensorRT or TensorRT-RTX.

    These are tried first, then other GPUs whose pictures agree with the CPU's (see :func:`other_gpus`), then the CPU.
    """
    lacks: dict[str, str] = {}
    for kind in (TensorRT, TensorRTRTX):
        missing = kind.missing()
        if missing is None:
            return kind()
        lacks[kind.name] = missing
    for other in (*other_gpus(), OpenVINO(), OnnxRuntime()):
        missing = other.missing()
        if missing is None:
            logger.warning("running on %s, not %s (vs-interp doctor says why)", other.name, " or ".join(lacks))
            return other
        lacks[other.name] = missing
    raise BackendError(f"no backend works here: {'; '.join(f'{name}: {lack}' for name, lack in lacks.items())}")
