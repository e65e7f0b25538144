"""``vs-interp jobs``: unfinished conversions."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vs_interp.errors import ArgumentError

from .job_progress import speed
from .options import json_option

if TYPE_CHECKING:
    from vs_interp.jobs.plan import Manifest
    from vs_interp.jobs.status import Status

NO_JOB = "{} is not a job: name a folder that `vs-interp jobs list` shows"


@dataclass(frozen=True)
class State:
    """The state of a job.

    chunks, of_chunks, frames, of_frames
        How many chunks and frames are finished, and how many there are.
    bytes
        The size of the finished chunks.
    running
        The status that a process working on the job reports; ``None`` if there is no such process.
    """

    folder: str
    source: str
    output: str
    chunks: int
    of_chunks: int
    frames: int
    of_frames: int
    bytes: int
    running: Status | None


@click.group("jobs")
def command() -> None:
    """List, show and remove unfinished conversions."""


@command.command("list")
@click.argument(
    "folder", metavar="[FOLDER]", type=click.Path(exists=True, file_okay=False, path_type=Path), default="."
)
@json_option
def list_jobs(folder: Path, as_json: bool) -> None:
    """List the jobs in FOLDER, by default the current one.

    \b
    Example:
      vs-interp jobs list films
    """
    from vs_interp.jobs.folder import MANIFEST

    states = []
    for path in sorted(folder.glob(f"*.job/{MANIFEST}")):
        try:
            states.append(_state(path.parent))
        except ArgumentError as error:  # a damaged one hides no others
            click.echo(f"vs-interp: {error}", err=True)
    if as_json:
        click.echo(json.dumps([asdict(state) for state in states], indent=1))
        return
    for state in states:
        running = ", running" if state.running else ""
        click.echo(f"{state.folder}: {state.frames} of {state.of_frames} frames, {state.bytes / 1e6:.1f} MB{running}")
    if not states:
        click.echo(f"no jobs in {folder}", err=True)


@command.command("show")
@click.argument("job", metavar="JOB", type=click.Path(path_type=Path))
@json_option
def show(job: Path, as_json: bool) -> None:
    """Show the progress of the job in the folder JOB.

    \b
    Examples:
      vs-interp jobs show out.mkv.job
      vs-interp jobs show out.mkv.job --json
    """
    state = _state(job)
    if as_json:
        click.echo(json.dumps(asdict(state), indent=1))
        return
    click.echo(f"{state.source} → {state.output}")
    click.echo(f"{state.chunks} of {state.of_chunks} chunks, {state.frames} of {state.of_frames} frames are finished")
    if state.running is None:
        click.echo(f"{state.bytes / 1e6:.1f} MB in {state.folder}; run the same command again to resume")
        return
    click.echo(f"{state.bytes / 1e6:.1f} MB in {state.folder}; {speed(state.running)}")
    for working in state.running.workers:
        click.echo(f"{working.worker}: chunk {working.chunk}, {working.frames} of {working.of_frames} frames")


@command.command("remove")
@click.argument("jobs", metavar="JOB...", nargs=-1, required=True, type=click.Path(path_type=Path))  # fmt: skip
def remove_jobs(jobs: tuple[Path, ...]) -> None:
    """Remove the folders of jobs, with all chunks in them.  Finished films are not touched.

    \b
    Example:
      vs-interp jobs remove out.mkv.job
    """
    from vs_interp.jobs.folder import is_job, remove

    for job in jobs:
        if not is_job(job):
            raise ArgumentError(NO_JOB.format(job))
        remove(job)
        click.echo(f"removed {job}")


def _manifest(job: Path) -> Manifest:
    from vs_interp.jobs.folder import read_manifest

    manifest = read_manifest(job) if job.is_dir() else None
    if manifest is None:
        raise ArgumentError(NO_JOB.format(job))
    return manifest


def _state(job: Path) -> State:
    from vs_interp.jobs.chunk import ChunkFolder
    from vs_interp.jobs.folder import is_locked, recorded_chunks
    from vs_interp.jobs.status import read_status

    manifest = _manifest(job)
    whole = recorded_chunks(ChunkFolder(job), manifest)
    return State(
        folder=str(job),
        source=str(manifest.conversion.source),
        output=str(manifest.conversion.output),
        chunks=len(whole),
        of_chunks=len(manifest.chunks),
        frames=sum(record.frames for record in whole.values()),
        of_frames=manifest.borders[-1],
        bytes=sum(record.bytes for record in whole.values()),
        running=read_status(job) if is_locked(job) else None,
    )
