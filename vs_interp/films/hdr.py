"""HDR metadata: the mastering display (SMPTE ST 2086) and the light levels of the content (CTA-861.3)."""

from __future__ import annotations

import vapoursynth as vs

HIGH_DYNAMIC_RANGE = {16, 18}
"""``_Transfer`` of ITU-T H.273: PQ (SMPTE ST 2084) and HLG (ARIB STD-B67)."""

PARAMETERS = {
    "libx264": ("-x264-params", "mastering-display", "cll"),
    "libx265": ("-x265-params", "master-display", "max-cll"),
    "libsvtav1": ("-svtav1-params", "mastering-display", "content-light"),
}
"""Encoder → ffmpeg's option for its own parameters, and their names for the mastering display and the light levels."""

CHANGING = {"HDR10Plus": "HDR10+", "DolbyVisionRPU": "Dolby Vision"}
"""BestSource's frame property → the kind of metadata for single scenes in it, which is not kept."""

CHROMATICITY, LUMINANCE = 50_000, 10_000
"""Steps per unit in the parameters of x264 and x265: CIE 1931 x and y in 0.00002, luminance in 0.0001 cd/m²."""


def is_high_dynamic_range(frame: vs.VideoFrame) -> bool:
    """Whether a frame's transfer characteristics are PQ or HLG."""
    return int(frame.props.get("_Transfer", 2)) in HIGH_DYNAMIC_RANGE


def has_metadata(frame: vs.VideoFrame) -> bool:
    """Whether BestSource read a mastering display or light levels."""
    return not {"MasteringDisplayMaxLuminance", "ContentLightLevelMax"}.isdisjoint(frame.props)


def parameters(frame: vs.VideoFrame, encoder: str) -> str:
    """Return the own parameters of an encoder in :data:`PARAMETERS` for a frame's HDR metadata; "" if it has none."""
    _, display, levels = PARAMETERS[encoder]
    found = []
    if {"MasteringDisplayPrimariesX", "MasteringDisplayMaxLuminance"} <= frame.props.keys():
        red, green, blue = _points(frame, "MasteringDisplayPrimaries")
        (white,) = _points(frame, "MasteringDisplayWhitePoint")
        light = [_numbers(frame, f"MasteringDisplay{end}Luminance")[0] for end in ("Max", "Min")]
        named = {"G": green, "B": blue, "R": red, "WP": white, "L": light}
        found.append(f"{display}={''.join(f'{name}({_pair(name, each, encoder)})' for name, each in named.items())}")
    if "ContentLightLevelMax" in frame.props:
        most, average = (_numbers(frame, f"ContentLightLevel{kind}")[0] for kind in ("Max", "Average"))
        found.append(f"{levels}={most:.0f},{average:.0f}")
    return ":".join(found)


def _pair(name: str, values: list[float], encoder: str) -> str:
    """Return two values as the encoder reads them: in steps, or SVT-AV1 in units."""
    if encoder == "libsvtav1":
        return ",".join(f"{value:.5f}" for value in values)
    return ",".join(str(round(value * (LUMINANCE if name == "L" else CHROMATICITY))) for value in values)


def _points(frame: vs.VideoFrame, name: str) -> list[list[float]]:
    """Return chromaticity coordinates, x and y of each point."""
    return [list(point) for point in zip(_numbers(frame, f"{name}X"), _numbers(frame, f"{name}Y"), strict=True)]


def _numbers(frame: vs.VideoFrame, name: str) -> list[float]:
    value = frame.props[name]
    return [float(number) for number in (value if isinstance(value, list) else [value])]
