"""Options of the commands that connect to a Dask cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click


@dataclass(frozen=True)
class Tls:
    """The certificate files of a TLS connection (``ca``, ``cert``, ``key``); empty for an unencrypted one."""

    files: Mapping[str, str]


def tls_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the TLS options to a command, which receives them as ``tls``."""

    @wraps(command)
    def with_tls(*arguments: Any, tls_ca: Path | None, tls_cert: Path | None, tls_key: Path | None, **rest: Any) -> Any:
        given = {"ca": tls_ca, "cert": tls_cert, "key": tls_key}
        missing = [name for name, path in given.items() if path is None]
        if missing and len(missing) < len(given):
            raise click.UsageError(f"--tls-{missing[0]} is missing: TLS needs --tls-ca, --tls-cert and --tls-key")
        files = {} if missing else {name: str(path) for name, path in given.items()}
        return command(*arguments, tls=Tls(files), **rest)

    for name, what in (
        ("key", "private key of this machine"),
        ("cert", "certificate of this machine"),
        ("ca", "certificate of the authority"),
    ):
        kind = click.Path(path_type=Path)
        with_tls = click.option(f"--tls-{name}", metavar="FILE", type=kind, help=f"TLS {what} (PEM).")(with_tls)
    return with_tls


def parse_maps(maps: tuple[str, ...]) -> dict[str, str]:
    """Parse ``/here=/there`` into a dictionary of paths.  Raises :class:`click.UsageError`."""
    pairs = [text.partition("=") for text in maps]
    for here, equals, there in pairs:
        if not (here and equals and there):
            raise click.UsageError(f"--map {here}{equals}{there} does not name two folders: give it as /here=/there")
    return {str(Path(here).absolute()): there for here, _, there in pairs}
