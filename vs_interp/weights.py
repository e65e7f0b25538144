"""Where model files are: bundled ones by network, others by path."""

from __future__ import annotations

import os
from pathlib import Path

from .errors import ArgumentError

BUNDLED = {"super-slomo": "super-slomo-small.onnx"}
"""The default model file of each network, in the package's folder ``models``."""


def resolve(model: str | os.PathLike[str] | None, *, network: str) -> Path:
    """Return the path of a model file: ``model`` itself, or the bundled one of ``network`` where it is ``None``.

    Raises :class:`ArgumentError` where there is none.
    """
    if model is not None:
        return Path(model)
    if network not in BUNDLED:
        raise ArgumentError(f"no weights of {network} are bundled: give model=, a model file made with `vs-interp export`")
    return Path(__file__).parent / "models" / BUNDLED[network]
