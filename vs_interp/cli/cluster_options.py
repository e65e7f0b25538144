"""The options of commands that talk to a Dask cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click


@dataclass(frozen=True)
class Tls:
    """The files with which a connection is encrypted; none for one that is not."""

    files: Mapping[str, str]


def tls_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of TLS, which it gets as ``tls``."""

    @wraps(command)
    def with_tls(*arguments: Any, tls_ca: Path | None, tls_cert: Path | None, tls_key: Path | None, **rest: Any) -> Any:
        given = {"ca": tls_ca, "cert": tls_cert, "key": tls_key}
        missing = [name for name, path in given.items() if path is None]
        if missing and len(missing) < len(given):
            raise click.UsageError(f"--tls-{missing[0]} is missing: TLS needs --tls-ca, --tls-cert and --tls-key")
        return command(
            *arguments, tls=Tls({} if missing else {name: str(path) for name, path in given.items()}), **rest
        )

    for name, what in (("key", "its private key"), ("cert", "this side's certificate"), ("ca", "the authority's")):
        kind = click.Path(path_type=Path)
        with_tls = click.option(f"--tls-{name}", metavar="FILE", type=kind, help=f"TLS: {what} (PEM).")(with_tls)
    return with_tls


def parse_maps(maps: tuple[str, ...]) -> dict[str, str]:
    """Return the paths of ``/here=/there``.  Raises :class:`click.UsageError`."""
    pairs = [text.partition("=") for text in maps]
    for here, equals, there in pairs:
        if not (here and equals and there):
            raise click.UsageError(f"--map {here}{equals}{there} names no two folders: give it as /here=/there")
    return {str(Path(here).absolute()): there for here, _, there in pairs}
