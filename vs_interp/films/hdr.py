"""HDR metadata: the mastering display (SMPTE ST 2086) and the light levels of the content (CTA-861.3)."""

from __future__ import annotations

import vapoursynth as vs

HIGH_DYNAMIC_RANGE = {16, 18}
"""``_Transfer`` of ITU-T H.273: PQ (SMPTE ST 2084) and HLG (ARIB STD-B67)."""

CHROMATICITY, LUMINANCE = 50_000, 10_000
"""Steps per unit in H.265's metadata: CIE 1931 x and y in 0.00002, luminance in 0.0001 cd/m²."""


def is_high_dynamic_range(frame: vs.VideoFrame) -> bool:
    """Whether a frame's transfer characteristics are PQ or HLG."""
    return int(frame.props.get("_Transfer", 2)) in HIGH_DYNAMIC_RANGE


def x265_parameters(frame: vs.VideoFrame) -> str:
    """Return x265's parameters for the HDR metadata that BestSource read; "" if there is none."""
    parameters = []
    if {"MasteringDisplayPrimariesX", "MasteringDisplayMaxLuminance"} <= frame.props.keys():
        red, green, blue = _points(frame, "MasteringDisplayPrimaries")
        (white,) = _points(frame, "MasteringDisplayWhitePoint")
        ends = (_numbers(frame, f"MasteringDisplay{end}Luminance")[0] for end in ("Max", "Min"))
        light = ",".join(str(round(end * LUMINANCE)) for end in ends)
        parameters.append(f"master-display=G({green})B({blue})R({red})WP({white})L({light})")
    if "ContentLightLevelMax" in frame.props:
        most, average = (_numbers(frame, f"ContentLightLevel{kind}")[0] for kind in ("Max", "Average"))
        parameters.append(f"max-cll={most:.0f},{average:.0f}")
    return ":".join(parameters)


def _points(frame: vs.VideoFrame, name: str) -> list[str]:
    """Return chromaticity coordinates in H.265's steps, each as "x,y"."""
    pairs = zip(_numbers(frame, f"{name}X"), _numbers(frame, f"{name}Y"), strict=True)
    return [f"{round(x * CHROMATICITY)},{round(y * CHROMATICITY)}" for x, y in pairs]


def _numbers(frame: vs.VideoFrame, name: str) -> list[float]:
    value = frame.props[name]
    return [float(number) for number in (value if isinstance(value, list) else [value])]
