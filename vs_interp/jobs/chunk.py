"""One chunk of a job: a range of the output's frames, encoded into a file that appears when it is whole."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import av
import vapoursynth as vs

from vs_interp.errors import EncoderError
from vs_interp.files import write_whole
from vs_interp.films.render import FrameWriter, run_ffmpeg
from vs_interp.films.unfinished import finished_as

from .conversion import OpenConversion

CONTAINER = "matroska"
"""Holds every codec, and what it says of colour.  It rounds times to milliseconds: these are worked out anew."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """What is known of a chunk's file.

    frames, ticks
        How many frames it holds, as decoded, and how many of the output's ticks each lasts; no ``ticks`` where the
        rate is constant.
    delay
        By how many frames its packets are ahead of the order in which frames are shown.
    maker
        The backend and the machine that made it.
    """

    frames: int
    ticks: tuple[int, ...]
    delay: int
    bytes: int
    sha256: str
    seconds: float
    maker: str


class ChunkFolder:
    """The files of a job's chunks: ``chunk-00007.mkv``, and beside it what is known of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def film(self, number: int) -> Path:
        """Return where a chunk's film is, or will be."""
        return self.folder / f"chunk-{number:05}.mkv"

    def record(self, number: int) -> Record | None:
        """Return what is known of a chunk that is whole; ``None`` where it is missing, or not what was written."""
        record = self.recorded(number)
        if record is None:
            return None
        with self.film(number).open("rb") as file:
            return record if hashlib.file_digest(file, "sha256").hexdigest() == record.sha256 else None

    def recorded(self, number: int) -> Record | None:
        """Return what is known of a chunk whose film has the right size; ``None`` where there is none."""
        try:
            values = json.loads(self._about(number).read_text(encoding="utf-8"))
            record = Record(**{**values, "ticks": tuple(values["ticks"])})
            return record if self.film(number).stat().st_size == record.bytes else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def keep(self, number: int, record: Record) -> None:
        """Write down what is known of a chunk whose film is there."""
        write_whole(self._about(number), json.dumps(asdict(record), indent=1).encode())

    def drop(self, number: int) -> None:
        """Remove a chunk, its record first: from then on it is not there."""
        self._about(number).unlink(missing_ok=True)
        self.film(number).unlink(missing_ok=True)

    def _about(self, number: int) -> Path:
        return self.folder / f"chunk-{number:05}.json"


class ChunkWriter:
    """Encodes the frames of one chunk.

    Frames are written by the thread that makes them; :meth:`finish` waits for the encoder, and may do so in another
    thread while the next chunk is begun.
    """

    def __init__(self, job: OpenConversion, folder: ChunkFolder, number: int, maker: str) -> None:
        self._folder, self._number, self._maker = folder, number, maker
        self._began, self._variable = time.monotonic(), job.encoding.stream.tick is not None
        self._stack = ExitStack()
        try:
            folder.drop(number)
            path = self._stack.enter_context(finished_as(folder.film(number), overwrite=True))
            pipe = self._stack.enter_context(run_ffmpeg(job.encoding.chunk_command(job.first, path, CONTAINER)))
            self._writer = FrameWriter(pipe, job.encoding)
        except BaseException:
            self._stack.__exit__(*sys.exc_info())
            raise
        self._ends: list[int] = []

    def write(self, frame: vs.VideoFrame) -> None:
        """Hand a frame to the encoder.  Raises :class:`EncoderError` where that has stopped."""
        with self._undone_after_errors():
            self._writer.write(frame)
            self._ends.append(self._writer.ticks)

    def finish(self) -> Record:
        """Wait for the encoder, count what it wrote by decoding it, and keep it.

        Raises :class:`EncoderError` where frames are missing, or what it wrote cannot be decoded.
        """
        with self._undone_after_errors():
            self._writer.close()
        self._stack.close()
        film = self._folder.film(self._number)
        delay = _checked(film, len(self._ends))
        with film.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        record = Record(
            frames=len(self._ends),
            ticks=tuple(end - start for start, end in pairwise([0, *self._ends])) if self._variable else (),
            delay=delay,
            bytes=film.stat().st_size,
            sha256=digest,
            seconds=round(time.monotonic() - self._began, 3),
            maker=self._maker,
        )
        self._folder.keep(self._number, record)
        return record

    def abandon(self, error: BaseException) -> None:
        """End the encoder; nothing is left of the chunk."""
        self._stack.__exit__(type(error), error, error.__traceback__)

    @contextmanager
    def _undone_after_errors(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            if not self._stack.__exit__(type(error), error, error.__traceback__):
                raise


def _checked(film: Path, frames: int) -> int:
    """Return by how many frames packets are ahead; raise :class:`EncoderError` unless so many frames are decoded."""
    try:
        with av.open(str(film)) as container:
            stream = container.streams.video[0]
            stream.thread_type = "SLICE"  # threads for whole frames cost small pictures more than they bring
            decoded, stamps = 0, []
            for packet in container.demux(stream):  # the last one is empty, and brings what the decoder holds back
                decoded += len(packet.decode())
                stamps += [packet.pts or 0] if packet.size else []
    except av.FFmpegError as error:
        raise EncoderError(f"the encoder wrote a chunk that cannot be decoded ({error.strerror})") from error
    if decoded != frames or len(stamps) != frames:
        raise EncoderError(
            f"the encoder was given {frames} frames and wrote {decoded}: leave what drops frames out of --encoder-args,"
            " or use --whole"
        )
    return delay_of(stamps)


def delay_of(stamps: Sequence[int]) -> int:
    """Return by how many places packets come later than their frames are shown, at most."""
    ranks = {stamp: rank for rank, stamp in enumerate(sorted(stamps))}
    return max((place - ranks[stamp] for place, stamp in enumerate(stamps)), default=0)
