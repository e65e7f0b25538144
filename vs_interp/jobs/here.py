"""Make chunks in this process: frames go on being made while the last chunk's encoder drains."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from math import ceil

import vapoursynth as vs

from trt_build.backends import choose
from vs_interp.errors import SourceError
from vs_interp.films.render import reason_of
from vs_interp.host import processor

from .chunk import ChunkFolder, ChunkWriter, Record
from .conversion import OpenConversion
from .steps import without_gpus

DRAINING = 2
"""Encoders that may still be at work on chunks whose frames they all have."""

Advance = Callable[[int, int], None]
"""Hears after each frame the number of its chunk, and how many frames of that are made."""


def make_chunks(
    job: OpenConversion,
    chunks: ChunkFolder,
    borders: Sequence[int],
    numbers: Sequence[int],
    advance: Advance,
) -> Iterator[tuple[int, Record]]:
    """Make the chunks of some numbers, ascending; yield each with what is known of it when it is whole.

    Raises :class:`SourceError` with a filter's own message, :class:`EncoderError` with ffmpeg's; chunks that are whole
    stay.
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
    """Yield the chunks of a run when all their frames are written, whose encoders may still be at work."""
    start, stop = borders[run.start], borders[run.stop]
    ahead = frames_ahead(job)
    with closing(job.clip[start:stop].frames(prefetch=ahead, backlog=ahead, close=True)) as frames:
        for number in run:
            writer = ChunkWriter(job, chunks, number, maker(job))
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
    """Return how many frames to work on before they are needed, so that each thread has one of the source."""
    return int(vs.core.num_threads) * (1 + ceil(len(job.clip) / len(job.source.stream.clip)))


def maker(job: OpenConversion) -> str:
    """Return what frames are made with here: equal makers make equal frames, others the same within a code."""
    backends = dict.fromkeys(str(choose(without_gpus(step.backend))) for step in job.conversion.steps)
    return "; ".join([processor(), *backends])


def _runs(numbers: Sequence[int]) -> Iterator[range]:
    """Yield consecutive numbers together: frames are then asked for without a pause between chunks."""
    begin = 0
    for place, number in enumerate(numbers):
        if place + 1 == len(numbers) or numbers[place + 1] != number + 1:
            yield range(numbers[begin], number + 1)
            begin = place + 1
