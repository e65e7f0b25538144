"""What an engine is made for: a picture size and the planes it is given."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from vs_interp.matrices import Matrix
from vs_interp.spec import NetworkSpec

Family = Literal["rgb", "yuv", "gray"]
Siting = Literal["left", "center", "top_left"]


@dataclass(frozen=True, kw_only=True)
class PlaneFormat:
    """How a clip's planes hold colour.

    family, bits, floating
        8–16 bits integer, or 16 and 32 bits floating.
    subsampling
        log2 of how many times narrower and lower the chroma planes are: (1, 1) is 4:2:0.
    matrix, full_range, siting
        Matrix and siting are YUV's (and the matrix GRAY's, for the luma of made frames); the range is that of integers
        of any family.  BT.601 stands for 170M and 470BG, BT.2020 for non-constant luminance.
    """

    family: Family = "rgb"
    bits: int = 32
    floating: bool = True
    subsampling: tuple[int, int] = (0, 0)
    matrix: Matrix = "709"
    full_range: bool = True
    siting: Siting = "left"

    @property
    def name(self) -> str:
        """What VapourSynth calls the format: ``YUV420P8``, ``RGB48``, ``GRAYS``."""
        samples = {16: "H", 32: "S"}[self.bits] if self.floating else str(self.bits)
        if self.family == "gray":
            return f"GRAY{samples}"
        if self.family == "rgb":
            return f"RGB{samples if self.floating else 3 * self.bits}"
        return f"YUV4{('44', '22', '20')[sum(self.subsampling)]}P{samples}"

    @property
    def planes(self) -> int:
        """How many planes a picture has."""
        return 1 if self.family == "gray" else 3

    @property
    def steps(self) -> tuple[int, int]:
        """How many luma columns and rows a chroma sample stands for."""
        columns, rows = self.subsampling
        return 1 << columns, 1 << rows

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a sample in memory."""
        if self.floating:
            return np.dtype(np.float16 if self.bits == 16 else np.float32)
        return np.dtype(np.uint8 if self.bits == 8 else "<u2")

    @property
    def levels(self) -> tuple[tuple[float, float], ...]:
        """Scale and offset, by plane, that make codes of luma or RGB in [0, 1] and of chroma in [-1/2, 1/2]."""
        unit = 2 ** (self.bits - 8)
        if self.floating:
            luma, chroma = (1, 0), (1, 0)
        elif self.full_range:
            luma, chroma = (256 * unit - 1, 0), (256 * unit - 1, 128 * unit)
        else:
            luma, chroma = (219 * unit, 16 * unit), (224 * unit, 128 * unit)
        return (luma, chroma, chroma) if self.family == "yuv" else (luma,) * self.planes


RGBS = PlaneFormat()
"""Three planes of float32 RGB in [0, 1]: what the networks themselves take."""


GRAYS = PlaneFormat(family="gray")
"""One plane of float32 luma in [0, 1]: what luma networks themselves take."""


@dataclass(frozen=True, kw_only=True)
class Profile:
    """One static size: the clip's ``width``×``height`` (a session pads to what the network takes), and its planes."""

    width: int
    height: int
    planes: PlaneFormat = RGBS

    @property
    def plane_sizes(self) -> tuple[tuple[int, int], ...]:
        """Height and width of each plane."""
        columns, rows = self.planes.steps
        chroma = self.height // rows, self.width // columns
        return ((self.height, self.width), chroma, chroma)[: self.planes.planes]


def made_profile(spec: NetworkSpec, profile: Profile) -> Profile:
    """Return the size and the planes of the pictures that a network makes of frames of a profile.

    Frames have the planes of those that come in; flow, labels and masks one plane of float32.
    """
    height, width = spec.made_size(profile.height, profile.width)
    planes = profile.planes if spec.output.kind == "frame" else GRAYS
    return replace(profile, width=width, height=height, planes=planes)
