"""The engine runtimes, TensorRT and TensorRT-RTX, whose Python bindings are alike.  They are imported on demand."""

from __future__ import annotations

import importlib
import importlib.util
from types import ModuleType
from typing import Literal, get_args

from vs_interp.errors import ArgumentError, BackendError
from vs_interp.extras import how_to_get

Runtime = Literal["tensorrt", "tensorrt-rtx"]

_MODULES = {"tensorrt": "tensorrt", "tensorrt-rtx": "tensorrt_rtx"}


def plain_name(name: str) -> str:
    """Return a backend's or runtime's name in its usual spelling: ``tensorrt-rtx`` for ``RTX`` or ``TensorRT_RTX``."""
    plain = name.strip().lower().replace("_", "-")
    return "tensorrt-rtx" if plain == "rtx" else plain


def check_runtime(name: str) -> Runtime:
    """Return the runtime of that name in any spelling.  Raises :class:`ArgumentError` if there is none."""
    for known in get_args(Runtime):
        if plain_name(name) == known:
            return known  # type: ignore[no-any-return]
    raise ArgumentError(f"no engine runtime is called {name!r}: known are {', '.join(get_args(Runtime))}")


def missing(runtime: Runtime) -> str | None:
    """Return which package the runtime lacks and how to install it; ``None`` if it is installed."""
    if importlib.util.find_spec(_MODULES[runtime]) is not None:
        return None
    return f"the package {_MODULES[runtime]} is not installed: {how_to_get(runtime)}"


def load(runtime: Runtime) -> ModuleType:
    """Return the runtime's Python module.  Raises :class:`BackendError` if it cannot be imported."""
    absent = missing(runtime)
    if absent:
        raise BackendError(absent)
    try:
        return importlib.import_module(_MODULES[runtime])
    except (ImportError, OSError, RuntimeError) as error:
        raise BackendError(f"{_MODULES[runtime]} cannot be loaded ({error}): install it again") from error


def version(runtime: Runtime) -> str:
    """Return the runtime's full version, to which TensorRT's engines are bound."""
    return str(load(runtime).__version__)
