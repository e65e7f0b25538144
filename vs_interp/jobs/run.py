"""Run a job from wherever it stands to its end: make the missing chunks, join them, clean up."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from trt_build.backends import choose
from trt_build.backends.tensorrt import EngineBackend
from vs_interp.interrupt import exit_message

from .chunk import ChunkFolder, Record
from .conversion import Conversion, OpenConversion
from .folder import locked, remove, whole_chunks
from .join import join
from .plan import Manifest
from .room import check, guess, space_line
from .status import Board, Listener

WHOLE_OPTIONS = (
    "-b", "-pass", "-passlogfile", "-maxrate", "-minrate", "-bufsize", "-fs", "-frames", "-vframes", "-t",
    "-to", "-ss", "-shortest", "-r", "-vf", "-filter", "-filter_complex", "-vsync", "-fps_mode", "-f",
)  # fmt: skip
"""Options of ffmpeg that make sense for a whole film only, without a stream specifier or with one of the picture."""

FEWEST_CHUNKS = 3
"""A film of fewer chunks is converted in one go."""

MakeChunks = Callable[[ChunkFolder, list[int], Board], Iterable[tuple[int, Record]]]
"""Makes the chunks of the given numbers and yields each with its record once it is complete.

In this process (:mod:`~vs_interp.jobs.here`) or on workers (:mod:`~vs_interp.jobs.dispatch`).
"""


def wants_one_encoder(arguments: Iterable[str]) -> bool:
    """Whether ffmpeg's options need one encoder for the whole film: an average bit rate, two passes, filters, a cut."""
    options = (argument.partition(":") for argument in arguments)
    return any(option in WHOLE_OPTIONS and not stream.startswith(("a", "s")) for option, _, stream in options)


def run(
    job: OpenConversion,
    manifest: Manifest,
    folder: Path,
    make: MakeChunks,
    *,
    overwrite: bool,
    restart: bool,
    maker: str | None,
    listener: Listener,
) -> int:
    """Make a job's missing chunks, join them into its output and remove its folder; return how many frames were made.

    overwrite, restart
        Whether to replace an existing output; and to discard the chunks of an earlier run.
    maker
        What all frames must be made with: chunks by other makers are made again.  ``None`` accepts any.

    Raises what :func:`~vs_interp.jobs.folder.locked`, ``make`` and :func:`~vs_interp.jobs.join.join` raise; finished
    chunks then stay in the folder.
    """
    output, frames = manifest.conversion.output, manifest.borders[-1]
    with locked(folder, manifest, restart=restart) as chunks:
        whole = whole_chunks(chunks, manifest)
        damaged = [number for number in range(len(manifest.chunks)) if number not in whole and chunks.was_kept(number)]
        records = {number: record for number, record in whole.items() if maker in (None, record.maker)}
        kept = sum(record.frames for record in records.values())
        if kept:
            listener.says(f"{kept} of {frames} frames were made before and are kept in {folder}")
        elif (size := guess(job, manifest)) is not None:
            listener.says(space_line(folder, output, size))
        if damaged:
            listener.says(f"damaged on the disk, and made again: chunk {', '.join(map(str, damaged))}")
        check(folder, manifest, records.values())
        board = Board(folder, manifest.borders, kept, listener)
        missing = [number for number in range(len(manifest.chunks)) if number not in records]
        for number, record in make(chunks, missing, board) if missing else ():
            records[number] = record
            check(folder, manifest, records.values())
        listener.shows(board.status)
        for record in records.values():
            job.source.damage.broken.update(record.broken)
            job.source.damage.missing.update(record.missing)
        makers = sorted({record.maker for record in records.values()})
        if len(makers) > 1:
            listener.says(
                f"frames were made with {' and '.join(makers)}, whose results may differ by a few code values"
            )
        listener.joins()
        in_order = [records[number] for number in sorted(records)]
        join(job, chunks, in_order, output, overwrite=overwrite)
    with exit_message(f"interrupted, though {output} is whole: vs-interp jobs remove {folder} takes away what is left"):
        remove(folder)
    return frames - kept


def must_be_whole(conversion: Conversion, manifest: Manifest) -> bool:
    """Whether a film is too short for chunks, or its encoder's options need one encoder for the whole film."""
    return len(manifest.chunks) < FEWEST_CHUNKS or wants_one_encoder(conversion.choice.arguments)


def gpus_of(conversion: Conversion) -> tuple[int, ...] | None:
    """Return the numbers of the GPUs that this machine's workers share; ``None`` if no step's backend uses GPUs."""
    backends = [choose(step.backend) for step in conversion.steps]
    return next((backend.numbers for backend in backends if isinstance(backend, EngineBackend)), None)
