"""A job's progress: counted while it runs, passed to a listener, and kept in its folder for ``jobs show``."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from vs_interp.files import write_whole

FILE = "status.json"

SHOWN = 0.2
"""The least seconds between two calls of :meth:`Listener.shows`."""

WRITTEN = 5.0
"""The least seconds between two writes of the status file."""

RECENT = 60.0
"""Seconds over which the frame rate is averaged."""


@dataclass(frozen=True)
class Working:
    """A busy worker, the number of its chunk, and how many of the chunk's frames it has made."""

    worker: str
    chunk: int
    frames: int
    of_frames: int


@dataclass(frozen=True)
class Status:
    """A job's progress: frames made and in all, frames per second, estimated seconds left, and the busy workers.

    ``fps`` and ``seconds_left`` are ``None`` before the first frame.
    """

    frames: int
    of_frames: int
    fps: float | None
    seconds_left: float | None
    workers: tuple[Working, ...]


class Listener(Protocol):
    """Receives a job's progress and messages, to show them to the user."""

    def shows(self, status: Status) -> None:
        """Show the progress."""

    def says(self, line: str) -> None:
        """Show a message."""

    def joins(self) -> None:
        """Show that all chunks are made and are now being joined."""


class Board:
    """Counts the frames of a job, whoever makes them.

    Only the thread that runs the job may call it.
    """

    def __init__(self, folder: Path, borders: Sequence[int], kept: int, listener: Listener) -> None:
        self._folder, self._borders, self._whole, self._listener = folder, borders, kept, listener
        self._working: dict[str, Working] = {}
        self._recent: deque[tuple[float, int]] = deque([(time.monotonic(), kept)])
        self._shown = self._written = 0.0

    def works(self, worker: str, chunk: int, frames: int) -> None:
        """Record that a worker has made ``frames`` of a chunk; a chunk that it had before is thereby complete."""
        before = self._working.get(worker)
        if before is not None and before.chunk != chunk:
            self._whole += before.of_frames
        self._working[worker] = Working(worker, chunk, frames, self._borders[chunk + 1] - self._borders[chunk])
        self._show()

    def made(self, worker: str) -> None:
        """Record that a worker's chunk is complete."""
        self._whole += self._working.pop(worker).of_frames
        self._show()

    def lost(self, worker: str) -> None:
        """Record that a worker's unfinished chunk is discarded."""
        self._working.pop(worker, None)
        self._show()

    def says(self, line: str) -> None:
        """Pass a message on to the listener."""
        self._listener.says(line)

    @property
    def status(self) -> Status:
        """The job's progress now."""
        now, frames = time.monotonic(), self._whole + sum(working.frames for working in self._working.values())
        while len(self._recent) > 1 and now - self._recent[1][0] > RECENT:
            self._recent.popleft()
        since, before = self._recent[0]
        fps = (frames - before) / (now - since) if frames > before else None
        left = None if fps is None else round((self._borders[-1] - frames) / fps, 1)
        workers = tuple(self._working[name] for name in sorted(self._working))
        return Status(frames, self._borders[-1], None if fps is None else round(fps, 3), left, workers)

    def _show(self) -> None:
        now = time.monotonic()
        if now - self._shown < SHOWN:
            return
        self._shown, status = now, self.status
        self._listener.shows(status)
        if now - self._written >= WRITTEN:
            self._written = now
            self._recent.append((now, status.frames))
            with suppress(OSError):  # a full disk is reported when a chunk is written
                write_whole(self._folder / FILE, json.dumps(asdict(status)).encode())


def read_status(folder: Path) -> Status | None:
    """Return the last progress that a job wrote into its folder; ``None`` if there is none, or it is damaged."""
    try:
        values = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return Status(**{**values, "workers": tuple(Working(**working) for working in values["workers"])})
    except (OSError, ValueError, KeyError, TypeError):
        return None
