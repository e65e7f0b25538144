"""What people name as a source: a file, a folder or pattern of pictures, a pipe; and the path by which it is opened."""

from __future__ import annotations

import fnmatch
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from vs_interp.errors import SourceError
from vs_interp.files import natural
from vs_interp.folders import cache_folder
from vs_interp.interrupt import on_forced_exit

from .unfinished import can_lock, lock

PICTURES = frozenset({
    ".avif", ".bmp", ".dpx", ".exr", ".jp2", ".jpeg", ".jpg", ".jxl", ".pgm", ".png", ".pnm", ".ppm", ".qoi", ".tga",
    ".tif", ".tiff", ".webp",
})  # fmt: skip
"""Suffixes of pictures that make up a film when they lie in a folder."""

NUMBER = re.compile(r"%0?\d*d")
"""How patterns write a number, as those of C do."""

PIPE = "-"
BLOCK = 1 << 22

PIPED = "vs-interp-pipe-"
"""What the name of a folder begins with that holds what came from a pipe, for as long as it is read."""


def openable(path: Path) -> Path:
    """Return the path by which decoders open a source: a link where its own name is none that they take.

    Pictures, as a folder, with a number (``%05d.png``) or with a pattern (``*.png``), become links with numbers in the
    order of their names, numbers in them by value.  Raises :class:`SourceError`.
    """
    try:
        if path.is_file():
            return path if _is_text(path) else _links([path]) / f"00000000{path.suffix}"
        if path.is_dir():
            found = [each for each in path.iterdir() if each.suffix.lower() in PICTURES]
            return _sequence(path, found, "is a folder without pictures: give a video file, or a folder of pictures")
        if is_pattern(path):
            fits = re.compile(NUMBER.sub(r"\\d+", fnmatch.translate(path.name)))
            found = [each for each in path.parent.iterdir() if fits.match(each.name)]
            return _sequence(path, found, "stands for no pictures: correct the pattern")
        is_pipe = comes_through_a_pipe(path)
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}") from error
    if is_pipe:
        raise SourceError(
            f"{path} is a pipe, which can be read only once: let vs-interp convert read it, or save it first"
        )
    raise SourceError(f"cannot read {path}: there is no such file")


def is_pattern(path: Path) -> bool:
    """Whether a name stands for many pictures."""
    return bool(NUMBER.search(path.name) or set("*?") & set(path.name)) and path.suffix.lower() in PICTURES


def is_sequence(opened: Path) -> bool:
    """Whether a path that :func:`openable` returned is that of numbered pictures."""
    return opened.stem == "%08d"


def comes_through_a_pipe(path: Path) -> bool:
    """Whether a source can be read only once, from its beginning to its end."""
    with suppress(OSError):  # who opens it says why it cannot be read
        return str(path) == PIPE or path.is_fifo()
    return False


@contextmanager
def piped(path: Path, stdin: BinaryIO, progress: Callable[[float], None]) -> Iterator[Path]:
    """Hand out a file with all that comes through a pipe, which is there until the end.

    Decoders go back and forth in a film, and ffmpeg takes the sound from it: it must lie on disk, in the folder for
    temporary files (``TMPDIR``).  What processes left there that were killed is removed first.  ``progress`` is called
    with the bytes that have come.  Raises :class:`SourceError`.
    """
    _remove_abandoned()
    with (
        tempfile.TemporaryDirectory(prefix=PIPED) as folder,
        on_forced_exit(lambda: shutil.rmtree(folder, ignore_errors=True)),
        ExitStack() as opened,
    ):
        whole = Path(folder) / "film"
        came = 0
        try:
            held = opened.enter_context(whole.open("wb"))
            lock(held.fileno())
            with stdin if str(path) == PIPE else path.open("rb") as pipe:
                while block := pipe.read(BLOCK):
                    held.write(block)
                    progress(came := came + len(block))
            held.flush()
        except OSError as error:
            raise SourceError(f"cannot keep what comes through the pipe in {folder}: {error.strerror}") from error
        if not came:
            raise SourceError("nothing came through the pipe: give a file, or a program that writes y4m, nut or ts")
        yield whole


def _remove_abandoned() -> None:
    """Remove what came through the pipes of processes that were killed: nobody has it locked."""
    for film in Path(tempfile.gettempdir()).glob(f"{PIPED}*/film"):
        with suppress(OSError), film.open("rb") as file:
            if can_lock() and lock(file.fileno()):
                shutil.rmtree(film.parent)


def kept_in(path: Path) -> Path:
    """Return the folder for what was found out about a film; of a piped one it is gone when that is."""
    return path.parent if path.parent.name.startswith(PIPED) else cache_folder("index")


def _is_text(path: Path) -> bool:
    """Whether a path is UTF-8, as VapourSynth wants it."""
    try:
        str(path.absolute()).encode()
    except UnicodeEncodeError:
        return False
    return True


def _sequence(path: Path, pictures: Sequence[Path], without: str) -> Path:
    """Return the numbered name of links to these pictures."""
    if not pictures:
        raise SourceError(f"cannot read {path}: it {without}")
    kinds = sorted({picture.suffix for picture in pictures})
    if len(kinds) > 1:
        raise SourceError(f"{path} holds pictures of several kinds ({', '.join(kinds)}): give a pattern such as *.png")
    ordered = sorted(pictures, key=lambda picture: natural(picture.name))
    return _links(ordered) / f"%08d{kinds[0]}"


def _links(files: Sequence[Path]) -> Path:
    """Return the folder of links to these files, numbered from 0; the same files have the same folder."""
    states = [(str(file.absolute()), file.stat()) for file in files]
    key = "\n".join(f"{name} {state.st_size} {state.st_mtime_ns}" for name, state in states)
    folder = cache_folder("links") / hashlib.sha256(os.fsencode(key)).hexdigest()[:32]
    if folder.is_dir():
        return folder
    unfinished = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    for number, file in enumerate(files):
        (unfinished / f"{number:08d}{file.suffix}").symlink_to(file.absolute())
    with suppress(OSError):  # another process may have been faster
        unfinished.rename(folder)
    return folder
