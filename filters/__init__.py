"""VapourSynth filters: neural frame interpolation and upscaling as nodes of a script."""

from .interpolate import rife, super_slomo

__all__ = ["rife", "super_slomo"]
