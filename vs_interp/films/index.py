"""Frame-accurate decoding by BestSource, which reads a film once and keeps its index in the user's cache."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import vapoursynth as vs

from vs_interp.errors import SourceError
from vs_interp.memory import hold_memory

from .inputs import as_given, index_folder, is_sequence, unlike_the_first
from .stamps import Progress, known_stamps
from .times import Stamps

CACHED, LARGEST_CACHE = 48, 100
"""How many frames, and at most how many megabytes, stay decoded for requests out of order."""


def decode(path: Path, track: int, pixels: int, progress: Progress | None = None) -> tuple[vs.VideoNode, Stamps]:
    """Return a video track as a clip, and the time stamps of its frames in ticks.

    ``pixels`` is the size of a frame, for the cache; ``progress`` is called while the film is indexed.  Raises
    :class:`SourceError`.
    """
    hold_memory()
    try:
        with _messages_to(progress):
            found: Any = vs.core.bs.VideoSource(
                str(path.absolute()), track=track, showprogress=True, exporttimestamps=True,
                cachesize=max(1, min(LARGEST_CACHE, CACHED * pixels * 3 >> 20)), **_kept_in(index_folder(path)),
            )  # fmt: skip
    except vs.Error as error:
        given = as_given(path)
        reason = str(error).removeprefix("VideoSource: ").replace(str(path), str(given))
        raise SourceError(f"{given} cannot be decoded ({reason})") from error
    clip: vs.VideoNode = found["clip"]
    if clip.format.color_family == vs.UNDEFINED or not clip.width:
        if is_sequence(path):
            raise SourceError(unlike_the_first(path))
        raise SourceError(f"{as_given(path)} changes its size or format midway: cut it at the changes first")
    return clip, known_stamps(np.atleast_1d(found["timestamps"]).tolist())  # of one frame it is a number, not a list


def _kept_in(folder: Path) -> dict[str, Any]:
    """Return BestSource's options to keep its index in a folder; not to, if that cannot be written: it would refuse."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return {"cachemode": 0}
    return {"cachepath": str(folder)} if os.access(folder, os.W_OK) else {"cachemode": 0}


@contextmanager
def _messages_to(progress: Progress | None) -> Iterator[None]:
    """Turn BestSource's messages about the progress of its index into calls, and keep all others out of the log.

    The only other one is that it returns time stamps without having declared them, which is of no use to users.
    """
    logger = logging.getLogger("vapoursynth")

    def to_progress(record: logging.LogRecord) -> bool:
        found = re.search(r"index progress (\d+)%", record.getMessage())
        if found and progress is not None:
            progress(int(found[1]) / 100)
        return False

    level = logger.level
    logger.addFilter(to_progress)
    logger.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        logger.removeFilter(to_progress)
        logger.setLevel(level)
