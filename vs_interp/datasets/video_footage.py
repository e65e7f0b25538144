"""Video files as footage: the runs of one or several, held in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np

from vs_interp.errors import DatasetError
from vs_interp.files import natural

from .planar import PlanarFootage, Planes, Sequence420
from .runs import FEWEST, Frame, run_name
from .video import Video

MEMORY = 2 * 10**9
"""Limit in bytes on the videos held in memory; while they are read, they may take twice as much."""

FINGERPRINTED = 8
"""One in this many frames is hashed to find out whether a video has changed."""

SUFFIXES = (".mp4", ".mkv", ".mov", ".webm", ".avi", ".m4v", ".ts", ".m2ts", ".mpg", ".mpeg", ".vob", ".wmv", ".y4m")


class VideoFootage(PlanarFootage):
    """The runs of a short video, or of all videos in a folder, in memory.

    ``excerpts`` are the number and the length in seconds of the parts that are read of a video longer than all of them
    together; they are made shorter if they would not fit into memory.  Raises :class:`DatasetError` if a video cannot
    be read, has no run, or does not fit into memory.
    """

    def __init__(self, path: Path, *, excerpts: tuple[int, float] | None = None) -> None:
        sequences: list[Sequence420] = []
        self._runs: list[Planes] = []
        self._files: list[Path] = []
        held = 0
        parts = [(each, span) for each in _videos(path) for span in _spans(each, excerpts)]
        for file, span in parts:
            video = Video(file, span=span)
            name = file.name if span is None else f"{file.name} at {timedelta(seconds=round(span[0]))}"
            for run in _grouped(video, path, MEMORY - held):
                differences = np.array([frame.difference for frame in run[1:]], np.float64)
                sequences.append(Sequence420(run_name(name, run[0].number), video.frame_format, differences))
                self._runs.append(np.stack([frame.planes for frame in run]))
                self._files.append(file)
            held += video.tally.kept * video.frame_format.bytes
        if not sequences:
            raise DatasetError(f"{path} has no {FEWEST} consecutive frames with motion: use another video")
        super().__init__(sequences)

    def origin(self, sequence: int) -> Hashable:
        return str(self._files[sequence].resolve()), self.name(sequence)

    def fingerprint(self) -> str:
        hashed = hashlib.sha256()
        for planes in self._runs:
            hashed.update(np.ascontiguousarray(planes[::FINGERPRINTED]))
        return hashed.hexdigest()

    def planes(self, sequence: int) -> Planes:
        return self._runs[sequence]


def _videos(path: Path) -> list[Path]:
    """Return the video files of a folder, recognised by their suffixes, or the given file."""
    if not path.is_dir():
        return [path]
    found = sorted((file for file in path.iterdir() if file.suffix.lower() in SUFFIXES), key=lambda f: natural(f.name))
    if not found:
        raise DatasetError(
            f"{path} holds no pictures and no video files ({', '.join(SUFFIXES)}): name a folder that does"
        )
    return found


def _spans(path: Path, excerpts: tuple[int, float] | None) -> list[tuple[float, float] | None]:
    """Return evenly spread parts (start and end in seconds) of a long video; ``[None]`` for all of a short one."""
    if excerpts is None:
        return [None]
    (count, seconds), video = excerpts, Video(path)
    if video.seconds <= count * seconds or not video.expected:
        return [None]
    rate, share = video.expected / video.seconds, video.seconds / count
    seconds = min(seconds, MEMORY / (video.frame_format.bytes * rate * count))
    return [((place + 0.5) * share - seconds / 2, (place + 0.5) * share + seconds / 2) for place in range(count)]


def _grouped(video: Video, path: Path, memory: int) -> Iterator[list[Frame]]:
    """Yield the runs of a video.  Raises :class:`DatasetError` if they take more than ``memory`` bytes.

    ``path`` is what the user named: the video, or its folder.
    """
    run: list[Frame] = []
    for frame in video.frames():
        if video.tally.kept * video.frame_format.bytes > memory:
            files = path / "*" if path.is_dir() else path
            raise DatasetError(
                f"the frames of {path} take more than {MEMORY // 10**9} GB, the limit for memory: write them to disk "
                f"(vs-interp dataset make {files} -o DIR) and use shards:DIR"
            )
        if run and frame.difference is None:
            yield run
            run = []
        run.append(frame)
    if run:
        yield run
