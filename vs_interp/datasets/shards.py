"""Shards: the frames of any number of videos in a few large files, mapped into memory and read in any order.

A folder holds ``index.json`` and ``00000.yuv``, ``00001.yuv``, …  A shard contains the planes of one video's frames
(see :mod:`~vs_interp.datasets.planar`), one after the other, and nothing else.  The index lists the videos and
sequences, the differences of neighbouring frames, a CRC-32 of every frame, and a SHA-256 of itself.
"""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from vs_interp.errors import DatasetError
from vs_interp.files import folder_appearing_whole

from .planar import FrameFormat, PlanarFootage, Planes, Sequence420
from .runs import FEWEST, Frame, run_name

if TYPE_CHECKING:
    from .video import Video  # needs libav, which reading shards does not

INDEX, VERSION = "index.json", 1

SHARD = 2**30
"""From this size in bytes on, the next sequence begins a new shard; a sequence is never divided."""


@dataclass
class Run:
    """One sequence: its shard, its first frame there, and the differences and checksums of its frames."""

    name: str
    shard: int
    first: int
    differences: list[float] = field(default_factory=list)
    checksums: list[int] = field(default_factory=list)


@dataclass
class Index:
    """The content of ``index.json``; ``shards`` and ``frames`` are the format and number of frames of each shard."""

    shards: list[FrameFormat] = field(default_factory=list)
    frames: list[int] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    videos: list[dict[str, Any]] = field(default_factory=list)

    def to_json(self) -> str:
        """Return the index as JSON with its SHA-256."""
        content = json.dumps({"version": VERSION, **asdict(self)})
        return json.dumps({"sha256": hashlib.sha256(content.encode()).hexdigest(), "index": json.loads(content)})

    @classmethod
    def read(cls, folder: Path) -> Index:
        """Read the index of a folder.  Raises :class:`DatasetError` if it is missing or damaged."""
        path = folder / INDEX
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            content = values["index"]
            digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()
            if content.pop("version") != VERSION:
                raise DatasetError(f"{path} was written by another version of vs-interp: make the data set again")
            if digest != values["sha256"]:
                raise DatasetError(f"{path} is damaged, its SHA-256 differs: copy or make the data set again")
            shards = [FrameFormat(**shard) for shard in content["shards"]]
            return cls(shards, content["frames"], [Run(**run) for run in content["runs"]], content["videos"])
        except FileNotFoundError as error:
            raise DatasetError(
                f"{folder} holds no {INDEX}: name the folder of a data set, or make one (vs-interp dataset make)"
            ) from error
        except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
            raise DatasetError(f"{path} is not an index of shards: copy or make the data set again") from error


