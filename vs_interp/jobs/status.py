"""How far a job is: counted while it runs, handed to who shows it, and kept in its folder for ``jobs show``."""

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
"""Seconds, at least, between two states that are shown."""

WRITTEN = 5.0
"""Seconds, at least, between two states that are written down."""

RECENT = 60.0
"""Seconds over which the rate is taken."""


@dataclass(frozen=True)
class Working:
    """A worker, the chunk that it makes, and how many of its frames it has made."""

    worker: str
    chunk: int
    frames: int
    of_frames: int


@dataclass(frozen=True)
class Status:
    """How far a job is: frames that are made and all of them, frames a second, seconds that are left, and who works."""

    frames: int
    of_frames: int
    fps: float | None
    seconds_left: float | None
    workers: tuple[Working, ...]


class Listener(Protocol):
    """Hears how a job goes on."""

    def shows(self, status: Status) -> None:
        """So far it is now."""

    def says(self, line: str) -> None:
        """Something that a person should know."""

    def joins(self) -> None:
        """All chunks are there."""


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
        """A worker has made so many frames of a chunk; where it had another, that has all its frames."""
        before = self._working.get(worker)
        if before is not None and before.chunk != chunk:
            self._whole += before.of_frames
        self._working[worker] = Working(worker, chunk, frames, self._borders[chunk + 1] - self._borders[chunk])
        self._show()

    def made(self, worker: str) -> None:
        """A worker's chunk has all its frames."""
        self._whole += self._working.pop(worker).of_frames
        self._show()

    def lost(self, worker: str) -> None:
        """What a worker had made of a chunk is no more."""
        self._working.pop(worker, None)
        self._show()

    def says(self, line: str) -> None:
        """Something that a person should know."""
        self._listener.says(line)

    @property
    def status(self) -> Status:
        """How far the job is."""
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
            with suppress(OSError):  # the disk may be full, and that is told by who writes a chunk
                write_whole(self._folder / FILE, json.dumps(asdict(status)).encode())


def read_status(folder: Path) -> Status | None:
    """Return how far the job of a folder said that it is; ``None`` where it did not."""
    try:
        values = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return Status(**{**values, "workers": tuple(Working(**working) for working in values["workers"])})
    except (OSError, ValueError, KeyError, TypeError):
        return None
