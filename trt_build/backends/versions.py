"""The versions of what computes pictures: with another one, a picture or a score may differ."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from .onnx_runtime import PACKAGES

RUNTIMES = (
    "openvino", "tensorrt", "tensorrt-cu12", "tensorrt-cu13", "tensorrt-rtx", "onnxruntime", *PACKAGES.values(),
)  # fmt: skip
"""The packages of all runtimes, whose modules some of them share."""


@cache
def package_versions(*others: str) -> Mapping[str, str]:
    """Return the installed versions of vs-interp, of the runtimes and of other packages."""
    found = {}
    for package in ("vs-interp", *RUNTIMES, *others):
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found
