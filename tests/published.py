"""Networks with the weights that others published: fetched, for the tests that run with ``--published``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock

from vs_interp.folders import cache_folder
from vs_interp.networks.base import Network
from vs_interp.weights.catalogue import checkpoint, find
from vs_interp.weights.checkpoint import load_checkpoint
from vs_interp.weights.obtain import obtain, silent


@contextmanager
def published_checkpoint(name: str) -> Iterator[Path]:
    """Fetch the checkpoint of an entry of the catalogue, which is there for as long as the context lasts.

    Other processes that want the same one wait, as they do for :func:`~vs_interp.weights.obtain.obtain`.
    """
    folder = cache_folder("weights")
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f"{name}.lock"), checkpoint(find(name), None, silent) as path:
        yield path


def published_network(name: str, **settings: Any) -> Network:
    """Fetch the checkpoint of an entry of the catalogue, and load it."""
    with published_checkpoint(name) as path:
        return load_checkpoint(path, settings)


def published_model(name: str) -> Path:
    """Return the model file of an entry of the catalogue, made in the user's cache where it is not there yet."""
    entry = find(name)
    obtain(entry)
    return entry.model_file
