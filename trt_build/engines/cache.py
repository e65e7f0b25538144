"""Engines on disk: found by everything that makes them what they are, built once, replaced where they are damaged.

An engine is two files, named by the SHA-256 of its key: ``DIGEST.engine``, and ``DIGEST.json`` beside it with the whole
key, sizes, times and the verification's scores; what a runtime compiled when it served it lies beside them
(``DIGEST-….kernels``).  An engine that cannot be stored is used all the same.
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
"""Bytes of engines that are kept; beyond, those go that were not used for the longest time."""


@dataclass(frozen=True)
class Built:
    """An engine, and the PSNR in dB that its verification found for each content; ``None`` where there was none.

    where
        The GPU that it was measured on, where it was one.
    """

    engine: Engine
    scores: Mapping[str, float] | None = None
    where: str | None = None


@dataclass(frozen=True)
class Entry:
    """An engine in the cache, as its JSON file describes it; an empty ``about`` where that cannot be read."""

    path: Path
    size: int
    used: datetime
    about: Mapping[str, Any]

    @property
    def key(self) -> EngineKey | None:
        """What the engine is for; ``None`` where that cannot be read."""
        try:
            return EngineKey.of(self.about["key"])
        except (KeyError, ValueError):
            return None

    @property
    def digest(self) -> str:
        """The key's SHA-256: the engine's name."""
        return self.path.stem

    def read(self) -> Engine:
        """Return the engine.  Raises :class:`OSError`, or :class:`EngineError` where it is damaged or misnamed."""
        engine = Engine.from_bytes(self.path.read_bytes())
        key = self.key
        if key is None or key.digest != self.digest or engine.about != key.about():
            raise EngineError("its description is lost, or belongs to another engine")
        return engine


class EngineCache:
    """A folder of engines (by default ``engines`` in the user's cache) that several processes may use at the same time.

    ``say`` takes the lines that explain a rebuild or a cache that cannot be written; warnings by default.
    """

    def __init__(
        self, folder: Path | None = None, *, limit: int = LIMIT, say: Callable[[str], None] | None = None
    ) -> None:
        self.folder = folder or cache_folder("engines")
        self.limit = limit
        self._say = say or logger.warning

    def get_or_build(self, key: EngineKey, build: Callable[[], Built]) -> Engine:
        """Return the engine of that key, from disk or else from ``build``, which only one process at a time enters.

        A damaged or foreign file is rebuilt with a line that says so.  What ``build`` raises is passed on; an engine
        that cannot be stored is returned nevertheless, with a line that says why.
        """
        with contextlib.suppress(OSError, EngineError):
            return self._read(key)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            held = self._locked(key)
        except OSError as error:
            self._say(
                f"no engine can be kept in {self.folder} ({error.strerror}): name another folder in VS_INTERP_CACHE"
            )
            return build().engine
        with held:
            try:
                return self._read(key)
            except FileNotFoundError:
                pass
            except (OSError, EngineError) as error:
                self._say(f"the engine {key.digest[:12]} is built again: {error}")
            self._sweep(key.digest)
            start = time.monotonic()
            built = build()
            self._store(key, built, time.monotonic() - start)
            return built.engine

    def log_path(self, key: EngineKey) -> Path:
        """Return where the log of a failed build is kept."""
        return self.folder / "logs" / f"{key.digest[:16]}.log"

    def entries(self) -> Iterator[Entry]:
        """Yield every engine, the one that was used last first."""
        found = []
        for path in self.folder.glob("*.engine"):
            with contextlib.suppress(FileNotFoundError):  # another process has just removed it
                status = path.stat()
                used = datetime.fromtimestamp(status.st_mtime, UTC)
                found.append(Entry(path, status.st_size, used, _read_json(path.with_suffix(".json"))))
        yield from sorted(found, key=lambda entry: entry.used, reverse=True)

    def find(self, key: EngineKey) -> Entry | None:
        """Return the stored engine of that key, unread."""
        return next((entry for entry in self.entries() if entry.digest == key.digest), None)

    def verified_on(self, key: EngineKey) -> Mapping[str, Mapping[str, float]]:
        """Return what the stored engine of that key reached on each GPU that it was measured on."""
        found = _read_json(self.folder / f"{key.digest}.json").get("verified_on", {})
        return found if isinstance(found, dict) else {}

    def note_verified(self, key: EngineKey, where: str, scores: Mapping[str, float]) -> None:
        """Note what the stored engine of that key reached on a GPU; it is measured again where that cannot be kept."""
        path = self.folder / f"{key.digest}.json"
        about = _read_json(path)
        if about:
            about["verified_on"] = {**self.verified_on(key), where: dict(scores)}
            with contextlib.suppress(OSError):
                write_whole(path, json.dumps(about, indent=1).encode())

    def take(self, key: EngineKey, engine: Engine, about: Mapping[str, Any]) -> bool:
        """Keep an engine of another cache, with what is said about it there; return whether it was missing here.

        One that is here stays, and counts as measured wherever the other was.  Raises :class:`OSError`.
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
        """Remove an engine and what belongs to it; a process that serves it keeps it in memory."""
        beside = self.folder.glob(f"{entry.digest}-*.kernels")
        for path in (entry.path, entry.path.with_suffix(".json"), *beside):
            path.unlink(missing_ok=True)

    def sweep(self) -> int:
        """Remove what killed builds left behind, and return how many files that were; running builds are spared."""
        removed = 0
        for digest in {path.name[1:].split(".")[0] for path in self.folder.glob(f".*{PARTIAL}")}:
            lock = FileLock(self.folder / f".{digest}.lock")
            with contextlib.suppress(Timeout, OSError), lock.acquire(blocking=False):
                removed += self._sweep(digest)
        return removed

    def _locked(self, key: EngineKey) -> AcquireReturnProxy[FileLock]:
        """Return the key's lock, held; say so where another process has it."""
        lock = FileLock(self.folder / f".{key.digest}.lock")
        try:
            return lock.acquire(blocking=False)
        except Timeout:
            self._say("another process builds this engine: waiting for it")
            return lock.acquire()

    def _read(self, key: EngineKey) -> Engine:
        """Return the stored engine.  Raises :class:`OSError`, or :class:`EngineError` where it is damaged."""
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
            self._say(f"the engine is not kept: {self.folder} cannot take it ({error.strerror})")

    def _write(self, key: EngineKey, engine: Engine, about: Mapping[str, Any]) -> None:
        path = self.folder / f"{key.digest}.engine"
        write_whole(path.with_suffix(".json"), json.dumps(about, indent=1).encode())
        write_whole(path, Engine(engine.plans, key.about()).to_bytes())
        self._shrink(keep=path)

    def _shrink(self, keep: Path) -> None:
        """Remove the engines that were not used for the longest time until the others are within the limit."""
        total = 0
        for entry in self.entries():
            total += entry.size
            if total > self.limit and entry.path != keep:
                self.remove(entry)
                total -= entry.size

    def _sweep(self, digest: str) -> int:
        """Remove unfinished files of a key whose lock is held: their writer is dead."""
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
    """Return the first thing in which two keys differ."""
    name = next(name for name in {**wanted, **found} if found.get(name) != wanted.get(name))
    return f"the {name} {found.get(name)!r}, not {wanted.get(name)!r}"
