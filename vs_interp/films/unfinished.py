"""Names for files that are being written, and what is left of them by processes that were killed."""

from __future__ import annotations

import contextlib
import glob
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vs_interp.errors import ArgumentError, EncoderError
from vs_interp.interrupt import on_forced_exit, raise_if_interrupted

LONGEST_STEM = 200
"""Bytes of an output's name that a name beside it repeats: file systems take 255 in all."""

try:
    from fcntl import LOCK_EX, LOCK_NB, flock
except ImportError:  # Windows, where no file can be removed that is open: nothing need be locked
    flock = None  # type: ignore[assignment]


@contextmanager
def finished_as(output: Path, *, overwrite: bool) -> Iterator[Path]:
    """Hand out a name beside ``output`` to write to, and rename it at the end; after an error, remove it.

    Files that killed processes left beside this output are removed first.  Raises :class:`EncoderError` where nothing
    can be written, :class:`ArgumentError` where ``output`` exists, be it only at the end, and ``overwrite`` is not set.
    """
    with beside(output, overwrite=overwrite) as unfinished:
        yield unfinished
        raise_if_interrupted()
        _check_free(output, overwrite)
        with _told(output):
            unfinished.replace(output)


@contextmanager
def beside(output: Path, *, overwrite: bool) -> Iterator[Path]:
    """Hand out a name beside ``output`` to write to, and remove that file at the end; errors as :func:`finished_as`."""
    unfinished = _name(output, str(os.getpid()))
    with _told(output):
        _check_free(output, overwrite)
        _remove_abandoned(output)
        file = unfinished.open("wb")
    with file, on_forced_exit(lambda: unfinished.unlink(missing_ok=True)):
        try:
            lock(file.fileno())
            yield unfinished
        finally:
            unfinished.unlink(missing_ok=True)


@contextmanager
def _told(output: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EncoderError(f"cannot write {output}: {error.strerror}") from error


def can_lock() -> bool:
    """Whether this system has locks that end with their process."""
    return flock is not None


def lock(file: int) -> bool:
    """Lock an open file as long as it is open and this process lives; return whether no other process has it locked."""
    if flock is None:
        return True
    try:
        flock(file, LOCK_EX | LOCK_NB)
    except OSError:
        return False
    return True


def _check_free(output: Path, overwrite: bool) -> None:
    """Raise :class:`ArgumentError` for a file that is to stay, :class:`OSError` for names that no file can have."""
    if output.exists() and not overwrite:
        raise ArgumentError(f"{output} exists: remove it, name another file, or give --overwrite")


def _name(output: Path, who: str) -> Path:
    """Return ``.STEM.WHO.partial.SUFFIX``, with less of a long stem."""
    suffix = os.fsencode(output.suffix)
    stem = os.fsencode(output.stem)[: LONGEST_STEM - len(suffix)]
    return output.with_name(os.fsdecode(b"." + stem + b"." + os.fsencode(who) + b".partial" + suffix))


def _remove_abandoned(output: Path) -> None:
    before, after = _name(output, "WHO").name.rsplit("WHO", 1)
    for path in output.parent.glob(f"{glob.escape(before)}[0-9]*{glob.escape(after)}"):
        with contextlib.suppress(OSError), path.open("rb") as file:
            if lock(file.fileno()):
                path.unlink()
