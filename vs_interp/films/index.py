"""Decode a film frame by frame: BestSource, which reads it once and keeps what it found in the user's cache."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import vapoursynth as vs

from vs_interp.errors import SourceError
from vs_interp.memory import give_back_freed_memory

from .inputs import kept_in
from .stamps import Progress, known_stamps
from .times import Stamps

CACHED, LARGEST_CACHE = 48, 100
"""Frames, and megabytes at most, that stay decoded for requests out of order: more would only be held."""


def decode(path: Path, track: int, pixels: int, progress: Progress | None = None) -> tuple[vs.VideoNode, Stamps]:
    """Return the decoded track, of so many pixels a frame, and its time stamps.  Raises :class:`SourceError`."""
    give_back_freed_memory()
    try:
        with _messages_to(progress):
            found: Any = vs.core.bs.VideoSource(
                str(path.absolute()), track=track, cachepath=str(kept_in(path)), showprogress=True,
                exporttimestamps=True, cachesize=max(1, min(LARGEST_CACHE, CACHED * pixels * 3 >> 20)),
            )  # fmt: skip
    except vs.Error as error:
        raise SourceError(f"{path} cannot be decoded ({str(error).removeprefix('VideoSource: ')})") from error
    clip: vs.VideoNode = found["clip"]
    if clip.format is None or not clip.width:
        raise SourceError(f"{path} changes its size or format on the way: cut it at the changes first")
    return clip, known_stamps(np.atleast_1d(found["timestamps"]).tolist())  # a single one is handed on bare


@contextmanager
def _messages_to(progress: Progress | None) -> Iterator[None]:
    """Read how far the index is from what BestSource tells VapourSynth, which else would write it into the log.

    All else that it says there is that it returns time stamps without having declared them, which helps nobody.
    """
    logger = logging.getLogger("vapoursynth")

    def hear(record: logging.LogRecord) -> bool:
        told = re.search(r"index progress (\d+)%", record.getMessage())
        if told and progress is not None:
            progress(int(told[1]) / 100)
        return False

    level = logger.level
    logger.addFilter(hear)
    logger.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        logger.removeFilter(hear)
        logger.setLevel(level)
