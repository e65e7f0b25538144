"""The file formats of published weights, by suffix."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from .ncnn import read_ncnn
from .torch_file import read_torch
from .websr import read_websr

READERS: Mapping[str, Callable[[Path], dict[str, NDArray[Any]]]] = {".param": read_ncnn, ".json": read_websr}
"""Suffix → reader; files with other suffixes are PyTorch files."""


def read_published(path: Path) -> dict[str, NDArray[Any]]:
    """Return the tensors of a published file by name.  Raises :class:`~vs_interp.errors.CheckpointError`."""
    return READERS.get(path.suffix, read_torch)(path)
