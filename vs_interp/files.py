"""Files and folders that appear under their name only once they are complete, and the natural order of names."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PARTIAL = ".partial"


@contextmanager
def appearing_whole(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` to write to; it replaces ``path`` at the end, and is removed on an error.

    A process that is killed leaves ``.NAME.PID.partial`` behind.  Raises :class:`OSError`, which names ``path``.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}{PARTIAL}")
    try:
        yield unfinished
        with unfinished.open("rb+") as file:
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException as error:
        unfinished.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None and error.filename in (None, str(unfinished)):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def write_whole(path: Path, content: bytes) -> None:
    """Write a file atomically: ``path`` holds either its old content or all of the new.  Raises :class:`OSError`."""
    with appearing_whole(path) as unfinished:
        unfinished.write_bytes(content)


@contextmanager
def folder_appearing_whole(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder beside ``folder`` to write to; it gets that name at the end, and is removed on an error.

    A process that is killed leaves ``.NAME.PID.partial`` behind, which a later one with its PID removes.  Raises
    :class:`OSError`, also if ``folder`` exists and is not empty.
    """
    unfinished = folder.absolute().with_name(f".{folder.name}.{os.getpid()}{PARTIAL}")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        unfinished.mkdir(parents=True)
        yield unfinished
        with suppress(FileNotFoundError):
            folder.rmdir()  # an empty one: Windows renames nothing onto it
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def natural(name: str) -> list[tuple[int, str]]:
    """Return a sort key that orders the numbers in names by value: ``2.png`` before ``10.png``."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]
