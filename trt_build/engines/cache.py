"""Engines on disk: looked up by their key, built once, rebuilt if damaged.

An engine is two files named by the SHA-256 of its key: ``DIGEST.engine``, and ``DIGEST.json`` with the whole key,
sizes, times and the scores of its verification.  ``DIGEST-….kernels`` beside them hold the kernels that TensorRT-RTX
compiled when it served the engine.  An engine that cannot be stored is used all the same.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import AcquireReturnProxy, FileLock, Timeout

from vs_interp.files import PARTIAL, write_whole
from vs_interp.folders import cache_folder
from vs_interp.log import logger

from .engine import Engine, EngineError
from .key import EngineKey

LIMIT = 20 * 2**30
"""Bytes of engines to keep; beyond that, the least recently used are removed."""


@dataclass(frozen=True)
class Built:
    """A new engine, and the result of its verification.

    scores
        Content → PSNR in dB; ``None`` if it was not verified.
    where
        The GPU that it was verified on, if any.
    """

    engine: Engine
    scores: Mapping[str, float] | None = None
    where: str | None = None


@dataclass(frozen=True)
class Entry:
    """An engine in the cache, as its JSON file describes it; ``about`` is empty if that cannot be read."""

    path: Path
    size: int
    used: datetime
    about: Mapping[str, Any]

    @property
    def key(self) -> EngineKey | None:
        """The engine's key; ``None`` if it cannot be read."""
        try:
            return EngineKey.of(self.about["key"])
        except (KeyError, ValueError):
            return None

    @property
    def digest(self) -> str:
        """The key's SHA-256: the engine's name."""
        return self.path.stem

    def read(self) -> Engine:
        """Return the engine.  Raises :class:`OSError`, or :class:`EngineError` if it is damaged or misnamed."""
        engine = Engine.from_bytes(self.path.read_bytes())
        key = self.key
        if key is None or key.digest != self.digest or engine.about != key.about():
            raise EngineError("its description is lost, or belongs to another engine")
        return engine


