"""ffmpeg's options for the picture: its colours and aspect ratio, and which of the user's are for it, or for a copy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction

import vapoursynth as vs

PROPERTIES = {"_Range": "-color_range", "_Matrix": "-colorspace", "_Primaries": "-color_primaries",
              "_Transfer": "-color_trc", "_ChromaLocation": "-chroma_sample_location"}  # fmt: skip
"""Frame property → ffmpeg option.  Values are those of ITU-T H.273; VapourSynth counts range and location from 0."""

UNSPECIFIED = 2

OF_THE_ENCODER = ("-bsf", "-level", "-profile")
"""Options whose values an encoder defines, and filters of what it writes: neither is for a picture that is copied."""


def colour_tags(frame: vs.VideoFrame) -> list[str]:
    """Return ffmpeg's colour options for a frame's properties; those that are unspecified are left out."""
    options = []
    for name, option in PROPERTIES.items():
        if name not in frame.props:
            continue
        value = int(frame.props[name])
        if name in ("_Range", "_ChromaLocation"):
            value += 1
        elif value == UNSPECIFIED:
            continue
        if name != "_ChromaLocation" or frame.format.subsampling_h == 1:
            options += [option, str(value)]
    return options


def aspect(frame: vs.VideoFrame) -> list[str]:
    """Return the option for the display aspect ratio if the pixels are not square."""
    numerator, denominator = (max(int(frame.props.get(name, 1)), 0) or 1 for name in ("_SARNum", "_SARDen"))
    pixel = Fraction(numerator, denominator)
    display = pixel * Fraction(frame.width, frame.height)
    return [] if pixel == 1 else ["-aspect", f"{display.numerator}:{display.denominator}"]


def for_the_picture(arguments: Iterable[str]) -> Iterator[str]:
    """Yield ffmpeg's options, with those for video restricted to its first video stream: covers are not encoded."""
    for word in arguments:
        if word == "-vf":
            yield "-filter:v:0"
        else:
            yield f"{word}:0" if word.startswith("-") and word.endswith(":v") else word


def for_a_copy(arguments: Iterable[str]) -> Iterator[str]:
    """Yield ffmpeg's options without the picture's :data:`OF_THE_ENCODER`, which a copy would refuse or do again."""
    words = iter(arguments)
    for word in words:
        option, _, stream = word.partition(":")
        if option in OF_THE_ENCODER and not stream.startswith(("a", "s")):
            next(words, None)
        else:
            yield word
