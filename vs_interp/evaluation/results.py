"""The scores of ``vs-interp evaluate`` as JSON values: by method, data set and sequence, and what they depend on."""

from __future__ import annotations

import platform
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from trt_build.backends import Backend
from trt_build.backends.machine import machine
from trt_build.backends.versions import package_versions
from vs_interp.errors import EncoderError
from vs_interp.films.ffmpeg import find_ffmpeg, version

from .compare import Row, by
from .tasks import pooled

PACKAGES = ("numpy", "onnx", "pillow", "VapourSynth", "vapoursynth-mvtools", "opencv-python-headless", "opencv-python")
"""Packages, besides the runtimes, whose version may change a score."""


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the scores of each method: over all pictures, by lead, by data set and by sequence."""
    return {
        method: {
            **_mean(found),
            "leads": [_scores(part) for part in by(found, lambda row: str(row.lead)).values()],
            "datasets": {
                dataset: {
                    **_mean(part),
                    "sequences": {name: _mean(rest) for name, rest in by(part, lambda row: row.sequence).items()},
                }
                for dataset, part in by(found, lambda row: row.dataset).items()
            },
        }
        for method, found in by(rows, lambda row: row.method).items()
    }


def _mean(rows: Sequence[Row]) -> dict[str, Any]:
    return {"pictures": len(rows), "mean": _scores(rows)}


def _scores(rows: Sequence[Row]) -> dict[str, float]:
    return pooled([row.judged for row in rows])


def circumstances(backend: Backend) -> dict[str, Any]:
    """Return what scores depend on besides model and data: backend, device, the command line, and versions."""
    return {
        "backend": str(backend),
        "device": machine(backend),
        "command": ["vs-interp", *sys.argv[1:]],
        "versions": _versions(),
    }


def _versions() -> dict[str, str]:
    """Return the installed versions of everything that may change a score."""
    found = {"python": platform.python_version(), **package_versions(*PACKAGES)}
    with suppress(EncoderError):
        found["ffmpeg"] = version(find_ffmpeg())
    return found
