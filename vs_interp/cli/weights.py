"""``vs-interp weights``: the catalogue of weights, and model files made of them once in the user's cache."""

from __future__ import annotations

import importlib.util
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vs_interp.errors import ArgumentError, BackendError, CheckpointError, DownloadError
from vs_interp.extras import how_to_get
from vs_interp.folders import cache_folder
from vs_interp.log import logger
from vs_interp.weights.catalogue import Weights, catalogue, checkpoint, find, verify, write_record
from vs_interp.weights.download import Progress

from .options import json_option, quiet_option, weights_names

if TYPE_CHECKING:
    from vs_interp.networks.base import Network


@click.group(name="weights")
def command() -> None:
    """Weights by name: what there is, get it, verify it, where it lies."""


@command.command("list")
@json_option
def list_weights(as_json: bool) -> None:
    """List all weights, and which of them are here."""
    if as_json:
        click.echo(json.dumps([_describe(entry) for entry in catalogue().values()], indent=1))
        return
    for entry in catalogue().values():
        size = sum(file.size for file in entry.files)
        fetched = f"{size / 1e6:.1f} MB" if size else ""
        click.echo(f"{entry.name:24}{entry.network:22}{_state(entry):18}{fetched:>9}  {entry.licence}")
        click.echo(f"    {entry.about}{f' ({entry.scores})' if entry.scores else ''}")


@command.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...", shell_complete=weights_names)
@click.option(
    "--from",
    "given",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A checkpoint, or the wheel with it, that is here.",
)
@quiet_option
@json_option
def get(names: tuple[str, ...], given: Path | None, quiet: bool, as_json: bool) -> None:
    """Fetch weights and make model files of them.  What is here already is left alone."""
    entries = [find(name) for name in names]
    if given is not None and len(entries) > 1:
        raise ArgumentError(f"--from {given} goes with one name, not with {len(entries)}")
    for entry in entries:
        if not entry.here:
            _make(entry, given)
        if not as_json:
            click.echo(f"{entry.name}: {entry.model_file}")
    if as_json:
        click.echo(json.dumps([_describe(entry) for entry in entries], indent=1))


@command.command("verify")
@click.argument("names", nargs=-1, metavar="[NAME...]", shell_complete=weights_names)
@json_option
def verify_weights(names: tuple[str, ...], as_json: bool) -> None:
    """Compare model files with the SHA-256 noted of them; all that are here where none is named."""
    entries = [find(name) for name in names] or [entry for entry in catalogue().values() if entry.here]
    problems: dict[str, str] = {}
    for entry in entries:
        try:
            verify(entry)
        except DownloadError as error:
            problems[entry.name] = str(error)
        if not as_json:
            click.echo(f"{entry.name}: {problems.get(entry.name, 'good')}")
    if as_json:
        click.echo(json.dumps({entry.name: problems.get(entry.name) for entry in entries}, indent=1))
    if problems:
        raise click.exceptions.Exit(2)


@command.command("path")
@click.argument("name", shell_complete=weights_names)
def path_of_weights(name: str) -> None:
    """Print where the model file of weights lies that are here."""
    from vs_interp.weights.catalogue import resolve

    entry = find(name)
    click.echo(resolve(entry.name, network=entry.network))


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


def _make(entry: Weights, given: Path | None) -> None:
    """Fetch the checkpoint and make the model file, under a lock, so that two runs do not disturb each other."""
    if importlib.util.find_spec("torch") is None:
        raise BackendError(f"making a model file needs PyTorch, which is not installed: {how_to_get('train')}")
    from filelock import FileLock

    from trt_build.pytorch.export import export

    entry.model_file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(cache_folder("weights") / f"{entry.name}.lock"):
        if entry.here:
            return
        with _progress(entry) as progress, checkpoint(entry, given, progress) as file:
            network = _read(entry, file)
            logger.info("making the model file of %s", entry.name)
            export(network, entry.model_file, overwrite=True)
            write_record(entry, file)


def _read(entry: Weights, file: Path) -> Network:
    """Read a checkpoint, and check that it is of the entry's network."""
    from vs_interp.weights.checkpoint import load_checkpoint

    network = load_checkpoint(file, entry.settings)
    found = network.spec.name
    if found != entry.network:
        raise CheckpointError(f"{file} looks like {found}, and {entry.name} is {entry.network}: give another file")
    for name, wanted in entry.config.items():
        has = getattr(network.config, name)
        if has != wanted:
            raise CheckpointError(
                f"{file} is a {found} of {name} {has}, and {entry.name} has {wanted}: give another file"
            )
    return network


@contextmanager
def _progress(entry: Weights) -> Iterator[Progress]:
    """Show a bar on the terminal's error stream while bytes arrive."""
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
