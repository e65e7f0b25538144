"""Make chunks in this process; the next chunk's frames are computed while the last one's encoder finishes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from math import ceil

import vapoursynth as vs

from vs_interp.errors import SourceError
from vs_interp.films.render import reason_of

from .chunk import ChunkFolder, ChunkWriter, Record
from .conversion import OpenConversion
from .maker import maker

DRAINING = 2
"""How many encoders may still be finishing chunks whose frames have all been written."""

Advance = Callable[[int, int], None]
"""Called after each frame with the number of its chunk and how many of the chunk's frames are made."""


def make_chunks(
    job: OpenConversion,
    chunks: ChunkFolder,
    borders: Sequence[int],
    numbers: Sequence[int],
    advance: Advance,
) -> Iterator[tuple[int, Record]]:
    """Make the chunks ``numbers``, which ascend; yield each number with the chunk's record once it is complete.

    Chunk ``n`` holds the output frames ``borders[n]`` up to, not including, ``borders[n + 1]``.  Raises
    :class:`SourceError` with a filter's message or :class:`EncoderError` with ffmpeg's; complete chunks are kept.
    """
    draining: deque[tuple[int, Future[Record]]] = deque()
    with ThreadPoolExecutor(DRAINING, "drain") as others:
        for run in _runs(numbers):
            for number, writer in _written(job, chunks, borders, run, advance):
                draining.append((number, others.submit(writer.finish)))
                while len(draining) > DRAINING:
                    yield _next(draining)
        while draining:
            yield _next(draining)


def _next(draining: deque[tuple[int, Future[Record]]]) -> tuple[int, Record]:
    number, finished = draining.popleft()
    return number, finished.result()


def _written(
    job: OpenConversion, chunks: ChunkFolder, borders: Sequence[int], run: range, advance: Advance
) -> Iterator[tuple[int, ChunkWriter]]:
    """Yield each chunk of a run of consecutive numbers once its frames are written; its encoder may still be busy."""
    start, stop = borders[run.start], borders[run.stop]
    ahead, made_by = frames_ahead(job), maker(job.conversion)
    with closing(job.clip[start:stop].frames(prefetch=ahead, backlog=ahead, close=True)) as frames:
        for number in run:
            writer = ChunkWriter(job, chunks, number, made_by)
            try:
                for made in range(1, borders[number + 1] - borders[number] + 1):
                    writer.write(next(frames))
                    advance(number, made)
            except vs.Error as error:
                writer.abandon(error)
                raise SourceError(reason_of(error)) from error
            except BaseException as error:
                writer.abandon(error)
                raise
            yield number, writer


def frames_ahead(job: OpenConversion) -> int:
    """Return how many output frames to request ahead, so that each VapourSynth thread has a source frame to work on."""
    return int(vs.core.num_threads) * (1 + ceil(len(job.clip) / len(job.source.stream.clip)))


def _runs(numbers: Sequence[int]) -> Iterator[range]:
    """Yield runs of consecutive numbers: within a run, frames are requested without a pause between chunks."""
    begin = 0
    for place, number in enumerate(numbers):
        if place + 1 == len(numbers) or numbers[place + 1] != number + 1:
            yield range(numbers[begin], number + 1)
            begin = place + 1
