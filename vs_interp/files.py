"""Files that appear under their name only once they are whole, and the order of names."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PARTIAL = ".partial"


@contextmanager
def appearing_whole(path: Path) -> Iterator[Path]:
    """Hand out the name of a file beside ``path`` to write, which becomes ``path`` where nothing goes wrong.

    A process that is killed leaves ``.NAME.PID.partial`` behind.  Raises :class:`OSError`.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}{PARTIAL}")
    try:
        yield unfinished
        with unfinished.open("rb+") as file:
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def write_whole(path: Path, content: bytes) -> None:
    """Write a file to disk; whatever happens, its name holds the old content or the new.  Raises :class:`OSError`."""
    with appearing_whole(path) as unfinished:
        unfinished.write_bytes(content)


def natural(name: str) -> list[tuple[int, str]]:
    """Return a key that sorts the numbers within names by value."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]
