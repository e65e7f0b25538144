"""The options of ``vs-interp convert`` that say who makes the frames, and how a job goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any

import click

from .cluster_options import Tls, parse_maps, tls_options


@dataclass(frozen=True, kw_only=True)
class How:
    """Who converts a film, and in what pieces.

    whole
        One stream by one encoder, which cannot be resumed.
    folder
        Where a job's chunks go, by default beside the output.
    workers, cluster
        So many processes of this machine (0 for one a GPU), or the Dask scheduler at an address; neither for this
        process alone.
    paths
        Beginnings of paths here → what they are on the cluster's machines.
    exact
        Whether workers with another processor or backend are refused.
    """

    whole: bool = False
    folder: Path | None = None
    chunk: float = 10
    restart: bool = False
    workers: int | None = None
    cluster: str | None = None
    paths: Mapping[str, str] = field(default_factory=dict)
    retries: int = 3
    exact: bool = False
    tls: Mapping[str, str] = field(default_factory=dict)


class Count(click.ParamType[int]):
    """A number of workers; 0 for ``auto``."""

    name = "count"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if value == "auto":
            return 0
        if value.isdecimal() and int(value) > 0:
            return int(value)
        self.fail(f"{value!r} is no number of workers: give one from 1, or auto for one a GPU", param, ctx)


OPTIONS = (
    click.option("--whole", is_flag=True, help="One stream by one encoder, not a job in chunks: it cannot go on."),
    click.option("--job", "folder", metavar="FOLDER", type=click.Path(path_type=Path),
                 help="Where the job's chunks go, by default OUT.job."),
    click.option("--chunk", metavar="SECONDS", type=click.FloatRange(min=0, min_open=True), default=10,
                 show_default=True, help="How long a chunk of the job is, about."),
    click.option("--restart", is_flag=True, help="Begin anew, and not where an earlier run of the job ended."),
    click.option("--workers", metavar="N|auto", type=Count(),
                 help="Processes of this machine that make chunks; auto for one a GPU of the backend's devices."),
    click.option("--cluster", metavar="ADDRESS", help="A Dask scheduler whose workers (vs-interp worker) make chunks."),
    click.option("--map", "maps", metavar="/HERE=/THERE", multiple=True,
                 help="Where a folder of this machine is on the workers' machines."),
    click.option("--retries", metavar="N", type=click.IntRange(0), default=3, show_default=True,
                 help="How often a chunk that failed is tried again."),
    click.option("--exact", is_flag=True, help="Refuse workers with another processor or backend than this machine's."),
)  # fmt: skip


def job_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command these options, which it gets as ``how``."""
    names = [name for name in How.__dataclass_fields__ if name not in ("paths", "tls")]

    @wraps(command)
    def with_how(*arguments: Any, tls: Tls, maps: tuple[str, ...], **rest: Any) -> Any:
        given = {name: rest.pop(name) for name in names}
        how = How(**given, paths=parse_maps(maps), tls=tls.files)
        if how.workers is not None and how.cluster is not None:
            raise click.UsageError("--workers and --cluster are both given: give one of them")
        if (how.workers is not None or how.cluster is not None) and how.whole:
            raise click.UsageError("--whole is one stream by one encoder: leave out --workers and --cluster")
        return command(*arguments, how=how, **rest)

    decorated = tls_options(with_how)
    for option in reversed(OPTIONS):
        decorated = option(decorated)
    return decorated