class EngineCache:
    """A folder of engines (by default ``engines`` in the user's cache) that several processes may use at the same time.

    ``limit`` is in bytes.  ``say`` is called with a line of text about every rebuild and every engine that cannot be
    stored; by default that is a warning.
    """

    def __init__(
        self, folder: Path | None = None, *, limit: int = LIMIT, say: Callable[[str], None] | None = None
    ) -> None:
        self.folder = folder or cache_folder("engines")
        self.limit = limit
        self._say = say or logger.warning

    def get_or_build(self, key: EngineKey, build: Callable[[], Built]) -> Engine:
        """Return the engine of a key, from disk or else from ``build``, which only one process at a time runs.

        A damaged or misnamed file is rebuilt, and an engine that cannot be stored is returned all the same; ``say`` is
        told in both cases.  Exceptions of ``build`` are passed on.
        """
        with contextlib.suppress(OSError, EngineError):
            return self._read(key)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            held = self._locked(key)
        except OSError as error:
            self._say(
                f"cannot store engines in {self.folder} ({error.strerror}): set VS_INTERP_CACHE to another folder"
            )
            return build().engine
        with held:
            try:
                return self._read(key)
            except FileNotFoundError:
                pass
            except (OSError, EngineError) as error:
                self._say(f"the engine {key.digest[:12]} is rebuilt: {error}")
            self._sweep(key.digest)
            start = time.monotonic()
            built = build()
            self._store(key, built, time.monotonic() - start)
            return built.engine

    def log_path(self, key: EngineKey) -> Path:
        """Return the path at which the log of a failed build is kept."""
        return self.folder / "logs" / f"{key.digest[:16]}.log"

    def entries(self) -> Iterator[Entry]:
        """Yield every engine, most recently used first."""
        found = []
        for path in self.folder.glob("*.engine"):
            with contextlib.suppress(FileNotFoundError):  # another process may have just removed it
                status = path.stat()
                used = datetime.fromtimestamp(status.st_mtime, UTC)
                found.append(Entry(path, status.st_size, used, _read_json(path.with_suffix(".json"))))
        yield from sorted(found, key=lambda entry: entry.used, reverse=True)

    def find(self, key: EngineKey) -> Entry | None:
        """Return the entry of a key, or ``None``; the engine itself is not read."""
        return next((entry for entry in self.entries() if entry.digest == key.digest), None)

    def verified_on(self, key: EngineKey) -> Mapping[str, Mapping[str, float]]:
        """Return the scores of a stored engine: GPU → content → PSNR in dB."""
        found = _read_json(self.folder / f"{key.digest}.json").get("verified_on", {})
        return found if isinstance(found, dict) else {}

    def note_verified(self, key: EngineKey, where: str, scores: Mapping[str, float]) -> None:
        """Store an engine's scores on a GPU.  If they cannot be written, the engine will be verified again."""
        path = self.folder / f"{key.digest}.json"
        about = _read_json(path)
        if about:
            about["verified_on"] = {**self.verified_on(key), where: dict(scores)}
            with contextlib.suppress(OSError):
                write_whole(path, json.dumps(about, indent=1).encode())

    def take(self, key: EngineKey, engine: Engine, about: Mapping[str, Any]) -> bool:
        """Store an engine from another cache with its description there; return whether it was missing here.

        If it is here already it stays, and counts as verified on the other's GPUs too.  Raises :class:`OSError`.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._locked(key):
            try:
                self._read(key)
            except (OSError, EngineError):
                self._write(key, engine, about)
                return True
        for where, scores in about["verified_on"].items():
            if where not in self.verified_on(key):
                self.note_verified(key, where, scores)
        return False

    def remove(self, entry: Entry) -> None:
        """Remove an engine and its files.  A process that serves it is not disturbed: it has it in memory."""
        beside = self.folder.glob(f"{entry.digest}-*.kernels")
        for path in (entry.path, entry.path.with_suffix(".json"), *beside):
            path.unlink(missing_ok=True)

    def sweep(self) -> int:
        """Remove the unfinished files of killed builds, not of running ones, and return how many these were."""
        removed = 0
        for digest in {path.name[1:].split(".")[0] for path in self.folder.glob(f".*{PARTIAL}")}:
            lock = FileLock(self.folder / f".{digest}.lock")
            with contextlib.suppress(Timeout, OSError), lock.acquire(blocking=False):
                removed += self._sweep(digest)
        return removed

    def _locked(self, key: EngineKey) -> AcquireReturnProxy[FileLock]:
        """Return the acquired lock of a key, and say so if that takes waiting for another process."""
        lock = FileLock(self.folder / f".{key.digest}.lock")
        try:
            return lock.acquire(blocking=False)
        except Timeout:
            self._say("another process is building this engine: waiting for it")
            return lock.acquire()

    def _read(self, key: EngineKey) -> Engine:
        """Return the stored engine.  Raises :class:`OSError`, or :class:`EngineError` if it is damaged."""
        path = self.folder / f"{key.digest}.engine"
        engine = Engine.from_bytes(path.read_bytes())
        if engine.about != key.about():
            raise EngineError(f"it was made for {_difference(engine.about, key.about())}")
        with contextlib.suppress(OSError):
            os.utime(path)
        return engine

    def _store(self, key: EngineKey, built: Built, seconds: float) -> None:
        about = {
            "key": key.about(),
            "built": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(seconds, 2),
            "plans": {name: len(plan) for name, plan in built.engine.plans.items()},
            "psnr": None if built.scores is None else dict(built.scores),
            "verified_on": {} if built.where is None else {built.where: dict(built.scores or {})},
        }
        try:
            self._write(key, built.engine, about)
        except OSError as error:
            self._say(f"the engine could not be stored in {self.folder} ({error.strerror})")

    def _write(self, key: EngineKey, engine: Engine, about: Mapping[str, Any]) -> None:
        path = self.folder / f"{key.digest}.engine"
        write_whole(path.with_suffix(".json"), json.dumps(about, indent=1).encode())
        write_whole(path, Engine(engine.plans, key.about()).to_bytes())
        self._shrink(keep=path)

    def _shrink(self, keep: Path) -> None:
        """Remove the least recently used engines, but not ``keep``, until the others are within the limit."""
        total = 0
        for entry in self.entries():
            total += entry.size
            if total > self.limit and entry.path != keep:
                self.remove(entry)
                total -= entry.size

    def _sweep(self, digest: str) -> int:
        """Remove the unfinished files of a key whose lock is held here, so that their writer must be dead."""
        stale = list(self.folder.glob(f".{digest}.*{PARTIAL}"))
        for path in stale:
            path.unlink(missing_ok=True)
        return len(stale)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}


def _difference(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """Return the first difference of two keys, as part of a sentence."""
    name = next(name for name in {**wanted, **found} if found.get(name) != wanted.get(name))
    return f"the {name} {found.get(name)!r}, not {wanted.get(name)!r}"
