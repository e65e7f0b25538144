"""The colour matrices of video: the weights of red, green and blue in luma."""

from __future__ import annotations

from typing import Literal

Matrix = Literal["601", "709", "2020"]
"""Rec. ITU-R BT.601, BT.709, or BT.2020 with non-constant luminance."""

RED_AND_BLUE: dict[Matrix, tuple[float, float]] = {
    "601": (0.299, 0.114),
    "709": (0.2126, 0.0722),
    "2020": (0.2627, 0.0593),
}
"""Kr and Kb (ITU-T H.273, table 4); Kg is 1 − Kr − Kb."""

BT601 = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in BT.601 luma, on which super-resolution is trained and scored."""
