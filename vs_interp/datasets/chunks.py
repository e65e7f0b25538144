"""Large arrays in chunks: files with checksums that are mapped into memory, read by row, and never unpickled.

A folder holds ``index.json`` and, for every chunk and name, ``00000.NAME.npy``, with rows of one type and shape.  The
index has the number of rows of each chunk, the SHA-256 of each file, and its own.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vs_interp.errors import ArgumentError, DatasetError
from vs_interp.files import folder_appearing_whole

INDEX, VERSION = "index.json", 1

Row = dict[str, NDArray[Any]]
"""One sample: name → array."""


class Chunks:
    """The rows of a folder of chunks: ``chunks[i]`` gives the arrays of a row, as views of mapped files.

    Rows may be read in any order, and only what is read takes memory.  A copy in another process maps the files itself.
    Raises :class:`DatasetError` if the index is missing or damaged, or a file is missing or truncated.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.names, self._rows, self._sums = _read_index(folder)
        self.digest = hashlib.sha256(repr((self._rows, self._sums)).encode()).hexdigest()
        self._ends = list(accumulate(self._rows))
        self._maps: dict[tuple[int, str], NDArray[Any]] = {}
        for chunk in range(len(self._rows)):
            for name in self.names:
                self._map(chunk, name)
        self._maps.clear()

    def __reduce__(self) -> tuple[type[Chunks], tuple[Path]]:
        return Chunks, (self.folder,)

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, index: int) -> Row:
        """Return a row.  Raises :class:`IndexError` if there is no such row."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        chunk = bisect_right(self._ends, index)
        row = index - (self._ends[chunk - 1] if chunk else 0)
        return {name: self._map(chunk, name)[row] for name in self.names}

    def __iter__(self) -> Iterator[Row]:
        return map(self.__getitem__, range(len(self)))

    def check(self) -> Iterator[str | None]:
        """Compare every file with its SHA-256; yield what is wrong with it, or ``None`` if nothing is."""
        for (chunk, name), known in self._sums.items():
            path = chunk_path(self.folder, chunk, name)
            with path.open("rb") as file:
                good = hashlib.file_digest(file, "sha256").hexdigest() == known
            yield None if good else f"{path}: its SHA-256 differs from the index: copy or write it again"

    def _map(self, chunk: int, name: str) -> NDArray[Any]:
        if (chunk, name) not in self._maps:
            path = chunk_path(self.folder, chunk, name)
            try:
                mapped = np.load(path, mmap_mode="r", allow_pickle=False)
            except (OSError, ValueError) as error:
                raise DatasetError(f"{path} is missing or truncated ({error}): copy or write it again") from error
            if len(mapped) != self._rows[chunk]:
                raise DatasetError(
                    f"{path} has {len(mapped)} rows where its index says {self._rows[chunk]}: write it again"
                )
            self._maps[chunk, name] = mapped
        return self._maps[chunk, name]


def write_chunks(rows: Iterable[Mapping[str, NDArray[Any]]], folder: Path, *, rows_each: int = 256) -> int:
    """Write rows as chunks of ``rows_each`` to a new folder, and return how many rows there were.

    The folder appears once everything is written, or not at all.  Raises :class:`ArgumentError` if the rows differ in
    names, types or shapes or if there are none, and :class:`DatasetError` if the folder exists or cannot be written.
    """
    if folder.exists():
        raise DatasetError(f"{folder} exists: remove it, or name another folder")
    counts: list[int] = []
    sums: dict[str, str] = {}
    waiting: list[Row] = []
    try:
        with folder_appearing_whole(folder) as unfinished:
            for row in rows:
                waiting.append({name: np.asarray(array) for name, array in row.items()})
                _check_alike(waiting[0], waiting[-1])
                if len(waiting) == rows_each:
                    sums |= _write(unfinished, len(counts), waiting)
                    counts.append(len(waiting))
                    waiting = []
            if waiting:
                sums |= _write(unfinished, len(counts), waiting)
                counts.append(len(waiting))
            if not counts:
                raise ArgumentError("there are no rows to write: give at least one")
            content = {"version": VERSION, "rows": counts, "sums": sums}
            digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()
            (unfinished / INDEX).write_text(json.dumps({"sha256": digest, "index": content}), encoding="utf-8")
    except OSError as error:
        raise DatasetError(f"{folder} cannot be written ({error.strerror}), and nothing of it was kept") from error
    return sum(counts)


def chunk_path(folder: Path, chunk: int, name: str) -> Path:
    """Return the path of one array of a chunk."""
    return folder / f"{chunk:05}.{name}.npy"


def _write(folder: Path, chunk: int, rows: list[Row]) -> dict[str, str]:
    sums = {}
    for name in rows[0]:
        path = chunk_path(folder, chunk, name)
        with path.open("xb") as file:
            np.save(file, np.stack([row[name] for row in rows]), allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
        with path.open("rb") as file:
            sums[f"{chunk}/{name}"] = hashlib.file_digest(file, "sha256").hexdigest()
    return sums


def _check_alike(first: Row, other: Row) -> None:
    for name, array in other.items():
        if not re.fullmatch(r"[a-z0-9_]+", name) or array.dtype.hasobject:
            raise ArgumentError(
                f"{name!r} of {array.dtype} cannot be written: use a name of lower-case letters, and arrays of numbers"
            )
        if name not in first or (array.dtype, array.shape) != (first[name].dtype, first[name].shape):
            raise ArgumentError(f"the rows differ: {name} is {array.dtype} {array.shape}: make all rows alike")
    if first.keys() != other.keys():
        raise ArgumentError(f"the rows differ: {', '.join(first)} and {', '.join(other)}: make all rows alike")


def _read_index(folder: Path) -> tuple[tuple[str, ...], list[int], dict[tuple[int, str], str]]:
    path = folder / INDEX
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        content = values["index"]
        if hashlib.sha256(json.dumps(content).encode()).hexdigest() != values["sha256"]:
            raise DatasetError(f"{path} is damaged, its SHA-256 differs: copy or write the chunks again")
        if content["version"] != VERSION:
            raise DatasetError(f"{path} was written by another version of vs-interp: write the chunks again")
        sums = {}
        for place, known in content["sums"].items():
            chunk, name = place.split("/")
            if not re.fullmatch(r"[a-z0-9_]+", name):
                raise DatasetError(f"{path} holds {name!r}, which is not the name of an array: write the chunks again")
            sums[int(chunk), name] = str(known)
        rows = [int(count) for count in content["rows"]]
        if not rows or min(rows) < 1 or len(sums) % len(rows):
            raise ValueError("it has no rows")
        return tuple(dict.fromkeys(name for _, name in sums)), rows, sums
    except FileNotFoundError as error:
        raise DatasetError(f"{folder} holds no {INDEX}: name a folder written by write_chunks") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"{path} is not an index of chunks ({error}): copy or write the chunks again") from error
