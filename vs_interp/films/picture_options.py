"""ffmpeg's options for a picture: its colours and shape, and what among a person's own is meant for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import pairwise

import vapoursynth as vs

PROPERTIES = {"_Range": "-color_range", "_Matrix": "-colorspace", "_Primaries": "-color_primaries",
              "_Transfer": "-color_trc", "_ChromaLocation": "-chroma_sample_location"}  # fmt: skip
"""Frame property → option of ffmpeg.  Numbers are those of ITU-T H.273; range and location count from 0 here."""

UNSPECIFIED = 2


def colour_tags(frame: vs.VideoFrame) -> list[str]:
    """Return the colour options that a frame's properties stand for; nothing for what they leave open."""
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
    """Return the option for the picture's shape where its pixels are not square."""
    pixel = Fraction(max(int(frame.props.get("_SARNum", 1)), 0) or 1, max(int(frame.props.get("_SARDen", 1)), 0) or 1)
    shape = pixel * Fraction(frame.width, frame.height)
    return [] if pixel == 1 else ["-aspect", f"{shape.numerator}:{shape.denominator}"]


MUXER_OPTIONS = ("-tag:v", "-movflags", "-brand", "-metadata", "-disposition", "-timecode", "-write_tmcd", "-strict")
"""What may stand among an encoder's options and is meant for the file: these, and what begins so."""


def muxer_options(arguments: Sequence[str]) -> list[str]:
    """Return those of ffmpeg's options that say something of the file, not of the encoder."""
    return [
        word for option, value in pairwise(arguments) if option.startswith(MUXER_OPTIONS) for word in (option, value)
    ]


def for_the_picture(arguments: Iterable[str]) -> Iterator[str]:
    """Yield ffmpeg's options so that those for video mean the first stream alone, and no cover or further picture."""
    for word in arguments:
        if word == "-vf":
            yield "-filter:v:0"
        else:
            yield f"{word}:0" if word.startswith("-") and word.endswith(":v") else word