class Shards(PlanarFootage):
    """A folder of shards.

    A process maps a shard when it first reads from it; a copy in another process maps the shards itself.  Raises
    :class:`DatasetError` if the index is missing or damaged, or a shard is missing or truncated.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.index = folder, Index.read(folder)
        for number, (frame_format, frames) in enumerate(zip(self.index.shards, self.index.frames, strict=True)):
            _check_size(shard_path(folder, number), frame_format.bytes * frames)
        self._maps: dict[int, Planes] = {}
        super().__init__(
            [
                Sequence420(run.name, self.index.shards[run.shard], np.array(run.differences, np.float64))
                for run in self.index.runs
            ]
        )

    def __reduce__(self) -> tuple[type[Shards], tuple[Path]]:
        return Shards, (self.folder,)

    def origin(self, sequence: int) -> Hashable:
        return str(self.folder.resolve()), sequence  # names of files from several folders may be equal

    def fingerprint(self) -> str:
        return hashlib.sha256(self.index.to_json().encode()).hexdigest()

    def planes(self, sequence: int) -> Planes:
        run = self.index.runs[sequence]
        return self._map(run.shard)[run.first : run.first + self.lengths[sequence]]

    def check(self) -> Iterator[str | None]:
        """Compare every frame with its CRC-32; yield what is wrong with it, or ``None`` if nothing is."""
        for sequence, run in enumerate(self.index.runs):
            planes = self.planes(sequence)
            for number, known in enumerate(run.checksums):
                if zlib.crc32(planes[number]) == known:
                    yield None
                else:
                    path = shard_path(self.folder, run.shard)
                    yield f"{path}, frame {run.first + number} ({run.name}, + {number}): its CRC-32 differs"

    def _map(self, shard: int) -> Planes:
        if shard not in self._maps:
            path, frame_format = shard_path(self.folder, shard), self.index.shards[shard]
            try:
                mapped = np.memmap(path, np.uint8, "r", shape=(self.index.frames[shard], frame_format.bytes))
            except (OSError, ValueError) as error:
                raise DatasetError(f"{path} cannot be mapped ({error})") from error
            self._maps[shard] = np.asarray(mapped)  # views of a plain array are cheaper
        return self._maps[shard]


@dataclass
class Writer:
    """Writes shards to a folder and builds their index."""

    folder: Path
    index: Index = field(default_factory=Index)
    _file: BinaryIO | None = None

    def add(self, frame: Frame, video: Video) -> None:
        """Write a frame; one that begins a run begins a new sequence, and a new shard if the last is full."""
        if frame.difference is None:
            self._begin(video, frame.number)
        run = self.index.runs[-1]
        if frame.difference is not None:
            run.differences.append(frame.difference)
        run.checksums.append(zlib.crc32(frame.planes))
        self.index.frames[-1] += 1
        assert self._file is not None
        self._file.write(frame.planes)

    def close(self) -> None:
        """Flush the last shard to the disk and close it."""
        if self._file is not None:
            with self._file as file:
                file.flush()
                os.fsync(file.fileno())
            self._file = None

    def _begin(self, video: Video, number: int) -> None:
        if self._file is None or self._file.tell() >= SHARD:
            self.close()
            self._file = shard_path(self.folder, len(self.index.shards)).open("xb")
            self.index.shards.append(video.frame_format)
            self.index.frames.append(0)
        shard = len(self.index.shards) - 1
        self.index.runs.append(Run(run_name(video.path.name, number), shard, self.index.frames[shard]))


def make_shards(videos: Sequence[Video], folder: Path, advance: Callable[[int], None] = lambda count: None) -> Index:
    """Write the runs of videos as shards to a new folder, and return the index.

    The folder appears once everything is written, or not at all; a killed process leaves ``.NAME.PID.partial`` beside
    it.  ``advance`` is called with the number of frames read since the last call.  Raises :class:`DatasetError` if the
    folder exists, a video is given twice or cannot be read, no video has frames that move, or the disk is full.
    """
    if folder.exists():
        raise DatasetError(f"{folder} exists: remove it, or name another folder")
    known: set[tuple[Path, int | None]] = set()
    for video in videos:
        if (given := (video.path.resolve(), video.height)) in known:
            raise DatasetError(
                f"{video.path} is given twice, so that it would be trained on and validated by: omit one"
            )
        known.add(given)
    try:
        with folder_appearing_whole(folder) as unfinished, closing(Writer(unfinished)) as writer:
            for video in videos:
                _write(video, writer, advance)
            if not writer.index.runs:
                names = ", ".join(str(video.path) for video in videos)
                raise DatasetError(f"no {FEWEST} consecutive frames of {names} move without a cut: give other videos")
            _write_whole(unfinished / INDEX, writer.index.to_json().encode())
    except OSError as error:
        raise DatasetError(f"{folder} cannot be written ({error.strerror}), and nothing of it was kept") from error
    return writer.index


def shard_path(folder: Path, number: int) -> Path:
    """Return the path of a shard."""
    return folder / f"{number:05}.yuv"


def _write(video: Video, writer: Writer, advance: Callable[[int], None]) -> None:
    """Write the runs of one video, and add its tally to the index."""
    reported = 0
    for frame in video.frames():
        writer.add(frame, video)
        advance(video.tally.frames - reported)
        reported = video.tally.frames
    advance(video.tally.frames - reported)
    writer.close()
    writer.index.videos.append({"name": video.path.name, **asdict(video.tally)})


def _write_whole(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _check_size(path: Path, wanted: int) -> None:
    try:
        size = path.stat().st_size
    except OSError as error:
        raise DatasetError(f"{path} is missing, and {wanted} bytes of frames were expected: copy it again") from error
    if size != wanted:
        raise DatasetError(f"{path} has {size} bytes where {wanted} were expected: copy or make the data set again")
