"""The runtimes that serve a model, and the choice among them.  Importing this imports no runtime."""

from __future__ import annotations

import functools
import sys

from vs_interp.errors import ArgumentError, BackendError

from .base import Backend, Picture, Session
from .openvino import OpenVINO
from .tensorrt import TensorRT, TensorRTRTX

__all__ = ["Backend", "OpenVINO", "Picture", "Session", "TensorRT", "TensorRTRTX", "choose", "known"]


def known() -> tuple[type[Backend], ...]:
    """Return every backend, the one to prefer first."""
    return (TensorRT, TensorRTRTX, OpenVINO)


def choose(backend: Backend | str | None) -> Backend:
    """Return the backend itself, the one of that name with its default options, or for ``None`` the best that works.

    Raises :class:`ArgumentError` for an unknown name, :class:`BackendError` where ``None`` finds none that works.
    """
    if isinstance(backend, Backend):
        return backend
    if backend is None:
        return _best()
    names = {kind.name: kind for kind in known()}
    if backend not in names:
        raise ArgumentError(f"no backend is called {backend!r}: known are {', '.join(names)}")
    return names[backend]()


@functools.cache
def _best() -> Backend:
    """Return the first backend that lacks nothing; say once on standard error where it is not the one to prefer."""
    lacks: dict[str, str] = {}
    for kind in known():
        missing = kind.missing()
        if missing is None:
            if lacks:
                others = " or ".join(lacks)
                print(f"vs-interp: runs on {kind.name}, not {others} (vs-interp doctor says why)", file=sys.stderr)
            return kind()
        lacks[kind.name] = missing
    raise BackendError(f"no backend works here: {'; '.join(f'{name}: {lack}' for name, lack in lacks.items())}")
