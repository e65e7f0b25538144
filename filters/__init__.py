"""VapourSynth filters: neural frame interpolation and upscaling as nodes of a script."""

from .data_sets import sequence
from .flow import Flow, flow_picture, optical_flow, warp
from .interpolate import flavr, rife, super_slomo
from .labels import label_picture, masks
from .nowcast import nowcast
from .predict import predict
from .repeats import drop_repeats
from .upscale import upscale

__all__ = [
    "Flow",
    "drop_repeats",
    "flavr",
    "flow_picture",
    "label_picture",
    "masks",
    "nowcast",
    "optical_flow",
    "predict",
    "rife",
    "sequence",
    "super_slomo",
    "upscale",
    "warp",
]
