"""What an engine is made for: a picture size and the planes it is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Family = Literal["rgb", "yuv", "gray"]
Matrix = Literal["601", "709", "2020"]
Siting = Literal["left", "center", "top_left"]


@dataclass(frozen=True, kw_only=True)
class PlaneFormat:
    """How a clip's planes hold colour.

    family, bits, floating
        8–16 bits integer, or 16 and 32 bits floating.
    subsampling
        log2 of how many times narrower and lower the chroma planes are: (1, 1) is 4:2:0.
    matrix, full_range, siting
        Of YUV (and the range of GRAY); BT.601 stands for 170M and 470BG.
    """

    family: Family = "rgb"
    bits: int = 32
    floating: bool = True
    subsampling: tuple[int, int] = (0, 0)
    matrix: Matrix = "709"
    full_range: bool = True
    siting: Siting = "left"

    @property
    def planes(self) -> int:
        """How many planes a picture has."""
        return 1 if self.family == "gray" else 3


RGBS = PlaneFormat()
"""Three planes of float32 RGB in [0, 1]: what the networks themselves take."""


@dataclass(frozen=True, kw_only=True)
class Profile:
    """One static size: the clip's ``width``×``height`` (a session pads to what the network takes), and its planes."""

    width: int
    height: int
    planes: PlaneFormat = RGBS
