"""Films to convert as jobs, small enough to be made in a moment, and what a file holds when it is decoded."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

from tests.video import ffmpeg
from vs_interp.films.codecs import Choice
from vs_interp.jobs.conversion import Conversion
from vs_interp.jobs.steps import Upscaling

SECONDS = 4


def make_film(path: Path, rate: str = "25", seconds: float = SECONDS, size: str = "96x64") -> Path:
    """Write a moving test picture with a tone beside it."""
    ffmpeg(
        "-f", "lavfi", "-i", f"testsrc2=s={size}:r={rate}:d={seconds}", "-f", "lavfi", "-i", f"sine=d={seconds}",
        "-c:v", "libx264", "-g", "10", "-bf", "2", "-c:a", "aac", str(path),
    )  # fmt: skip
    return path


def enlargement(source: Path, output: Path, codec: str = "ffv1") -> Conversion:
    """Return a conversion whose frames cost next to nothing, and are still made by a network."""
    steps = (Upscaling(scale=2, model="anime4k-s-x2", backend="openvino:threads=1"),)
    return Conversion(source=source, output=output, steps=steps, choice=Choice(codec=codec))


def unheard(number: int, frames: int) -> None:
    """Tell nobody how far a chunk is."""


@dataclass(frozen=True)
class Decoded:
    """What a file shows: time stamps, pictures by hash, the range of its sound, and what it says of colour.

    ``span`` is when its first picture is decoded, and how long the container says that the pictures last.
    """

    times: list[Fraction]
    span: tuple[Fraction, Fraction | None]
    pictures: list[str]
    sound: tuple[Fraction, Fraction]
    colour: tuple[int, ...]


def decoded(path: Path) -> Decoded:
    """Decode a file with libav."""
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        frames = [(frame.pts, frame.to_ndarray().tobytes()) for frame in container.decode(video)]
        context = video.codec_context
        colour = (context.color_range, context.colorspace, context.color_primaries, context.color_trc)
        base = Fraction(str(video.time_base))
        lasts = None if video.duration is None else base * video.duration
    with av.open(str(path)) as container:
        sound = container.streams.audio[0]
        unit = Fraction(str(sound.time_base))
        heard = [packet.pts * unit for packet in container.demux(sound) if packet.pts is not None]
    with av.open(str(path)) as container:
        decodes = next(packet.dts for packet in container.demux(video=0) if packet.dts is not None)
    return Decoded(
        times=[base * pts for pts, _ in frames if pts is not None],
        span=(base * decodes, lasts),
        pictures=[hashlib.sha256(picture).hexdigest() for _, picture in frames],
        sound=(min(heard), max(heard)),
        colour=colour,
    )
