"""Options of ``vs-interp convert`` for who makes the frames, and how a job is resumed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any

import click

from .cluster_options import Tls, parse_maps, tls_options
from .options import Number, Whole


@dataclass(frozen=True, kw_only=True)
class How:
    """How a film is converted: by whom, and in which chunks.

    whole
        Encode the film in one go instead of in chunks; it cannot be resumed.
    folder
        The folder for the job's chunks; by default beside the output.
    chunk
        The approximate duration of a chunk in seconds; by default
        :func:`~vs_interp.jobs.borders.usual_seconds`.
    restart
        Discard the chunks of an earlier run.
    workers, cluster
        The number of worker processes on this machine (0 for one per GPU), or the address of a Dask scheduler; neither
        to work in this process.
    paths
        Path prefixes on this machine → the same on the cluster's machines.
    retries
        How often a failed chunk is tried again.
    exact
        Refuse workers whose backend or device differs from this machine's.
    tls
        Certificate files for the connection to the cluster; see :class:`~vs_interp.cli.cluster_options.Tls`.
    """

    whole: bool = False
    folder: Path | None = None
    chunk: float | None = None
    restart: bool = False
    workers: int | None = None
    cluster: str | None = None
    paths: Mapping[str, str] = field(default_factory=dict)
    retries: int = 3
    exact: bool = False
    tls: Mapping[str, str] = field(default_factory=dict)


class Count(click.ParamType[int]):
    """A number of workers; ``auto`` becomes 0."""

    name = "count"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if value == "auto":
            return 0
        if value.isdecimal() and int(value) > 0:
            return int(value)
        self.fail(f"{value!r} is not a number of workers: give 1 or more, or auto for one per GPU", param, ctx)


OPTIONS = (
    click.option("--whole", is_flag=True, help="Encode in one go, not in chunks; it cannot be resumed."),
    click.option("--job", "folder", metavar="FOLDER", type=click.Path(path_type=Path),
                 help="Folder for the chunks.  [default: OUT.job]"),
    click.option("--chunk", metavar="SECONDS", type=Number(min=0, min_open=True),
                 help="Approximate duration of a chunk.  [default: 10, up to 60 for frames smaller than 1280×720]"),
    click.option("--restart", is_flag=True, help="Start from the beginning instead of resuming."),
    click.option("--workers", metavar="N|auto", type=Count(),
                 help="Make chunks in N processes on this machine; auto for one per GPU of the backend."),
    click.option("--cluster", metavar="ADDRESS",
                 help="Make chunks on the workers (vs-interp worker) of this Dask scheduler."),
    click.option("--map", "maps", metavar="/HERE=/THERE", multiple=True,
                 help="A folder of this machine, and its path on the workers' machines."),
    click.option("--retries", metavar="N", type=Whole(0), default=3, show_default=True,
                 help="How often to try a failed chunk again."),
    click.option("--exact", is_flag=True,
                 help="Refuse workers whose backend or device differs from this machine's."),
)  # fmt: skip


def job_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add these options to a command, which receives them as ``how``."""
    names = [name for name in How.__dataclass_fields__ if name not in ("paths", "tls")]

    @wraps(command)
    def with_how(*arguments: Any, tls: Tls, maps: tuple[str, ...], **rest: Any) -> Any:
        given = {name: rest.pop(name) for name in names}
        how = How(**given, paths=parse_maps(maps), tls=tls.files)
        if how.workers is not None and how.cluster is not None:
            raise click.UsageError("--workers and --cluster are both given: give one of them")
        if (how.workers is not None or how.cluster is not None) and how.whole:
            raise click.UsageError("--whole encodes in one go: leave out --workers and --cluster")
        return command(*arguments, how=how, **rest)

    decorated = tls_options(with_how)
    for option in reversed(OPTIONS):
        decorated = option(decorated)
    return decorated
