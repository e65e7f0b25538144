"""Options of ``vs-interp convert`` for encoding the output."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from vs_interp.films.codecs import Choice

CODECS = ("h264", "h265", "av1", "prores", "ffv1", "vp9")

OPTIONS = (
    click.option("--codec", type=click.Choice(CODECS),
                 help="[default: h264; h265 above 8 bits; vp9 in WebM]"),
    click.option("--quality", metavar="N", type=float,
                 help="Quality on the encoder's own scale (CRF): for most, 0 is the best and 16 very good."),
    click.option("--preset", metavar="NAME",
                 help="The encoder's preset (slow, medium, fast; a number for AV1 and VP9), or ProRes profile."),
    click.option("--encoder-args", metavar="ARGS",
                 help="Additional ffmpeg options for the video, such as '-tune animation'."),
    click.option("--audio-args", metavar="ARGS",
                 help="ffmpeg options to encode the sound, which is otherwise copied: '-c:a libopus -b:a 128k'."),
)  # fmt: skip


def encoding_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add these options to a command."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def parse_choice(
    *, codec: str | None, quality: float | None, preset: str | None, encoder_args: str | None, audio_args: str | None
) -> Choice:
    """Return the options as a :class:`Choice`.  Raises :class:`~vs_interp.errors.ArgumentError`."""
    from vs_interp.films.codecs import Choice, split_arguments

    return Choice(
        codec=codec,
        quality=quality,
        preset=preset,
        arguments=split_arguments(encoder_args or "", "--encoder-args"),
        sound_arguments=split_arguments(audio_args or "", "--audio-args"),
    )
