"""Footage of picture files in folders, the form of most published data sets."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from vs_interp.errors import DatasetError
from vs_interp.extras import how_to_get
from vs_interp.files import natural
from vs_interp.size import Size

from .footage import Box, Footage, Frames

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")


class Clip(NamedTuple):
    """One sequence: its name, the names of its files, and their folder, which by default has the clip's name.

    Clips may share a tuple of names, which saves memory in large data sets.
    """

    name: str
    files: tuple[str, ...]
    folder: str | None = None


class Pictures(Footage):
    """Sequences of picture files; the folders of ``clips`` are relative to ``root``."""

    def __init__(self, root: Path, clips: Sequence[Clip], small: Footage | None = None) -> None:
        self.root, self.clips, self.small = root, tuple(clips), small
        self.lengths = tuple(len(clip.files) for clip in self.clips)
        self._sizes: dict[int, Size] = {}

    def name(self, sequence: int) -> str:
        return self.clips[sequence].name

    def frame_size(self, sequence: int) -> Size:
        if sequence not in self._sizes:
            self._sizes[sequence] = _size(self.path(sequence, 0))
        return self._sizes[sequence]

    def origin(self, sequence: int) -> Hashable:
        return str(self.path(sequence, 0).resolve())

    def fingerprint(self) -> str:
        return hashlib.sha256(repr(self.clips).encode()).hexdigest()

    def path(self, sequence: int, number: int) -> Path:
        """Return the path of a frame's file."""
        clip = self.clips[sequence]
        return self.root / (clip.name if clip.folder is None else clip.folder) / clip.files[number]

    def _read(self, sequence: int, numbers: Sequence[int], box: Box) -> Frames:
        top, left, rows, columns = box
        frames = np.empty((len(numbers), rows, columns, 3), np.uint8)
        for frame, number in zip(frames, numbers, strict=True):
            picture = read_picture(self.path(sequence, number))
            size, first = Size.of(picture.shape), self.frame_size(sequence)
            if size != first:
                raise DatasetError(
                    f"{self.path(sequence, number)} is {size}, but the first frame of its sequence is {first}: "
                    "they must be of one size"
                )
            frame[:] = picture[top : top + rows, left : left + columns]
        return frames


def read_picture(path: Path, mode: Literal["RGB", "RGBA"] = "RGB") -> Frames:
    """Return a picture file as H×W×3 RGB, or H×W×4 RGBA.  Raises :class:`DatasetError` if it cannot be read."""
    with _opened(path) as image:
        return np.asarray(image.convert(mode))


def _size(path: Path) -> Size:
    with _opened(path) as image:
        return Size(image.width, image.height)


@contextmanager
def _opened(path: Path) -> Iterator[Image]:
    """Open a picture file; errors while it is used become a :class:`DatasetError` that names it."""
    try:
        from PIL import Image
    except ImportError as error:
        raise DatasetError(f"reading pictures needs Pillow: {how_to_get('evaluate')}") from error
    try:
        with Image.open(path) as image:
            yield image
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DatasetError(f"{path} {_reason(error)}") from error


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "is missing: the data set is incomplete"
    return f"is not a readable picture ({type(error).__name__}): fetch or unpack it again"


def list_pictures(folder: Path) -> tuple[str, ...]:
    """Return the names of a folder's picture files in natural order, 2 before 10."""
    return tuple(sorted((file.name for file in folder.iterdir() if file.suffix.lower() in SUFFIXES), key=natural))
