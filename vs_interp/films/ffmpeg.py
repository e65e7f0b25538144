"""Find ffmpeg (the system's, or the one in imageio-ffmpeg) and ask what it supports."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from vs_interp.errors import EncoderError

REPEATS_OTHERS = (
    "Conversion failed", "Could not open encoder", "Could not write header", "Error applying encoder",
    "Error initializing output", "Error opening output", "Error selecting an encoder", "Error sending frames",
    "Error splitting the argument", "Error while filtering", "Error while opening encoder", "Nothing was written",
    "Task finished", "Terminating thread",
)  # fmt: skip
"""Beginnings of messages that only repeat that an earlier error was fatal."""


def find_ffmpeg() -> str:
    """Return the ffmpeg binary to use: the one named by ``VS_INTERP_FFMPEG``, on the path, or in imageio-ffmpeg.

    Raises :class:`EncoderError` if there is none.
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


def version(ffmpeg: str) -> str:
    """Return the version that a binary reports.  Raises :class:`EncoderError` if it is not a working ffmpeg."""
    found = re.match(r"ffmpeg version (\S+)", _ask(ffmpeg, "-version"))
    if found is None:
        raise EncoderError(f"{ffmpeg} is not a working ffmpeg: install one, or name another in VS_INTERP_FFMPEG")
    return found[1]


def pixel_formats(ffmpeg: str, encoder: str) -> frozenset[str]:
    """Return the pixel formats that an encoder accepts; none if this ffmpeg lacks the encoder."""
    listed = re.search(r"Supported pixel formats: (.*)", _ask(ffmpeg, "-hide_banner", "-h", f"encoder={encoder}"))
    return frozenset(listed[1].split()) if listed else frozenset()


def has_filter(ffmpeg: str, name: str) -> bool:
    """Whether this ffmpeg has a filter of that name."""
    return f"Filter {name}" in _ask(ffmpeg, "-hide_banner", "-h", f"filter={name}")


def keep_time_stamps(ffmpeg: str) -> tuple[str, str]:
    """Return the output option against dropped and repeated frames, whose name changed in ffmpeg 5.1."""
    renamed = "-fps_mode" in _ask(ffmpeg, "-hide_banner", "-h", "long")
    return "-fps_mode" if renamed else "-vsync", "passthrough"


def outputs_named(ffmpeg: str, arguments: Sequence[str]) -> list[str]:
    """Return the words among ffmpeg's options that are neither an option nor the value of one: names of output files.

    ffmpeg itself sorts its words, and says so in its log; it stops at an input that cannot be opened, before outputs.
    """
    log = _ask(ffmpeg, "-v", "debug", "-nostdin", "-i", "none:", *arguments) if arguments else ""
    return re.findall(r"Reading option '(.*)' \.\.\. matched as output url", log)


def error_in(log: str) -> str:
    """Return the line of ffmpeg's error output that tells the cause (the last that repeats no other), or ""."""
    lines = [re.sub(r"^(\[[^\]]* @ 0x[0-9a-f]+\] )+", "", line.strip()) for line in log.splitlines()]
    causes = [line for line in lines if line and not line.startswith(REPEATS_OTHERS)]
    return causes[-1].rstrip(".") if causes else ""


def _ask(ffmpeg: str, *arguments: str) -> str:
    """Return what a binary answers, which it is asked once: a film's encoding wants to know the same several times."""
    found = shutil.which(ffmpeg) or ffmpeg
    try:
        return _answer(found, Path(found).stat().st_mtime_ns, *arguments)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EncoderError(f"{ffmpeg} does not run ({error}): install ffmpeg, or set VS_INTERP_FFMPEG") from error


@cache
def _answer(ffmpeg: str, changed: int, *arguments: str) -> str:
    """Return both outputs of a binary, as it was when it was last ``changed``."""
    asked = subprocess.run([ffmpeg, *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False)
    return (asked.stdout + asked.stderr).decode(errors="replace")
