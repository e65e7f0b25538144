"""Command-line types for sizes (1920x1080) and VapourSynth formats (YUV420P10)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from vs_interp.errors import ArgumentError
from vs_interp.size import Size

if TYPE_CHECKING:
    from trt_build.profile import PlaneFormat, Siting
    from vs_interp.matrices import Matrix

SMALLEST = 16
_SUBSAMPLINGS = {"420": (1, 1), "422": (1, 0), "444": (0, 0)}
_EXAMPLES = "such as YUV420P8, YUV422P10, YUV444PS, GRAY16, RGB24, RGB48 or RGBS"


class PictureSize(click.ParamType[Size]):
    """A size such as 1920x1080: width and height, both multiples of ``multiple_of``."""

    name = "size"

    def __init__(self, multiple_of: int = 1) -> None:
        self.multiple_of = multiple_of

    def convert(self, value: str | Size, param: click.Parameter | None, ctx: click.Context | None) -> Size:
        if isinstance(value, Size):
            return value
        found = re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5})", value)
        if not found:
            self.fail(f"{value!r} is not a size: give width and height such as 1920x1080", param, ctx)
        width, height = int(found[1]), int(found[2])
        if min(width, height) < SMALLEST:
            self.fail(f"{value} is too small: width and height must be at least {SMALLEST}", param, ctx)
        if width % self.multiple_of or height % self.multiple_of:
            self.fail(f"{value} cannot be used: give multiples of {self.multiple_of} such as 1920x1080", param, ctx)
        return Size(width, height)


def parse_format(
    name: str,
    size: Size,
    *,
    matrix: Matrix | None = None,
    full_range: bool | None = None,
    siting: Siting = "left",
) -> PlaneFormat:
    """Return the plane format for the name of a VapourSynth format, such as ``YUV420P10``.

    The defaults are those for a clip without frame properties: BT.601 up to 1024x576 and BT.709 above, limited range
    except for RGB.  Raises :class:`ArgumentError` for unknown names.
    """
    from trt_build.profile import PlaneFormat

    found = re.fullmatch(r"(?:YUV(420|422|444)P|(GRAY)|(RGB))(\d{1,2}|H|S)", name.upper())
    if not found:
        raise ArgumentError(f"{name!r} is not a known format: give one {_EXAMPLES}")
    subsampling, gray, rgb, samples = found.groups()
    floating = samples in ("H", "S")
    bits = {"H": 16, "S": 32}[samples] if floating else int(samples) // (3 if rgb else 1)
    whole = floating or not rgb or int(samples) % 3 == 0
    if not whole or (not floating and bits not in range(8, 17)):
        raise ArgumentError(
            f"{name!r} is not a known format, or has less than 8 or more than 16 bits: give one {_EXAMPLES}"
        )
    if rgb:
        return PlaneFormat(family="rgb", bits=bits, floating=floating, full_range=full_range is not False)
    small = size.width <= 1024 and size.height <= 576
    return PlaneFormat(
        family="gray" if gray else "yuv",
        bits=bits,
        floating=floating,
        subsampling=_SUBSAMPLINGS[subsampling] if subsampling else (0, 0),
        matrix=matrix or ("601" if small else "709"),
        full_range=bool(full_range),
        siting=siting,
    )
