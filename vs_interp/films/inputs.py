"""What can be given as a source: a file, a folder or pattern of pictures, or a pipe; and how each is opened."""

from __future__ import annotations

import errno
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

import av

from vs_interp.errors import SourceError
from vs_interp.files import folder_appearing_whole, natural
from vs_interp.folders import VARIABLE, cache_folder
from vs_interp.interrupt import on_forced_exit

from .unfinished import can_lock, lock

PICTURES = frozenset({
    ".avif", ".bmp", ".dpx", ".exr", ".jp2", ".jpeg", ".jpg", ".jxl", ".pgm", ".png", ".pnm", ".ppm", ".qoi", ".tga",
    ".tif", ".tiff", ".webp",
})  # fmt: skip
"""Suffixes of the pictures in a folder that make up a film."""

NUMBER = re.compile(r"%0?\d*d")
"""The place of a number in a pattern, as in C's ``printf``."""

PIPE = "-"
BLOCK = 1 << 22

PIPED = "vs-interp-pipe-"
"""Prefix of the temporary folder to which a pipe is saved while it is converted."""


def openable(path: Path) -> Path:
    """Return a path by which decoders can open a source.

    A file is opened by its own path, or by a link if the path is not UTF-8.  Pictures (a folder, or a pattern such as
    ``%05d.png`` or ``*.png``) are opened by numbered links in the natural order of their names.  Raises
    :class:`SourceError`.
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
            return _sequence(path, found, "matches no pictures: correct the pattern")
        piped, exists = is_pipe(path), path.exists()
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}") from error
    if piped:
        raise SourceError(
            f"{path} is a pipe, which can be read only once: let vs-interp convert read it, or save it first"
        )
    raise SourceError(
        f"cannot read {path}: {'it is neither a file nor a folder' if exists else 'there is no such file'}"
    )


def is_pattern(path: Path) -> bool:
    """Whether a path is a pattern for pictures, such as ``%05d.png`` or ``*.png``."""
    return bool(NUMBER.search(path.name) or set("*?") & set(path.name)) and path.suffix.lower() in PICTURES


def is_sequence(opened: Path) -> bool:
    """Whether a path from :func:`openable` is a sequence of pictures."""
    return opened.stem == "%08d"


def as_given(opened: Path) -> Path:
    """Return what stands behind the links of a path from :func:`openable`: a file, or the folder of the pictures."""
    if opened.parent.parent != cache_folder("links"):
        return opened
    file = min(opened.parent.iterdir()).readlink()
    return file.parent if is_sequence(opened) else file


def check_pictures(opened: Path, decoded: int) -> None:
    """Raise :class:`SourceError` unless all pictures of a sequence were decoded."""
    pictures = sorted(opened.parent.iterdir())
    if decoded < len(pictures):
        broken = next((picture.readlink() for picture in pictures if not _is_picture(picture)), None)
        example = "" if broken is None else f", such as {broken.name}"
        share = f"{len(pictures) - decoded} of the {len(pictures)} pictures in {as_given(opened)}"
        raise SourceError(f"{share} cannot be decoded{example}: replace or remove them")


def _is_picture(path: Path) -> bool:
    try:
        with av.open(f"file:{path}") as container:
            return next(container.decode(video=0), None) is not None
    except av.FFmpegError:
        return False


def unlike_the_first(opened: Path) -> str:
    """Return what is wrong with a sequence of pictures that differ in size or format, with the user's names."""
    pictures = sorted(opened.parent.iterdir())
    first, *others = ((picture.readlink(), _shape(picture)) for picture in pictures)
    name, shape = next((each for each in others if each[1] != first[1]), others[-1])
    return f"{name} is {shape}, and {first[0].name} is {first[1]}: make all pictures alike, or give a pattern for some"


def _shape(picture: Path) -> str:
    """Return the size and the pixel format of a picture."""
    try:
        with av.open(f"file:{picture}") as container:
            video = container.streams.video[0]
            return f"{video.width}x{video.height} in {video.pix_fmt}"
    except (av.FFmpegError, IndexError):
        return "no picture"


