"""A job's folder beside its output: the manifest, the chunks, and a lock held while a process works on the job."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from vs_interp.errors import ArgumentError, EncoderError
from vs_interp.files import write_whole

from .chunk import ChunkFolder, Record
from .plan import Manifest
from .status import FILE as STATUS
from .work import TOKEN

MANIFEST = "manifest.json"
LOCK = "lock"

OURS = re.compile(rf"chunk-\d+\.(mkv|json)|{MANIFEST}|{LOCK}|{TOKEN}|{STATUS}|\..*\.partial(\.mkv)?")
"""Matches the names of all files that a job writes into its folder."""


def folder_of(output: Path) -> Path:
    """Return the default folder of an output's job: ``OUT.job`` beside it."""
    return output.with_name(f"{output.name}.job")


def read_manifest(folder: Path) -> Manifest | None:
    """Return the manifest in a folder, ``None`` if there is none.

    Raises :class:`ArgumentError` if it is damaged or cannot be read.
    """
    path = folder / MANIFEST
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ArgumentError(f"{path} cannot be read ({error}): convert it with --restart") from error
    return Manifest.from_json(text, str(path))


@contextmanager
def locked(folder: Path, manifest: Manifest, *, restart: bool) -> Iterator[ChunkFolder]:
    """Create a job's folder or continue with the one that is there, and lock it while the block runs.

    restart
        Whether chunks of an earlier run are deleted.

    Raises :class:`ArgumentError` if the folder belongs to another job (the message names the differences), or another
    process works on it; :class:`EncoderError` if the folder cannot be written to.
    """
    try:
        folder.mkdir(exist_ok=True)
        with FileLock(folder / LOCK, timeout=0):
            try:
                _begin(folder, manifest, restart)
            except BaseException:
                _leave(folder)
                raise
            yield ChunkFolder(folder)
    except Timeout as error:
        raise ArgumentError(f"another process works on the job {folder}: wait for it, or end it") from error
    except OSError as error:
        raise EncoderError(f"cannot write into {folder}: {error.strerror or error}") from error


def _leave(folder: Path) -> None:
    """Undo the lock in a folder where no job could start, and remove the folder if it is empty."""
    if not (folder / MANIFEST).exists():
        with suppress(OSError):
            (folder / LOCK).unlink()
            folder.rmdir()


def _begin(folder: Path, manifest: Manifest, restart: bool) -> None:
    """Check that the folder's job is this one; without a job in it, or with ``restart``, write a new manifest."""
    earlier = None if restart else read_manifest(folder)
    differences = earlier.differences(manifest) if earlier else []
    if differences:
        raise ArgumentError(
            f"the job {folder} was started with other settings ({'; '.join(differences)}): use those, or --restart"
        )
    if earlier is None:
        strange = sorted(path.name for path in folder.iterdir() if not OURS.fullmatch(path.name))
        if strange:
            raise ArgumentError(
                f"{folder} holds {strange[0]}, which is not part of a job: name another folder with --job"
            )
        _clear(folder, but=(LOCK,))
        write_whole(folder / MANIFEST, manifest.to_json().encode())


def is_job(folder: Path) -> bool:
    """Whether a folder holds a job, which may be damaged: then a job's files, and no others, must be there."""
    try:
        if read_manifest(folder) is not None:
            return True
    except ArgumentError:
        pass
    names = {path.name for path in folder.glob("*")}
    return bool(names - {MANIFEST}) and all(map(OURS.fullmatch, names))


def remove(folder: Path) -> None:
    """Remove a job's folder with all its chunks.  Raises :class:`ArgumentError` if a process works on it."""
    try:
        with FileLock(folder / LOCK, timeout=0):
            _clear(folder, but=(LOCK,))
    except Timeout as error:
        raise ArgumentError(f"another process works on the job {folder}: end it first") from error
    _clear(folder, but=())


def _clear(folder: Path, but: Collection[str]) -> None:
    """Remove a job's files except ``but`` from a folder, the manifest last; without ``but``, an empty folder, too."""
    ours = [path for path in folder.iterdir() if OURS.fullmatch(path.name) and path.name not in but]
    for path in sorted(ours, key=lambda path: path.name == MANIFEST):
        path.unlink(missing_ok=True)
    if not but:
        with suppress(OSError):
            folder.rmdir()


def is_locked(folder: Path) -> bool:
    """Whether a process works on the job in a folder."""
    try:
        with FileLock(folder / LOCK, timeout=0):
            return False
    except Timeout:
        return True


def whole_chunks(chunks: ChunkFolder, manifest: Manifest) -> dict[int, Record]:
    """Return the records of complete chunks, by number; each film is read to check its hash."""
    return _fitting(manifest, chunks.record)


def recorded_chunks(chunks: ChunkFolder, manifest: Manifest) -> dict[int, Record]:
    """Return the records of chunks whose films have the recorded size, by number, without reading the films."""
    return _fitting(manifest, chunks.recorded)


def _fitting(manifest: Manifest, record_of: Callable[[int], Record | None]) -> dict[int, Record]:
    """Return those records whose number of frames is that of the manifest's chunk."""
    found: dict[int, Record] = {}
    for number, (start, stop) in enumerate(manifest.chunks):
        record = record_of(number)
        if record is not None and record.frames == stop - start:
            found[number] = record
    return found
