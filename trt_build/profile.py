"""What an engine is built for: a picture size and the format of the clip's planes."""

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
        Integers of 8–16 bits, or floats of 16 or 32 bits.
    subsampling
        log2 of how many times narrower and lower the chroma planes are: (1, 1) is 4:2:0.
    matrix
        Of YUV, and of GRAY, whose made frames are the luma of the network's RGB.  "601" covers 170M and 470BG, "2020"
        is the non-constant luminance one.
    full_range
        Of integers of any family; floats have no range.
    siting
        Of YUV with subsampled chroma.
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
        """VapourSynth's name of the format: ``YUV420P8``, ``RGB48``, ``GRAYS``."""
        samples = {16: "H", 32: "S"}[self.bits] if self.floating else str(self.bits)
        if self.family == "gray":
            return f"GRAY{samples}"
        if self.family == "rgb":
            return f"RGB{samples if self.floating else 3 * self.bits}"
        return f"YUV4{('44', '22', '20')[sum(self.subsampling)]}P{samples}"

    @property
    def planes(self) -> int:
        """The number of planes of a picture."""
        return 1 if self.family == "gray" else 3

    @property
    def steps(self) -> tuple[int, int]:
        """How many columns and rows of luma one chroma sample covers."""
        columns, rows = self.subsampling
        return 1 << columns, 1 << rows

    @property
    def dtype(self) -> np.dtype[Any]:
        """The NumPy type of a sample."""
        if self.floating:
            return np.dtype(np.float16 if self.bits == 16 else np.float32)
        return np.dtype(np.uint8 if self.bits == 8 else "<u2")

    @property
    def levels(self) -> tuple[tuple[float, float], ...]:
        """Scale and offset of each plane: code = value · scale + offset.

        Values are luma and RGB in [0, 1] and chroma in [-1/2, 1/2].
        """
        unit = 2 ** (self.bits - 8)
        if self.floating:
            luma, chroma = (1, 0), (1, 0)
        elif self.full_range:
            luma, chroma = (256 * unit - 1, 0), (256 * unit - 1, 128 * unit)
        else:
            luma, chroma = (219 * unit, 16 * unit), (224 * unit, 128 * unit)
        return (luma, chroma, chroma) if self.family == "yuv" else (luma,) * self.planes


RGBS = PlaneFormat()
"""Three planes of float32 RGB in [0, 1]: what RGB networks themselves take."""


GRAYS = PlaneFormat(family="gray")
"""One plane of float32 luma in [0, 1]: what luma networks themselves take."""


@dataclass(frozen=True, kw_only=True)
class Profile:
    """A clip's ``width``×``height`` in pixels, and its planes.  A session pads to a size that the network takes."""

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
    """Return the profile of the pictures that a network makes from frames of the given profile.

    Frames keep the format of the clip; flow, labels and masks have one plane of float32.
    """
    height, width = spec.made_size(profile.height, profile.width)
    planes = profile.planes if spec.output.kind == "frame" else GRAYS
    return replace(profile, width=width, height=height, planes=planes)
