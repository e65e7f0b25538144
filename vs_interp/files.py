"""Files that appear under their name only once they are whole, and the order of names."""

from __future__ import annotations

import os
import re
from pathlib import Path

PARTIAL = ".partial"


def write_whole(path: Path, content: bytes) -> None:
    """Write beside the file, to disk, then rename; whatever happens, the name holds the old content or the new.

    A process that is killed leaves ``.NAME.PID.partial`` behind.  Raises :class:`OSError`.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}{PARTIAL}")
    try:
        with unfinished.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def natural(name: str) -> list[tuple[int, str]]:
    """Return a key that sorts the numbers within names by value."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]
