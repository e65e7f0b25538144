"""VapourSynth filters: neural frame interpolation and upscaling as nodes of a script."""

from .interpolate import flavr, rife, super_slomo
from .upscale import upscale

__all__ = ["flavr", "rife", "super_slomo", "upscale"]