def is_pipe(path: Path) -> bool:
    """Whether a source is standard input (``-``) or a named pipe, which can be read only once."""
    with suppress(OSError):  # opening it later gives the error
        return str(path) == PIPE or path.is_fifo()
    return False


@contextmanager
def saved_pipe(path: Path, stdin: BinaryIO, progress: Callable[[float], None]) -> Iterator[Path]:
    """Save everything from a pipe to a temporary file (see ``TMPDIR``), yield its path, and remove it at the end.

    It has to be a file because decoders seek in it, and ffmpeg takes the sound from it.  Files left behind by killed
    processes are removed first.  ``progress`` is called with the number of bytes read so far.  Raises
    :class:`SourceError`.
    """
    _remove_abandoned()
    with (
        tempfile.TemporaryDirectory(prefix=PIPED) as folder,
        on_forced_exit(lambda: shutil.rmtree(folder, ignore_errors=True)),
        ExitStack() as opened,
    ):
        whole = Path(folder) / "film"
        received = 0
        try:
            held = opened.enter_context(whole.open("wb"))
            lock(held.fileno())
            with stdin if str(path) == PIPE else path.open("rb") as pipe:
                while block := pipe.read(BLOCK):
                    held.write(block)
                    progress(received := received + len(block))
            held.flush()
        except OSError as error:
            raise SourceError(f"cannot save the pipe to {folder}: {error.strerror}") from error
        if not received:
            raise SourceError("nothing came through the pipe: give a file, or a program that writes y4m, nut or ts")
        yield whole


def _remove_abandoned() -> None:
    """Remove the saved pipes of processes that were killed, which are those that nobody has locked."""
    for film in Path(tempfile.gettempdir()).glob(f"{PIPED}*/film"):
        with suppress(OSError), film.open("rb") as file:
            if can_lock() and lock(file.fileno()):
                shutil.rmtree(film.parent)


def index_folder(path: Path) -> Path:
    """Return the folder for a film's index: the user's cache, or that of a saved pipe, which is removed with it.

    It may be one that cannot be written; the index is then made anew each time.
    """
    return path.parent if path.parent.name.startswith(PIPED) else cache_folder("index")


def _is_text(path: Path) -> bool:
    """Whether a path is valid UTF-8, which VapourSynth requires."""
    try:
        str(path.absolute()).encode()
    except UnicodeEncodeError:
        return False
    return True


def _sequence(path: Path, pictures: Sequence[Path], none_found: str) -> Path:
    """Return a numbered pattern of links to these pictures; ``none_found`` is the message if there are none."""
    if not pictures:
        raise SourceError(f"cannot read {path}: it {none_found}")
    kinds = sorted({picture.suffix for picture in pictures})
    if len(kinds) > 1:
        raise SourceError(f"{path} holds pictures of several kinds ({', '.join(kinds)}): give a pattern such as *.png")
    ordered = sorted(pictures, key=lambda picture: natural(picture.name))
    return _links(ordered) / f"%08d{kinds[0]}"


def _links(files: Sequence[Path]) -> Path:
    """Return a folder of links to these files, numbered from 0; the same files get the same folder.

    It is in the user's cache.  Raises :class:`SourceError` if that cannot be written, :class:`OSError` for a lost file.
    """
    states = [(str(file.absolute()), file.stat()) for file in files]
    key = "\n".join(f"{name} {state.st_size} {state.st_mtime_ns}" for name, state in states)
    folder = cache_folder("links") / hashlib.sha256(os.fsencode(key)).hexdigest()[:32]
    try:
        if not folder.is_dir():
            with folder_appearing_whole(folder) as unfinished:
                for number, file in enumerate(files):
                    (unfinished / f"{number:08d}{file.suffix}").symlink_to(file.absolute())
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):  # otherwise another process was faster
            raise SourceError(
                f"cannot write into {folder.parent} ({error.strerror}): name another folder in {VARIABLE}"
            ) from error
    return folder
