"""The engine runtimes: TensorRT and TensorRT-RTX, whose bindings are alike.  Imported only when asked for."""

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
    """Return the name of a backend or runtime as it is listed: ``RTX`` and ``TensorRT_RTX`` are ``tensorrt-rtx``."""
    plain = name.strip().lower().replace("_", "-")
    return "tensorrt-rtx" if plain == "rtx" else plain


def check_runtime(name: str) -> Runtime:
    """Return the runtime of that name.  Raises :class:`ArgumentError` where there is none."""
    for known in get_args(Runtime):
        if plain_name(name) == known:
            return known  # type: ignore[no-any-return]
    raise ArgumentError(f"no engine runtime is called {name!r}: known are {', '.join(get_args(Runtime))}")


def missing(runtime: Runtime) -> str | None:
    """Return what is missing for the runtime's bindings to be imported and how to get it, else ``None``."""
    if importlib.util.find_spec(_MODULES[runtime]) is not None:
        return None
    return f"the package {_MODULES[runtime]} is not installed: {how_to_get(runtime)}"


def load(runtime: Runtime) -> ModuleType:
    """Return the runtime's Python module.  Raises :class:`BackendError` where it cannot be imported."""
    absent = missing(runtime)
    if absent:
        raise BackendError(absent)
    try:
        return importlib.import_module(_MODULES[runtime])
    except (ImportError, OSError, RuntimeError) as error:
        raise BackendError(f"{_MODULES[runtime]} cannot be loaded ({error}): install it again") from error


def version(runtime: Runtime) -> str:
    """Return the runtime's version, all of it: engines of TensorRT are bound to it."""
    return str(load(runtime).__version__)
