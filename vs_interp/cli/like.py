"""The size and format of a film's frames, for the engines that it needs."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from .progress import part_done

if TYPE_CHECKING:
    from trt_build.profile import Profile


def profile_like(path: Path, *, quiet: bool) -> Profile:
    """Return the size and plane format of a film's frames, as the filters see them.

    Raises :class:`SourceError` if the film cannot be opened, :class:`ArgumentError` if filters do not support its
    format.
    """
    from vs_interp.films.source import Reading, open_source
    from vs_interp.filters.planes import profile_of

    any_rate = Reading(rate=Fraction(24), progressive=True)  # its frame rate and fields do not matter here
    with part_done(f"reading {path}", quiet=quiet) as progress:
        source = open_source(path, any_rate, progress)
    profile: Profile = profile_of(source.stream.clip)
    return profile
