"""Listing the folders of a data set, with errors that say what is missing in them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

from vs_interp.errors import DatasetError
from vs_interp.files import natural

from .pictures import Clip

FEWEST = 2
"""Fewest frames of a sequence."""


def whole(root: Path, clips: Sequence[Clip]) -> Sequence[Clip]:
    """Return the clips.  Raises :class:`DatasetError` if one has fewer than :data:`FEWEST` frames."""
    for clip in clips:
        if len(clip.files) < FEWEST:
            raise DatasetError(
                f"{root / clip.name} holds {len(clip.files)} pictures, and consecutive frames were expected: "
                "unpack it again, or remove it"
            )
    return clips


def listed(path: Path, depth: int) -> list[str]:
    """Return the folders named in a list file, each a path of ``depth`` plain names.

    Raises :class:`DatasetError` if it cannot be read or has other lines, which might lead out of the data set.
    """
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} cannot be read, and the list of its sequences was expected there") from error
    pattern = re.compile("/".join([r"\w[\w.-]*"] * depth), re.ASCII)
    for number, line in enumerate(lines, 1):
        if line and not pattern.fullmatch(line):
            raise DatasetError(f"{path}, line {number}: {line[:80]!r} names no sequence: fetch the list again")
    names = [line for line in lines if line]
    if not names:
        raise DatasetError(f"{path} is empty, and the list of its sequences was expected there: fetch it again")
    return names


def present(root: Path, names: Iterable[str]) -> None:
    """Raise :class:`DatasetError` if folders named in a list are missing.  Each parent folder is listed only once."""
    folder(root, "the folders that its list names")
    missing: list[str] = []
    for parent, group in groupby(names, lambda name: name.rpartition("/")[0]):
        there = {path.name for path in (root / parent).iterdir()} if (root / parent).is_dir() else set()
        missing += [name for name in group if name.rpartition("/")[2] not in there]
    if missing:
        raise DatasetError(
            f"{root / missing[0]} is missing ({len(missing)} of the listed folders are): unpack the data set again"
        )


def subfolders(root: Path, expected: str) -> list[str]:
    """Return the names of a folder's subfolders, 2 before 10.

    Raises :class:`DatasetError`, which says what was ``expected`` there, if there are none.
    """
    folder(root, expected)
    found = sorted((path.name for path in root.iterdir() if path.is_dir()), key=natural)
    if not found:
        raise DatasetError(f"{root} is empty, and {expected} were expected in it")
    return found


def folder(path: Path, expected: str) -> None:
    """Raise :class:`DatasetError`, which says what was ``expected`` there, unless a path is a folder."""
    if not path.is_dir():
        raise DatasetError(f"{path} is not a folder, and {expected} were expected in it")
