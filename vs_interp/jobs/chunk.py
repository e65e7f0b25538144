"""One chunk of a job: a range of the output's frames, encoded into a file that appears once it is complete."""

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
from typing import Any

import av
import vapoursynth as vs

from vs_interp.errors import EncoderError
from vs_interp.files import write_whole
from vs_interp.films.render import FrameWriter, run_ffmpeg
from vs_interp.films.unfinished import finished_as

from .conversion import OpenConversion

CONTAINER = "matroska"
"""Holds every codec with its colour tags.  It rounds time stamps to milliseconds, so the join computes them afresh."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """A description of a chunk's file, kept beside it as JSON.

    frames, ticks
        How many frames it decodes to, and the duration of each in ticks of the output; no ``ticks`` if the frame rate
        is constant.
    delay
        The decoder's reordering delay, in packets.
    bytes, sha256
        The size and hash of the file.
    seconds
        How long the chunk took to make.
    maker
        The backends and devices that made it, see :func:`~vs_interp.jobs.maker.maker`.
    broken, missing
        The source's frames that its maker has met so far and that cannot be decoded whole, or at all; see
        :class:`~vs_interp.films.damage.Damage`.
    """

    frames: int
    ticks: tuple[int, ...]
    delay: int
    bytes: int
    sha256: str
    seconds: float
    maker: str
    broken: tuple[int, ...] = ()
    missing: tuple[int, ...] = ()


class ChunkFolder:
    """The files of a job's chunks: ``chunk-00007.mkv`` and, beside it, its record ``chunk-00007.json``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def film(self, number: int) -> Path:
        """Return the path of a chunk's film, whether or not it exists yet."""
        return self.folder / f"chunk-{number:05}.mkv"

    def record(self, number: int) -> Record | None:
        """Return the record of a complete chunk; ``None`` if it is missing or its film's hash differs."""
        record = self.recorded(number)
        if record is None:
            return None
        with self.film(number).open("rb") as file:
            return record if hashlib.file_digest(file, "sha256").hexdigest() == record.sha256 else None

    def recorded(self, number: int) -> Record | None:
        """Return the record of a chunk whose film has the recorded size, without reading the film; else ``None``."""
        try:
            values = json.loads(self._about(number).read_text(encoding="utf-8"))
            fields: dict[str, Any] = {
                name: tuple(one) if isinstance(one, list) else one for name, one in values.items()
            }
            record = Record(**fields)
            return record if self.film(number).stat().st_size == record.bytes else None
        except (OSError, ValueError, AttributeError, TypeError):
            return None

    def was_kept(self, number: int) -> bool:
        """Whether a chunk was complete once: its record is there, whatever has become of its film."""
        return self._about(number).exists()

    def keep(self, number: int, record: Record) -> None:
        """Write the record of a chunk whose film is already there."""
        write_whole(self._about(number), json.dumps(asdict(record), indent=1).encode())

    def drop(self, number: int) -> None:
        """Remove a chunk, its record first: without a record, a film does not count."""
        self._about(number).unlink(missing_ok=True)
        self.film(number).unlink(missing_ok=True)

    def _about(self, number: int) -> Path:
        return self.folder / f"chunk-{number:05}.json"


class ChunkWriter:
    """Encodes the frames of one chunk.

    Frames are written by the thread that makes them; :meth:`finish` waits for the encoder, and may be called in
    another thread while the next chunk is started.
    """

    def __init__(self, job: OpenConversion, folder: ChunkFolder, number: int, maker: str) -> None:
        self._folder, self._number, self._maker = folder, number, maker
        self._damage = job.source.damage
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
        """Pass a frame to the encoder.  Raises :class:`EncoderError` if the encoder has stopped."""
        with self._undone_after_errors():
            self._writer.write(frame)
            self._ends.append(self._writer.ticks)

    def finish(self) -> Record:
        """Wait for the encoder, check its file by decoding it, write the record and return it.

        Raises :class:`EncoderError` if frames are missing, or the file cannot be decoded.
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
            broken=tuple(sorted(self._damage.broken)),
            missing=tuple(sorted(self._damage.missing)),
        )
        self._folder.keep(self._number, record)
        return record

    def abandon(self, error: BaseException) -> None:
        """Stop the encoder and remove what it wrote."""
        self._stack.__exit__(type(error), error, error.__traceback__)

    @contextmanager
    def _undone_after_errors(self) -> Iterator[None]:
        """Stop the encoder and remove what it wrote if the block raises."""
        try:
            yield
        except BaseException as error:
            if not self._stack.__exit__(type(error), error, error.__traceback__):
                raise


def _checked(film: Path, frames: int) -> int:
    """Decode a chunk and return its reordering delay; raise :class:`EncoderError` unless it has ``frames`` frames."""
    try:
        with av.open(f"file:{film}") as container:
            stream = container.streams.video[0]
            stream.thread_type = "SLICE"  # frame threading costs more than it gains on small pictures
            stream.codec_context.options = {"skip_loop_filter": "all"}  # nobody looks at the pictures
            decoded, stamps = 0, []
            for packet in container.demux(stream):  # the last packet is empty and flushes the decoder
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
    """Return the reordering delay of packets whose presentation times are ``stamps``, in storage order.

    That is the most places by which a packet is stored later than its frame is shown.
    """
    ranks = {stamp: rank for rank, stamp in enumerate(sorted(stamps))}
    return max((place - ranks[stamp] for place, stamp in enumerate(stamps)), default=0)
