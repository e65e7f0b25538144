"""The chapters of a part of a film, as a file for ffmpeg.

ffmpeg cuts chapters itself, but keeps those that end just where the part starts, and those that begin at its end.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path

import av

from vs_interp.errors import EncoderError
from vs_interp.files import write_whole
from vs_interp.folders import VARIABLE, cache_folder


def chapters_within(film: Path, start: Fraction, ends: Fraction) -> Path:
    """Return a file with the chapters of a part of a film, cut to it, in ffmpeg's metadata format.

    The part begins ``start`` seconds after the start of the file, and ends ``ends`` seconds later.  The file is in the
    user's cache, or in a temporary folder if the cache cannot be written.  Raises :class:`EncoderError` if neither can.
    """
    text = ";FFMETADATA1\n" + "".join(_chapters(film, start, ends))
    content = text.encode(errors="surrogateescape")  # titles that are not UTF-8 keep their bytes
    try:
        return _written(cache_folder("chapters"), content)
    except OSError as error:
        try:
            return _written(Path(_temporary_folder().name), content)
        except OSError:
            raise EncoderError(
                f"cannot write the chapters to {error.filename} ({error.strerror}): name a folder in {VARIABLE}"
            ) from error


def _written(folder: Path, content: bytes) -> Path:
    path = folder / f"{hashlib.sha256(content).hexdigest()[:32]}.txt"
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(path, content)
    return path


@cache
def _temporary_folder() -> tempfile.TemporaryDirectory[str]:
    """Return a folder that is removed when this process ends."""
    return tempfile.TemporaryDirectory(prefix="vs-interp-")


def _chapters(film: Path, start: Fraction, ends: Fraction) -> Iterator[str]:
    with av.open(f"file:{film}") as container:
        zero = Fraction(container.start_time or 0, av.time_base) + start
        for chapter in container.chapters():
            tick = Fraction(str(chapter["time_base"]))
            begin, end = max(chapter["start"] * tick - zero, Fraction(0)), min(chapter["end"] * tick - zero, ends)
            if end > begin:
                times = (round(time * av.time_base) for time in (begin, end))
                yield "[CHAPTER]\nTIMEBASE=1/{}\nSTART={}\nEND={}\n".format(av.time_base, *times)
                yield from (f"{_escaped(name)}={_escaped(value)}\n" for name, value in chapter["metadata"].items())


def _escaped(text: str) -> str:
    return re.sub(r"([=;#\\\n])", r"\\\1", text)
