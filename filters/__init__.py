"""VapourSynth filters: neural frame interpolation and upscaling as nodes of a script."""

from .flow import Flow, flow_picture, optical_flow, warp
from .interpolate import flavr, rife, super_slomo
from .upscale import upscale

__all__ = ["Flow", "flavr", "flow_picture", "optical_flow", "rife", "super_slomo", "upscale", "warp"]
