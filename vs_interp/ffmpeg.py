"""Find ffmpeg: the system's own first, else the binary that the imageio-ffmpeg package ships."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from .errors import EncoderError


def find_ffmpeg() -> str:
    """Return the path of an ffmpeg binary.

    ``VS_INTERP_FFMPEG`` names one to prefer.  Raises :class:`EncoderError` when there is none.
    """
    named = os.environ.get("VS_INTERP_FFMPEG")
    if named:
        if shutil.which(named) is None:
            raise EncoderError(f"VS_INTERP_FFMPEG names {named!r}, which is no program: correct or unset it")
        return named
    system = shutil.which("ffmpeg")
    if system is not None:
        return system
    try:
        import imageio_ffmpeg

        binary = imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError) as error:
        raise EncoderError("no ffmpeg found: install it, or `pip install imageio-ffmpeg`") from error
    return str(Path(binary))
