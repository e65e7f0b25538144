"""Convert a film: in one go, or as a job in chunks, made by this process, by several, or by a cluster."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vs_interp.errors import ArgumentError

from .job_options import How
from .job_progress import JobProgress
from .progress import bytes_read, frames_done, part_done

if TYPE_CHECKING:
    from vs_interp.jobs.chunk import ChunkFolder, Record
    from vs_interp.jobs.conversion import Conversion, OpenConversion
    from vs_interp.jobs.plan import Manifest
    from vs_interp.jobs.status import Board


HERE = "this process"
"""The name of the only worker of a job without others."""


@dataclass(frozen=True)
class Summary:
    """The result of a conversion: the output file, its frames, and how many of them were made now, at what rate.

    After a job was resumed, ``made`` and ``fps`` do not count the frames that were kept.
    """

    output: str
    frames: int
    made: int
    seconds: float
    fps: float


def convert(conversion: Conversion, how: How, *, overwrite: bool = False, quiet: bool = False) -> Summary:
    """Open a film, apply the steps and encode the result; a long film becomes a job.

    Raises :class:`~vs_interp.errors.VsInterpError`; the output is then unchanged.
    """
    source, output = conversion.source, conversion.output
    check_output(output, source, overwrite)
    from vs_interp.films.containers import container_format
    from vs_interp.films.inputs import is_pipe, saved_pipe

    container_format(output)
    if not is_pipe(source):
        return _convert_file(conversion, how, overwrite=overwrite, quiet=quiet)
    with bytes_read(f"reading {source}", quiet=quiet) as show, saved_pipe(source, sys.stdin.buffer, show) as film:
        return _convert_file(replace(conversion, source=film), how, overwrite=overwrite, quiet=quiet)


def _convert_file(conversion: Conversion, how: How, *, overwrite: bool, quiet: bool) -> Summary:
    from vs_interp.films.rehearsal import rehearse
    from vs_interp.jobs.plan import plan
    from vs_interp.jobs.run import must_be_whole

    output = conversion.output
    with part_done(f"reading {conversion.source}", quiet=quiet) as progress:
        opened = conversion.open(progress)
        manifest = plan(conversion, opened, how.chunk)
    for note in () if quiet else opened.notes:
        click.echo(note, err=True)
    rehearse(opened.encoding, output, overwrite=overwrite)
    start = time.monotonic()
    one_go = how.whole or must_be_whole(conversion, manifest)
    if one_go and not quiet and (how.workers is not None or how.cluster is not None):
        click.echo(
            "converting in one process: the film is too short for chunks, or its encoder needs all of it", err=True
        )
    if one_go:
        frames = made = _in_one_go(opened, output, overwrite=overwrite, quiet=quiet)
    else:
        frames = manifest.borders[-1]
        made = _as_a_job(opened, manifest, how, overwrite=overwrite, quiet=quiet)
    seconds = time.monotonic() - start
    for line in () if quiet else opened.source.damage.report():
        click.echo(line, err=True)
    return Summary(str(output), frames, made, round(seconds, 3), round(made / seconds, 3))


def _in_one_go(opened: OpenConversion, output: Path, *, overwrite: bool, quiet: bool) -> int:
    from vs_interp.films.render import frames_in, render
    from vs_interp.jobs.here import frames_ahead
    from vs_interp.jobs.run import wants_one_encoder

    with frames_done(len(opened.clip), quiet=quiet) as advance:
        written = render(opened.encoding, output, overwrite=overwrite, ahead=frames_ahead(opened), advance=advance)
    return frames_in(output) if wants_one_encoder(opened.conversion.choice.arguments) else written


def _as_a_job(opened: OpenConversion, manifest: Manifest, how: How, *, overwrite: bool, quiet: bool) -> int:
    from vs_interp.jobs.folder import folder_of
    from vs_interp.jobs.here import make_chunks
    from vs_interp.jobs.maker import maker
    from vs_interp.jobs.run import run

    folder = how.folder or folder_of(manifest.conversion.output)
    with JobProgress(folder, quiet=quiet) as progress, _workers(manifest, how) as client:

        def make(chunks: ChunkFolder, numbers: list[int], board: Board) -> Iterator[tuple[int, Record]]:
            if client is None:
                return make_chunks(opened, chunks, manifest.borders, numbers, partial(board.works, HERE))
            from vs_interp.jobs.dispatch import Dispatch

            return Dispatch(client, manifest, chunks, board, paths=how.paths, retries=how.retries, maker=exactly).make(
                numbers
            )

        exactly = maker(manifest.conversion) if how.exact else None
        return run(
            opened, manifest, folder, make, overwrite=overwrite, restart=how.restart, maker=exactly, listener=progress
        )


@contextmanager
def _workers(manifest: Manifest, how: How) -> Iterator[Any]:
    """Yield a Dask client of the requested workers; ``None`` to work in this process."""
    if how.workers is None and how.cluster is None:
        yield None
        return
    from vs_interp.jobs.cluster import connected, local_workers
    from vs_interp.jobs.run import gpus_of

    if how.cluster is not None:
        workers = connected(how.cluster, how.tls)
    else:
        gpus = gpus_of(manifest.conversion)
        workers = local_workers(how.workers or len(gpus or (0,)), gpus)
    with workers as client:
        yield client


def check_output(output: Path, source: Path, overwrite: bool) -> None:
    """Raise :class:`ArgumentError` if the output cannot, or must not, be written."""
    for path, what in ((source, "read"), (output, "write")):
        try:
            path.is_dir()
        except OSError as error:  # a name that is too long, a folder without permission
            raise ArgumentError(f"cannot {what} {path}: {error.strerror}") from error
    if output.is_dir():
        raise ArgumentError(f"{output} is a folder: name a file in it")
    if not output.absolute().parent.is_dir():
        raise ArgumentError(f"the folder {output.parent} does not exist: make it first")
    if output.exists() and source.exists() and output.samefile(source):
        raise ArgumentError(f"{output} is the source itself: name another file")
    if output.exists() and not overwrite:
        raise ArgumentError(f"{output} exists: remove it, name another file, or give --overwrite")
