"""Temporary names for files that are being written, and the removal of those that killed processes left behind."""

from __future__ import annotations

import contextlib
import glob
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from vs_interp.errors import ArgumentError, EncoderError
from vs_interp.interrupt import on_forced_exit, raise_if_interrupted, uninterrupted

LONGEST_STEM = 200
"""Bytes of the output's name that its temporary name may repeat: file systems allow 255 in all."""

try:
    from fcntl import LOCK_EX, LOCK_NB, flock
except ImportError:  # Windows, where an open file cannot be removed, so that no lock is needed
    flock = None  # type: ignore[assignment]


@contextmanager
def finished_as(output: Path, *, overwrite: bool) -> Iterator[Path]:
    """Yield a temporary path beside ``output`` to write to; it is renamed at the end, or removed on an error.

    Such files left behind by killed processes are removed first.  Raises :class:`EncoderError` if the folder cannot be
    written to, :class:`ArgumentError` if ``output`` exists, even if only at the end, and ``overwrite`` is not set.
    """
    with temporary_beside(output, overwrite=overwrite) as unfinished:
        yield unfinished
        raise_if_interrupted()
        _check_free(output, overwrite)
        with _as_encoder_error(output):
            unfinished.replace(output)


@contextmanager
def temporary_beside(output: Path, *, overwrite: bool) -> Iterator[Path]:
    """Yield a temporary path beside ``output``, and remove that file at the end.  Raises as :func:`finished_as`."""
    unfinished = _temporary_name(output, str(os.getpid()))
    remove = partial(unfinished.unlink, missing_ok=True)
    with ExitStack() as stack:
        with _as_encoder_error(output), uninterrupted():
            _check_free(output, overwrite)
            _remove_abandoned(output)
            file = stack.enter_context(unfinished.open("wb"))
            stack.callback(remove)
            stack.enter_context(on_forced_exit(remove))
        lock(file.fileno())
        yield unfinished


@contextmanager
def _as_encoder_error(output: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EncoderError(f"cannot write {output}: {error.strerror}") from error


def can_lock() -> bool:
    """Whether this system has file locks that end with the process."""
    return flock is not None


def lock(file: int) -> bool:
    """Lock a file (by its descriptor) until it is closed; return ``False`` if another process has locked it."""
    if flock is None:
        return True
    try:
        flock(file, LOCK_EX | LOCK_NB)
    except OSError:
        return False
    return True


def _check_free(output: Path, overwrite: bool) -> None:
    """Raise :class:`ArgumentError` if the file exists and is to stay, :class:`OSError` for an impossible name."""
    if output.exists() and not overwrite:
        raise ArgumentError(f"{output} exists: remove it, name another file, or give --overwrite")


def _temporary_name(output: Path, who: str) -> Path:
    """Return ``.STEM.WHO.partial.SUFFIX``, with a long stem cut."""
    suffix = os.fsencode(output.suffix)
    stem = os.fsencode(output.stem)[: LONGEST_STEM - len(suffix)]
    return output.with_name(os.fsdecode(b"." + stem + b"." + os.fsencode(who) + b".partial" + suffix))


def _remove_abandoned(output: Path) -> None:
    before, after = _temporary_name(output, "WHO").name.rsplit("WHO", 1)
    for path in output.parent.glob(f"{glob.escape(before)}[0-9]*{glob.escape(after)}"):
        with contextlib.suppress(OSError), path.open("rb") as file:
            if lock(file.fileno()):
                path.unlink()
