"""The options of ``vs-interp convert`` that say how the output is encoded."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from vs_interp.films.codecs import Choice

CODECS = ("h264", "h265", "av1", "prores", "ffv1", "vp9")

OPTIONS = (
    click.option("--codec", type=click.Choice(CODECS),
                 help="By default H.264, for more than 8 bits H.265, in WebM VP9."),
    click.option("--quality", metavar="N", type=float,
                 help="The encoder's own number: for most 0 is best and 16 very good."),
    click.option("--preset", metavar="NAME",
                 help="The encoder's own speed (slow, medium, fast; AV1 and VP9: a number) or ProRes profile."),
    click.option("--encoder-args", metavar="ARGS",
                 help="ffmpeg's options for the video, added to the others: '-tune animation'."),
    click.option("--audio-args", metavar="ARGS",
                 help="ffmpeg's options for the sound, which is copied otherwise: '-c:a libopus -b:a 128k'."),
)  # fmt: skip


def encoding_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command these options."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def parse_choice(
    *, codec: str | None, quality: float | None, preset: str | None, encoder_args: str | None, audio_args: str | None
) -> Choice:
    """Return what the options say.  Raises :class:`~vs_interp.errors.ArgumentError`."""
    from vs_interp.films.codecs import Choice, split_arguments

    return Choice(
        codec=codec,
        quality=quality,
        preset=preset,
        arguments=split_arguments(encoder_args or "", "--encoder-args"),
        sound_arguments=split_arguments(audio_args or "", "--audio-args"),
    )
