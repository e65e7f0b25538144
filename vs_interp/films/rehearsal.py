"""Try a conversion with one frame, so that what cannot be written is told before the first is made."""

from __future__ import annotations

import shutil
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import vapoursynth as vs

from vs_interp.errors import EncoderError

from .alpha import with_alpha
from .encoding import Encoding
from .render import FrameWriter, run_ffmpeg
from .unfinished import beside

LEAST_ROOM = 16 << 20
"""Bytes that must be free on the disk."""

HEARD = Fraction(1, 2)
"""Seconds of the source's sound and subtitles that are tried."""


def rehearse(encoding: Encoding, output: Path, *, overwrite: bool) -> None:
    """Encode one grey frame with all that the output will have; nothing is left of it.

    Raises :class:`EncoderError` with ffmpeg's own reason where the encoder, its arguments, the container or the folder
    will not do, or the disk is full; :class:`ArgumentError` where ``output`` exists and ``overwrite`` is not set.
    """
    with beside(output, overwrite=overwrite) as trial:
        free = shutil.disk_usage(trial.parent).free
        if free < LEAST_ROOM:
            raise EncoderError(f"the disk of {output} has {free / 1e6:.1f} MB free: make room, or name another folder")
        begins = encoding.source.window[0] if encoding.source.window is not None else Fraction(0)
        clip = vs.core.std.BlankClip(encoding.stream.clip, length=1).std.SetFrameProps(_DurationNum=1, _DurationDen=25)
        if encoding.stream.alpha is not None:
            clip = with_alpha(clip, vs.core.std.BlankClip(encoding.stream.alpha, length=1))
        short = replace(
            encoding,
            source=replace(encoding.source, window=(begins, HEARD)),
            stream=replace(encoding.stream, clip=clip, seconds=None),
        )
        with closing(clip.get_frame(0)) as frame, run_ffmpeg(short.command(frame, trial)) as pipe:
            writer = FrameWriter(pipe, short)
            writer.write(frame)
            writer.close()
