"""TensorRT's kernel timings from earlier builds, shared by all builds for one GPU and one version of the runtime."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from filelock import FileLock

from vs_interp.files import write_whole
from vs_interp.log import logger

_CHECKSUM = 32


class TimingCache:
    """A file of timings: a SHA-256, then the runtime's own bytes.  A damaged file is discarded with a warning."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = FileLock(f"{path}.lock")

    def load(self, config: Any) -> None:
        """Give the stored timings to a builder configuration; if it rejects them, those of the build start a new file.

        It does so for the timings of another driver, for instance.
        """
        kept = config.create_timing_cache(self.read())
        if kept is None or not config.set_timing_cache(kept, ignore_mismatch=False):
            logger.warning("the timing cache %s is of another system: starting a new one", self.path.name)
            config.set_timing_cache(config.create_timing_cache(b""), ignore_mismatch=False)

    def store(self, config: Any) -> None:
        """Store the timings of a build, together with those that other builds have stored meanwhile."""
        measured = config.get_timing_cache()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._lock:
                kept = config.create_timing_cache(self.read())
                if kept is not None:
                    measured.combine(kept, ignore_mismatch=False)  # does nothing if the two do not match
                self.write(bytes(memoryview(measured.serialize())))
        except OSError as error:
            logger.warning("the timing cache %s cannot be written (%s)", self.path, error.strerror)

    def read(self) -> bytes:
        """Return the runtime's bytes, or none if the file is missing or damaged.

        A damaged file is removed with a warning.
        """
        try:
            content = self.path.read_bytes()
        except OSError:
            return b""
        checksum, measurements = content[:_CHECKSUM], content[_CHECKSUM:]
        if hashlib.sha256(measurements).digest() == checksum:
            return measurements
        logger.warning("the timing cache %s is damaged: starting a new one", self.path.name)
        self.path.unlink(missing_ok=True)
        return b""

    def write(self, measurements: bytes) -> None:
        """Replace the file's content."""
        write_whole(self.path, hashlib.sha256(measurements).digest() + measurements)
