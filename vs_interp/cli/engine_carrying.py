"""``vs-interp engines export`` and ``import``: take engines, with their weights and scores, to another machine."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vs_interp.errors import ArgumentError, BackendError, VsInterpError
from vs_interp.log import logger

from .engine_files import SHORT, find_engine, in_folder, line, open_cache
from .options import json_option, models, quiet_option

if TYPE_CHECKING:
    from trt_build.engines.cache import EngineCache, Entry
    from trt_build.engines.carry import Parcel
    from trt_build.engines.key import EngineKey


@click.command("export")
@click.argument("target", type=click.Path(path_type=Path))
@click.argument("engines", nargs=-1, metavar="[ENGINE]...")
@click.option("--model", "files", multiple=True, shell_complete=models,
              help="Your own model file of an engine; those from the catalogue are found.")  # fmt: skip
@in_folder
@quiet_option
@json_option
def export_engines(
    *, target: Path, engines: Sequence[str], files: Sequence[str], folder: Path | None, quiet: bool, as_json: bool
) -> None:
    """Write engines to TARGET for another machine.

    TARGET is a zip file or a new folder.  It gets all verified engines, or those whose names start with ENGINE, along
    with the weights that are not bundled with vs-interp, and a file SHA256SUMS.

    \b
    Examples:
      vs-interp engines export engines.zip
      vs-interp engines export /media/usb/engines 3f2a 91cc --model mine.onnx
    """
    from trt_build.engines.carry import pack, unverified

    cache = open_cache(folder)
    entries = [find_engine(cache, name) for name in engines] or list(cache.entries())
    if not engines:
        unusable = [entry for entry in entries if entry.key is None or unverified(entry.about)]
        entries = [entry for entry in entries if entry not in unusable]
        for entry in unusable:
            logger.warning("%s is left out: %s", entry.digest[:SHORT], unverified(entry.about) or "it is damaged")
    if not entries:
        raise ArgumentError(f"there are no engines to export in {cache.folder}: build some with `vs-interp build`")
    carried = _model_files(entries, files)
    try:
        pack(entries, carried, target)
    except OSError as error:
        raise BackendError(f"{target} cannot be written ({error.strerror})") from error
    if as_json:
        report = {"target": str(target), "engines": [entry.digest for entry in entries], "models": sorted(carried)}
        click.echo(json.dumps(report, indent=1))
        return
    for entry in entries:
        click.echo(line(entry))
    count = "1 engine" if len(entries) == 1 else f"{len(entries)} engines"
    weights = f" with {', '.join(sorted(carried))}" if carried else ""
    click.echo(f"{target}: {count}{weights}; on the other machine: vs-interp engines import {target.name}")


@click.command("import")
@click.argument("source", type=click.Path(path_type=Path))
@in_folder
@quiet_option
@json_option
def import_engines(*, source: Path, folder: Path | None, quiet: bool, as_json: bool) -> None:
    """Import engines and weights from SOURCE.

    SOURCE was written by `vs-interp engines export`.  Every file is checked against SHA256SUMS; files that are damaged,
    misnamed or were never verified are refused.  An engine is code that runs on your GPU: import only from people you
    trust.

    \b
    Examples:
      vs-interp engines import engines.zip
    """
    from trt_build.engines.carry import Parcel

    parcel, cache = Parcel(source), open_cache(folder)
    keys: list[EngineKey] = []
    rows = [_import_engine(parcel, digest, cache, keys) for digest in parcel.engines]
    rows += [_import_model(parcel, name, keys) for name in parcel.models]
    _warn_of_missing_models(keys)
    if as_json:
        click.echo(json.dumps(rows, indent=1))
    else:
        for row in rows:
            click.echo(f"{row['name'].removesuffix('.engine')[:SHORT]}  {row['fault'] or row['state']}")
    faults = [row["fault"] for row in rows if row["fault"]]
    if faults:
        raise BackendError(f"{len(faults)} of {len(rows)} files were not imported: {faults[0]}")


def _model_files(entries: Iterable[Entry], given: Iterable[str]) -> dict[str, bytes]:
    """Return the model files (name → content) that engines were built from, except those bundled with vs-interp.

    Raises :class:`ArgumentError` for a model that is neither in the catalogue's folder nor in ``given``.
    """
    from trt_build.model_file import ModelFile
    from vs_interp.weights.carried import weights_of
    from vs_interp.weights.catalogue import resolve

    paths = {ModelFile.load(path).identity: path for path in (resolve(name) for name in given)}
    found = {}
    for key in {entry.key.model: entry.key for entry in entries if entry.key is not None}.values():
        weights = weights_of(key.model, key.network) if key.model not in paths else None
        if key.model not in paths and weights is None:
            raise ArgumentError(
                f"the weights of {key.network} from which an engine was built are not here: give --model FILE"
            )
        if weights is None or not weights.bundled:
            path = paths[key.model] if weights is None else weights.model_file
            found[path.name] = path.read_bytes()
    return found


def _import_engine(parcel: Parcel, digest: str, cache: EngineCache, keys: list[EngineKey]) -> dict[str, Any]:
    """Import one engine and add its key to ``keys``; return a row for the report."""
    from trt_build.engines.carry import unpack

    row: dict[str, Any] = {"name": f"{digest}.engine", "state": None, "fault": None}
    try:
        key, is_new = unpack(parcel, digest, cache)
    except VsInterpError as error:
        return {**row, "fault": str(error)}
    except OSError as error:
        return {**row, "fault": f"it cannot be written to {cache.folder} ({error.strerror})"}
    keys.append(key)
    return {**row, "state": "imported" if is_new else "was here already"}


def _import_model(parcel: Parcel, name: str, keys: Iterable[EngineKey]) -> dict[str, Any]:
    """Import one model file if an imported engine needs it; return a row for the report."""
    from trt_build.model_file import ModelFile
    from vs_interp.weights.carried import put_in_place

    row: dict[str, Any] = {"name": name, "state": None, "fault": None}
    try:
        content = parcel.read(name)
        model = ModelFile.from_bytes(content)
        if model.identity not in {key.model for key in keys}:
            return {**row, "state": "left out: none of the imported engines needs it"}
        return {**row, "state": f"is now {put_in_place(name, model, content)}"}
    except VsInterpError as error:
        return {**row, "fault": str(error)}
    except OSError as error:
        return {**row, "fault": f"it cannot be written ({error.strerror})"}


def _warn_of_missing_models(keys: Iterable[EngineKey]) -> None:
    """Warn of engines whose weights are neither in the catalogue nor in the folder of models."""
    from vs_interp.weights.carried import is_here

    for key in {key.model: key for key in keys}.values():
        if not is_here(key.model, key.network):
            logger.warning("the weights of %s that these engines need are not here: get them first", key.network)
