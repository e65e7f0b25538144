"""Try a conversion with one frame, so that output that cannot be written is reported before any work is done."""

from __future__ import annotations

import shutil
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import vapoursynth as vs

from vs_interp.errors import ArgumentError, EncoderError

from .alpha import with_alpha
from .encoding import Encoding
from .ffmpeg import outputs_named
from .render import FrameWriter, run_ffmpeg
from .unfinished import temporary_beside

LEAST_ROOM = 16 << 20
"""Bytes that must be free on the disk."""

TRIED = Fraction(1, 2)
"""Seconds of the source's sound and subtitles to try."""


def rehearse(encoding: Encoding, output: Path, *, overwrite: bool) -> None:
    """Encode one grey frame with all streams that the output will have, to a file that is removed.

    Raises :class:`EncoderError` with ffmpeg's reason if the encoder, its options, the container or the folder cannot be
    used, or the disk is full; :class:`ArgumentError` if ``output`` exists and ``overwrite`` is not set, or the options
    name further outputs.
    """
    for option, arguments in (("--encoder-args", encoding.arguments), ("--audio-args", encoding.sound_arguments)):
        for word in outputs_named(encoding.ffmpeg, arguments):
            raise ArgumentError(
                f"{word!r} in {option} is not the value of an option, so ffmpeg would write a file of that name: "
                "leave it out"
            )
    with temporary_beside(output, overwrite=overwrite) as trial:
        free = shutil.disk_usage(trial.parent).free
        if free < LEAST_ROOM:
            raise EncoderError(f"the disk of {output} has {free / 1e6:.1f} MB free: make room, or name another folder")
        begins = encoding.source.window[0] if encoding.source.window is not None else Fraction(0)
        clip = vs.core.std.BlankClip(encoding.stream.clip, length=1).std.SetFrameProps(_DurationNum=1, _DurationDen=25)
        if encoding.stream.alpha is not None:
            clip = with_alpha(clip, vs.core.std.BlankClip(encoding.stream.alpha, length=1))
        short = replace(
            encoding,
            source=replace(encoding.source, window=(begins, TRIED)),
            stream=replace(encoding.stream, clip=clip, seconds=None),
        )
        with closing(clip.get_frame(0)) as frame, run_ffmpeg(short.command(frame, trial)) as pipe:
            writer = FrameWriter(pipe, short)
            writer.write(frame)
            writer.close()
        if not (trial.exists() and trial.stat().st_size):
            raise EncoderError("ffmpeg wrote nothing into the output: the last of --encoder-args lacks its value")
