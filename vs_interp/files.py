"""Files that appear under their name only once they are whole."""

from __future__ import annotations

import os
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
