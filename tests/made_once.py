"""What takes long to make: one process of a run makes it, and the others find it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from vs_interp.files import write_whole

_folders: list[Path] = []


def keep_in(temporary: pytest.TempPathFactory) -> None:
    """Keep what is made in the temporary folder of the run, which its processes share."""
    own = temporary.getbasetemp()
    _folders[:] = [own.parent if "PYTEST_XDIST_WORKER" in os.environ else own]


def made_once(name: str, make: Callable[[], bytes]) -> bytes:
    """Return the content of a name, which is made where it is not there yet."""
    path = _folders[0] / name
    with FileLock(path.with_name(f"{name}.lock")):
        if not path.is_file():
            write_whole(path, make())
    return path.read_bytes()
