"""What TensorRT measured in earlier builds, shared by all builds for one GPU and one version of the runtime."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from filelock import FileLock

from vs_interp.files import write_whole
from vs_interp.log import logger

_CHECKSUM = 32


class TimingCache:
    """A file of measurements: SHA-256, then the runtime's own bytes.  A damaged one is thrown away, never an error."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = FileLock(f"{path}.lock")

    def load(self, config: Any) -> None:
        """Give the measurements kept so far to a build; those that it refuses, as of another driver, are begun anew."""
        kept = config.create_timing_cache(self.read())
        if kept is None or not config.set_timing_cache(kept, ignore_mismatch=False):
            logger.warning("the timing cache %s is of another system and is begun anew", self.path.name)
            config.set_timing_cache(config.create_timing_cache(b""), ignore_mismatch=False)

    def store(self, config: Any) -> None:
        """Add what a build measured to what other builds may have stored meanwhile."""
        measured = config.get_timing_cache()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._lock:
                kept = config.create_timing_cache(self.read())
                if kept is not None:
                    measured.combine(kept, ignore_mismatch=False)  # does nothing where they do not fit
                self.write(bytes(memoryview(measured.serialize())))
        except OSError as error:
            logger.warning("the timing cache %s is not kept (%s)", self.path, error.strerror)

    def read(self) -> bytes:
        """Return the runtime's bytes; none where the file is missing or damaged (which is said once, and it goes)."""
        try:
            content = self.path.read_bytes()
        except OSError:
            return b""
        checksum, measurements = content[:_CHECKSUM], content[_CHECKSUM:]
        if hashlib.sha256(measurements).digest() == checksum:
            return measurements
        logger.warning("the timing cache %s is damaged and is begun anew", self.path.name)
        self.path.unlink(missing_ok=True)
        return b""

    def write(self, measurements: bytes) -> None:
        """Replace the file's content."""
        write_whole(self.path, hashlib.sha256(measurements).digest() + measurements)
