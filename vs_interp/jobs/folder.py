"""A job's folder beside its output: the manifest, the chunks, and a lock while a process works on it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from vs_interp.errors import ArgumentError, EncoderError
from vs_interp.files import write_whole

from .chunk import ChunkFolder, Record
from .plan import Manifest

MANIFEST = "manifest.json"
LOCK = "lock"


def folder_of(output: Path) -> Path:
    """Return where the job of an output lies: ``OUT.job`` beside it."""
    return output.with_name(f"{output.name}.job")


def read_manifest(folder: Path) -> Manifest | None:
    """Return what a folder's job is; ``None`` where there is none.  Raises :class:`ArgumentError` for a damaged one."""
    path = folder / MANIFEST
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ArgumentError(f"{path} cannot be read ({error}): use --restart") from error
    return Manifest.from_json(text, str(path))


@contextmanager
def held(folder: Path, manifest: Manifest, *, restart: bool) -> Iterator[ChunkFolder]:
    """Hold a job's folder, new or begun before, as long as this process works on it.

    Raises :class:`ArgumentError` where the folder holds another job, which it names the differences to, or where
    another process works on it; :class:`EncoderError` where nothing can be written.
    """
    try:
        folder.mkdir(exist_ok=True)
        with FileLock(folder / LOCK, timeout=0):
            _begin(folder, manifest, restart)
            yield ChunkFolder(folder)
    except Timeout as error:
        raise ArgumentError(f"another process works on the job {folder}: wait for it, or end it") from error
    except OSError as error:
        raise EncoderError(f"cannot write into {folder}: {error.strerror or error}") from error


def _begin(folder: Path, manifest: Manifest, restart: bool) -> None:
    begun = None if restart else read_manifest(folder)
    differences = begun.differences(manifest) if begun else []
    if differences:
        raise ArgumentError(
            f"the job {folder} was begun otherwise ({'; '.join(differences)}): go on with the same, or use --restart"
        )
    if begun is None:
        for path in folder.iterdir():
            if path.name != LOCK:
                _remove(path)
        write_whole(folder / MANIFEST, manifest.to_json().encode())


def remove(folder: Path) -> None:
    """Remove a job's folder with all its chunks.  Raises :class:`ArgumentError` where a process works on it."""
    try:
        with FileLock(folder / LOCK, timeout=0):
            for path in folder.iterdir():
                if path.name != LOCK:
                    _remove(path)
    except Timeout as error:
        raise ArgumentError(f"another process works on the job {folder}: end it first") from error
    shutil.rmtree(folder, ignore_errors=True)


def _remove(path: Path) -> None:
    with suppress(FileNotFoundError):
        path.unlink()


def whole_chunks(chunks: ChunkFolder, manifest: Manifest) -> dict[int, Record]:
    """Return what is known of the chunks that are whole, by number."""
    found: dict[int, Record] = {}
    for number, (start, stop) in enumerate(manifest.chunks):
        record = chunks.record(number)
        if record is not None and record.frames == stop - start:
            found[number] = record
    return found
