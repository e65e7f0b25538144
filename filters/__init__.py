"""VapourSynth filters: neural frame interpolation and upscaling as nodes of a script."""

from .interpolate import super_slomo

__all__ = ["super_slomo"]
