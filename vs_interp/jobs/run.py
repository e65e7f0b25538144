"""Run a job from where it is to its end: make the chunks that are missing, join them, clean up."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from trt_build.backends import choose
from trt_build.backends.tensorrt import EngineBackend
from vs_interp.errors import EncoderError

from .chunk import ChunkFolder, Record
from .conversion import Conversion, OpenConversion
from .folder import held, remove, whole_chunks
from .join import join
from .plan import Manifest

WHOLE_OPTIONS = (
    "-b:v", "-b", "-pass", "-passlogfile", "-maxrate", "-minrate", "-bufsize", "-fs", "-frames", "-vframes", "-t",
    "-to", "-ss", "-r", "-vf", "-filter", "-filter_complex", "-vsync", "-fps_mode", "-f",
)  # fmt: skip
"""What ffmpeg can do to one stream only: these, and what begins so up to a colon."""

FEWEST_CHUNKS = 3
"""A film of fewer is converted in one go."""

ROOM = 1.1
"""How many times the bytes that are expected must be free."""

MakeChunks = Callable[[ChunkFolder, list[int]], Iterable[tuple[int, Record]]]
"""Makes chunks of some numbers, and yields each when it is whole: in this process, or by workers elsewhere."""


class Listener(Protocol):
    """Hears how far a job is."""

    def begins(self, kept: int, frames: int) -> None:
        """Of so many frames, these were kept from an earlier run."""

    def made(self, frames: int) -> None:
        """So many more frames were made."""

    def joins(self) -> None:
        """All chunks are there."""


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
    listener: Listener,
) -> int:
    """Make what is missing of a job, join it into its output and remove its folder; return the number of frames.

    Raises what :func:`~vs_interp.jobs.folder.held`, ``make`` and :func:`~vs_interp.jobs.join.join` raise; what was
    made by then stays in the folder.
    """
    output = manifest.conversion.output
    with held(folder, manifest, restart=restart) as chunks:
        records = whole_chunks(chunks, manifest)
        listener.begins(sum(record.frames for record in records.values()), manifest.borders[-1])
        missing = [number for number in range(len(manifest.chunks)) if number not in records]
        for number, record in make(chunks, missing) if missing else ():
            records[number] = record
            _check_room(folder, manifest, records)
        listener.joins()
        in_order = [records[number] for number in sorted(records)]
        join(job, chunks, in_order, output, overwrite=overwrite)
    remove(folder)
    return manifest.borders[-1]


def _check_room(folder: Path, manifest: Manifest, records: dict[int, Record]) -> None:
    """Raise :class:`EncoderError` where the disk cannot hold what is still to come: more chunks, and all joined."""
    frames, written = sum(r.frames for r in records.values()), sum(r.bytes for r in records.values())
    whole = written * manifest.borders[-1] // max(frames, 1)
    needed, free = round(ROOM * (2 * whole - written)), shutil.disk_usage(folder).free
    if needed > free:
        raise EncoderError(
            f"the disk of {folder} has {free / 1e9:.1f} GB free, and about {needed / 1e9:.1f} GB more are needed for "
            "the chunks and the film that they become: make room and run the command again, or use --whole"
        )


def must_be_whole(conversion: Conversion, manifest: Manifest) -> bool:
    """Whether a film is too short to be cut, or its encoder is asked for what chunks cannot give."""
    return len(manifest.chunks) < FEWEST_CHUNKS or wants_one_encoder(conversion.choice.arguments)


def gpus_of(conversion: Conversion) -> tuple[int, ...] | None:
    """Return the GPUs among which the workers of this machine are dealt; ``None`` where a backend uses none."""
    backends = [choose(step.backend) for step in conversion.steps]
    return next((backend.numbers for backend in backends if isinstance(backend, EngineBackend)), None)
