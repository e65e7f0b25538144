"""The folder of a run, apart from its checkpoints: a lock while a process trains there, the recipe, and versions."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout

from vs_interp.errors import ArgumentError, CheckpointError
from vs_interp.files import write_whole
from vs_interp.host import processor

from .processes import Processes
from .recipe import Recipe

LOCK, HOLDER = "lock", "trainer.json"
RECIPE, VERSIONS = "recipe.toml", "versions.json"


@contextmanager
def locked(folder: Path, processes: Processes) -> Iterator[None]:
    """Create a folder and lock it against other runs; it is removed at the end if nothing was written.

    The leading process locks it for all processes of a run.  Raises :class:`ArgumentError` if another run is training
    there, and :class:`CheckpointError` if the folder cannot be written.
    """
    if not processes.leads:
        yield
        return
    made = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / LOCK, timeout=0).acquire()
    except Timeout as error:
        raise ArgumentError(
            f"{_holder(folder)} is training in {folder}: wait for it, stop it, or name another folder"
        ) from error
    except OSError as error:
        raise CheckpointError(f"{folder} cannot be written ({error.strerror}): name another folder") from error
    with lock:
        try:
            write(folder / HOLDER, {"process": os.getpid(), "machine": socket.gethostname()})
            yield
        finally:
            for name in (HOLDER, LOCK):
                (folder / name).unlink(missing_ok=True)
            if made:
                with suppress(OSError):
                    folder.rmdir()  # fails unless it is empty


def _holder(folder: Path) -> str:
    """Return which process has locked a folder, in words."""
    try:
        values = json.loads((folder / HOLDER).read_text(encoding="utf-8"))
        return f"process {values['process']} on {values['machine']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def write_conditions(folder: Path, recipe: Recipe, device: torch.device) -> None:
    """Write the current recipe of a run, and the software and hardware that run it."""
    on_gpu = device.type == "cuda"
    versions = {
        **{package: importlib.metadata.version(package) for package in ("vs-interp", "numpy", "safetensors")},
        "torch": torch.__version__,
        "python": platform.python_version(), "system": platform.platform(),
        "device": torch.cuda.get_device_name(device) if on_gpu else processor(),
    }  # fmt: skip
    write(folder / RECIPE, recipe.text)
    write(folder / VERSIONS, versions)


def write(path: Path, content: str | dict[str, Any]) -> None:
    """Write a small file, completely or not at all.  Raises :class:`CheckpointError` if it cannot be written."""
    text = content if isinstance(content, str) else json.dumps(content, indent=1) + "\n"
    try:
        write_whole(path, text.encode())
    except OSError as error:
        raise CheckpointError(f"{path} cannot be written ({error.strerror}): make room and resume") from error
