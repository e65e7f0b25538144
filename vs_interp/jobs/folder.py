"""A job's folder beside its output: the manifest, the chunks, and a lock while a process works on it."""

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
"""Names of what a job writes into its folder."""


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
    """Leave a folder in which no job could begin as it was: without the lock, and gone where it is empty."""
    if not (folder / MANIFEST).exists():
        with suppress(OSError):
            (folder / LOCK).unlink()
            folder.rmdir()


def _begin(folder: Path, manifest: Manifest, restart: bool) -> None:
    begun = None if restart else read_manifest(folder)
    differences = begun.differences(manifest) if begun else []
    if differences:
        raise ArgumentError(
            f"the job {folder} was begun otherwise ({'; '.join(differences)}): go on with the same, or use --restart"
        )
    if begun is None:
        strange = sorted(path.name for path in folder.iterdir() if not OURS.fullmatch(path.name))
        if strange:
            raise ArgumentError(f"{folder} holds {strange[0]}, which is no job's: name another folder with --job")
        _clear(folder, but=(LOCK,))
        write_whole(folder / MANIFEST, manifest.to_json().encode())


def remove(folder: Path) -> None:
    """Remove a job's folder with all its chunks.  Raises :class:`ArgumentError` where a process works on it."""
    try:
        with FileLock(folder / LOCK, timeout=0):
            _clear(folder, but=(LOCK,))
    except Timeout as error:
        raise ArgumentError(f"another process works on the job {folder}: end it first") from error
    _clear(folder, but=())


def _clear(folder: Path, but: Collection[str]) -> None:
    """Remove what is a job's in a folder, the manifest last, and the folder where nothing is left."""
    ours = [path for path in folder.iterdir() if OURS.fullmatch(path.name) and path.name not in but]
    for path in sorted(ours, key=lambda path: path.name == MANIFEST):
        path.unlink(missing_ok=True)
    if not but:
        with suppress(OSError):
            folder.rmdir()


def is_held(folder: Path) -> bool:
    """Whether a process works on the job of a folder."""
    try:
        with FileLock(folder / LOCK, timeout=0):
            return False
    except Timeout:
        return True


def whole_chunks(chunks: ChunkFolder, manifest: Manifest) -> dict[int, Record]:
    """Return what is known of the chunks that are whole, by number; each is read once from beginning to end."""
    return _those_of(manifest, chunks.record)


def recorded_chunks(chunks: ChunkFolder, manifest: Manifest) -> dict[int, Record]:
    """Return the same without reading the films: those that were whole when they were made."""
    return _those_of(manifest, chunks.recorded)


def _those_of(manifest: Manifest, known: Callable[[int], Record | None]) -> dict[int, Record]:
    found: dict[int, Record] = {}
    for number, (start, stop) in enumerate(manifest.chunks):
        record = known(number)
        if record is not None and record.frames == stop - start:
            found[number] = record
    return found
