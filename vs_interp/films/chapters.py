"""The chapters of a part of a film, in ffmpeg's format for metadata.

ffmpeg cuts chapters itself, but keeps those that end just where the part starts, and those that begin at its end.
"""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import av


def chapters_within(film: Path, start: Fraction, ends: Fraction) -> str | None:
    """Return the chapters of a part of a film, cut to it, as the text of a metadata file; ``None`` if it has none.

    The part begins ``start`` seconds after the start of the file, and ends ``ends`` seconds later.
    """
    found = []
    with av.open(f"file:{film}") as container:
        zero = Fraction(container.start_time or 0, av.time_base) + start
        for chapter in container.chapters():
            tick = Fraction(str(chapter["time_base"]))
            begin, end = max(chapter["start"] * tick - zero, Fraction(0)), min(chapter["end"] * tick - zero, ends)
            if end > begin:
                times = (round(time * av.time_base) for time in (begin, end))
                found.append("[CHAPTER]\nTIMEBASE=1/{}\nSTART={}\nEND={}\n".format(av.time_base, *times))
                found += [f"{_escaped(name)}={_escaped(value)}\n" for name, value in chapter["metadata"].items()]
    return f";FFMETADATA1\n{''.join(found)}" if found else None


def _escaped(text: str) -> str:
    return re.sub(r"([=;#\\\n])", r"\\\1", text)
