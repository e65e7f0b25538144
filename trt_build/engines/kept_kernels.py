"""Kernels that TensorRT-RTX compiles when it first serves an engine, stored beside it for the next start."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from vs_interp.files import write_whole

from .targets import Gpu

_CHECKSUM = 32


class KernelCache:
    """One file for each plan, model of GPU and driver: a SHA-256, then the runtime's own bytes.

    A damaged file counts as missing.
    """

    def __init__(self, folder: Path, digest: str, gpu: Gpu) -> None:
        kind = hashlib.sha256(f"{gpu.name} {gpu.driver}".encode()).hexdigest()[:8]
        self._stem = folder / f"{digest}-{kind}"
        self._read: Mapping[str, bytes] = {}

    def read(self, plans: Iterable[str]) -> dict[str, bytes]:
        """Return the stored kernels of the named plans, by plan; those without any are left out."""
        found = {}
        for plan in plans:
            try:
                content = self._path(plan).read_bytes()
            except OSError:
                continue
            checksum, kernels = content[:_CHECKSUM], content[_CHECKSUM:]
            if hashlib.sha256(kernels).digest() == checksum:
                found[plan] = kernels
        self._read = found
        return found

    def write(self, kernels: Mapping[str, bytes]) -> None:
        """Store what is new.  A folder that cannot be written is no error: the next start only takes longer."""
        for plan, content in kernels.items():
            if content != self._read.get(plan):
                try:
                    write_whole(self._path(plan), hashlib.sha256(content).digest() + content)
                except OSError:
                    return

    def _path(self, plan: str) -> Path:
        return self._stem.with_name(f"{self._stem.name}.{plan}.kernels")
