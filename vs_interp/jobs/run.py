"""Run a job from where it is to its end: make the chunks that are missing, join them, clean up."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from trt_build.backends import choose
from trt_build.backends.tensorrt import EngineBackend
from vs_interp.interrupt import exit_message

from .chunk import ChunkFolder, Record
from .conversion import Conversion, OpenConversion
from .folder import held, remove, whole_chunks
from .join import join
from .plan import Manifest
from .room import check, guess, told
from .status import Board, Listener

WHOLE_OPTIONS = (
    "-b:v", "-b", "-pass", "-passlogfile", "-maxrate", "-minrate", "-bufsize", "-fs", "-frames", "-vframes", "-t",
    "-to", "-ss", "-r", "-vf", "-filter", "-filter_complex", "-vsync", "-fps_mode", "-f",
)  # fmt: skip
"""What ffmpeg can do to one stream only: these, and what begins so up to a colon."""

FEWEST_CHUNKS = 3
"""A film of fewer is converted in one go."""

MakeChunks = Callable[[ChunkFolder, list[int], Board], Iterable[tuple[int, Record]]]
"""Makes chunks of some numbers, and yields each when it is whole: in this process, or by workers elsewhere."""


def wants_one_encoder(arguments: Iterable[str]) -> bool:
    """Whether ffmpeg's options ask for what chunks cannot give: a bit rate in the mean, two passes, filters, a part."""
    return any(argument.partition(":")[0] in WHOLE_OPTIONS or argument in WHOLE_OPTIONS for argument in arguments)


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
    """Make what is missing of a job, join it into its output and remove its folder; return the number of frames.

    maker
        What frames must be made with, where chunks made with anything else are made again.

    Raises what :func:`~vs_interp.jobs.folder.held`, ``make`` and :func:`~vs_interp.jobs.join.join` raise; what was
    made by then stays in the folder.
    """
    output, frames = manifest.conversion.output, manifest.borders[-1]
    with held(folder, manifest, restart=restart) as chunks:
        records = {
            number: record for number, record in whole_chunks(chunks, manifest).items() if maker in (None, record.maker)
        }
        kept = sum(record.frames for record in records.values())
        if kept:
            listener.says(f"{kept} of {frames} frames were made before and are kept in {folder}")
        elif (whole := guess(job, manifest)) is not None:
            listener.says(told(folder, output, whole))
        check(folder, manifest, records.values())
        board = Board(folder, manifest.borders, kept, listener)
        missing = [number for number in range(len(manifest.chunks)) if number not in records]
        for number, record in make(chunks, missing, board) if missing else ():
            records[number] = record
            check(folder, manifest, records.values())
        listener.shows(board.status)
        makers = sorted({record.maker for record in records.values()})
        if len(makers) > 1:
            listener.says(f"frames were made with {' and '.join(makers)}, whose values may differ by one")
        listener.joins()
        in_order = [records[number] for number in sorted(records)]
        join(job, chunks, in_order, output, overwrite=overwrite)
    with exit_message(f"interrupted, though {output} is whole: vs-interp jobs remove {folder} takes away what is left"):
        remove(folder)
    return frames


def must_be_whole(conversion: Conversion, manifest: Manifest) -> bool:
    """Whether a film is too short to be cut, or its encoder is asked for what chunks cannot give."""
    return len(manifest.chunks) < FEWEST_CHUNKS or wants_one_encoder(conversion.choice.arguments)


def gpus_of(conversion: Conversion) -> tuple[int, ...] | None:
    """Return the GPUs among which the workers of this machine are dealt; ``None`` where a backend uses none."""
    backends = [choose(step.backend) for step in conversion.steps]
    return next((backend.numbers for backend in backends if isinstance(backend, EngineBackend)), None)
