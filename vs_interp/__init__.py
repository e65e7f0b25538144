"""Neural frame interpolation and upscaling for VapourSynth.

Public names are imported on first use, so importing this package loads neither VapourSynth nor an inference runtime::

    from vs_interp import super_slomo, upscale, OpenVINO
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # for type checkers and editors; keep in step with _HOMES
    from trt_build.backends import OnnxRuntime, OpenVINO, TensorRT, TensorRTRTX
    from vs_interp.errors import VsInterpError
    from vs_interp.films.source import open_film
    from vs_interp.filters.flow import flow_picture, optical_flow, warp
    from vs_interp.filters.interpolate import flavr, rife, super_slomo
    from vs_interp.filters.labels import label_picture, masks
    from vs_interp.filters.nowcast import nowcast
    from vs_interp.filters.predict import predict
    from vs_interp.filters.repeats import drop_repeats
    from vs_interp.filters.upscale import upscale

__version__ = "0.1.0"

_HOMES = {
    "super_slomo": "vs_interp.filters",
    "rife": "vs_interp.filters",
    "flavr": "vs_interp.filters",
    "upscale": "vs_interp.filters",
    "drop_repeats": "vs_interp.filters",
    "optical_flow": "vs_interp.filters",
    "flow_picture": "vs_interp.filters",
    "warp": "vs_interp.filters",
    "predict": "vs_interp.filters",
    "nowcast": "vs_interp.filters",
    "masks": "vs_interp.filters",
    "label_picture": "vs_interp.filters",
    "OpenVINO": "trt_build.backends",
    "OnnxRuntime": "trt_build.backends",
    "TensorRT": "trt_build.backends",
    "TensorRTRTX": "trt_build.backends",
    "VsInterpError": "vs_interp.errors",
    "open_film": "vs_interp.films.source",
}

__all__ = [
    "OnnxRuntime", "OpenVINO", "TensorRT", "TensorRTRTX", "VsInterpError", "__version__",
    "drop_repeats", "flavr", "flow_picture", "label_picture", "masks", "nowcast", "open_film", "optical_flow",
    "predict", "rife", "super_slomo", "upscale", "warp",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
