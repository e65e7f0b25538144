"""Time codes (SMPTE ST 12): hours, minutes, seconds, and the number of the frame within the second."""

from __future__ import annotations

import re
from fractions import Fraction


def retimed(timecode: str, source: Fraction, made: Fraction, first: int = 0) -> str | None:
    """Return the time code of the first frame at another frame rate; ``None`` if it cannot be given.

    source, made
        Frames per second before and after; 0 for a variable rate.
    first
        The number of the source's frame that becomes the first.
    """
    found = re.fullmatch(r"(\d\d):(\d\d):(\d\d)([:;.])(\d\d)", timecode)
    if found is None or not source or not made:
        return None
    hours, minutes, seconds, frame = (int(found[group]) for group in (1, 2, 3, 5))
    before, after = round(source), round(made)
    if found[4] != ":":  # drop-frame time codes skip numbers: only an uncut film at a whole factor is unambiguous
        return f"{timecode[:9]}{frame * after // before:02}" if first == 0 and after % before == 0 else None
    whole, frame = divmod(((hours * 60 + minutes) * 60 + seconds) * before + frame + first, before)
    return f"{whole // 3600 % 24:02}:{whole // 60 % 60:02}:{whole % 60:02}:{frame * after // before:02}"
