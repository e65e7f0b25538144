"""Time codes (SMPTE ST 12): hours, minutes, seconds and the number of a frame in its second."""

from __future__ import annotations

import re
from fractions import Fraction


def retimed(timecode: str, source: Fraction, made: Fraction, first: int = 0) -> str | None:
    """Return the time code of a film's first frame at another frame rate; ``None`` where there is none.

    source, made
        Frames a second before and after; 0 where the rate varies.
    first
        The source's frame that the film begins with.
    """
    found = re.fullmatch(r"(\d\d):(\d\d):(\d\d)([:;.])(\d\d)", timecode)
    if found is None or not source or not made:
        return None
    hours, minutes, seconds, frame = (int(found[group]) for group in (1, 2, 3, 5))
    before, after = round(source), round(made)
    if found[4] != ":":  # numbers of frames are left out now and then: only where nothing is cut off is it plain which
        return f"{timecode[:9]}{frame * after // before:02}" if first == 0 and after % before == 0 else None
    whole, frame = divmod(((hours * 60 + minutes) * 60 + seconds) * before + frame + first, before)
    return f"{whole // 3600 % 24:02}:{whole // 60 % 60:02}:{whole % 60:02}:{frame * after // before:02}"
