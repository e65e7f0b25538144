"""What a film's frames are, for engines that are to serve it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from .progress import part_done

if TYPE_CHECKING:
    from trt_build.profile import Profile


def profile_like(path: Path, *, quiet: bool) -> Profile:
    """Return size and planes of a film's frames, as filters see them.

    Raises :class:`SourceError` where it cannot be opened, :class:`ArgumentError` where no filter takes such frames.
    """
    from vs_interp.films.source import Reading, open_source
    from vs_interp.filters.planes import profile_of

    any_rate = Reading(rate=Fraction(24), progressive=True)  # its times do not matter, nor that it is interlaced yet
    with part_done(f"reading {path}", quiet=quiet) as progress:
        source = open_source(path, any_rate, progress)
    profile: Profile = profile_of(source.stream.clip)
    return profile
