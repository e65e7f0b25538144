"""``vs-interp engines``: manage the engines in the cache."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vs_interp.errors import ArgumentError, BackendError

from .engine_carrying import export_engines, import_engines
from .engine_files import SHORT, describe, find_engine, in_folder, line, open_cache
from .engine_search import which
from .options import json_option

if TYPE_CHECKING:
    from trt_build.engines.cache import EngineCache, Entry


@click.group(name="engines")
def command() -> None:
    """Manage the engines in the cache."""


command.add_command(which)
command.add_command(export_engines)
command.add_command(import_engines)


@command.command("list")
@in_folder
@json_option
def list_engines(folder: Path | None, as_json: bool) -> None:
    """List engines, the most recently used first."""
    cache = open_cache(folder)
    entries = list(cache.entries())
    if as_json:
        click.echo(json.dumps([describe(entry) for entry in entries], indent=1))
        return
    for entry in entries:
        scores = entry.about.get("psnr")
        click.echo(f"{line(entry)}  {f'{min(scores.values()):5.1f} dB' if scores else 'not verified'}")
    total = sum(entry.size for entry in entries) / 2**20
    click.echo(f"{len(entries)} engines, {total:.1f} MiB in {cache.folder}")


@command.command()
@click.argument("engine")
@in_folder
@json_option
def show(engine: str, folder: Path | None, as_json: bool) -> None:
    """Show everything about ENGINE, given by the beginning of its name."""
    entry = find_engine(open_cache(folder), engine)
    described = describe(entry)
    if as_json:
        click.echo(json.dumps(described, indent=1))
        return
    for name, value in _flat(described):
        click.echo(f"{name:34}{value}")


@command.command("verify")
@click.argument("engine", required=False)
@click.option("--model", help="Run this model in FP32 and the engine on the GPU, and compare.")
@in_folder
@json_option
def verify_engines(engine: str | None, model: str | None, folder: Path | None, as_json: bool) -> None:
    """Check that engines are undamaged, by default all.  With --model, measure ENGINE against FP32 again, too."""
    cache = open_cache(folder)
    entries = [find_engine(cache, engine)] if engine else list(cache.entries())
    if model is not None and engine is None:
        raise ArgumentError("--model needs the name of one engine")
    rows: list[dict[str, Any]] = [{"engine": entry.digest, "fault": _fault(entry)} for entry in entries]
    faults = [row for row in rows if row["fault"]]
    if model is not None and not faults:
        rows[0]["psnr"] = _measure(cache, entries[0], model)
    if as_json:
        click.echo(json.dumps(rows, indent=1))
    else:
        for row in rows:
            scores = f", {min(row['psnr'].values()):.1f} dB or more" if row.get("psnr") else ""
            click.echo(f"{row['engine'][:SHORT]}  {row['fault'] or f'undamaged{scores}'}")
    if faults:
        raise BackendError(
            f"{len(faults)} of {len(rows)} engines are damaged: `vs-interp engines clear --stale` removes them"
        )


@command.command()
@click.option("--stale", is_flag=True, help="Only those that cannot be used any more: damaged, or of another version.")
@in_folder
@json_option
def clear(stale: bool, folder: Path | None, as_json: bool) -> None:
    """Remove engines, and the unfinished files of killed builds.  Engines are built again when needed."""
    cache = open_cache(folder)
    removed = [entry for entry in cache.entries() if not stale or _stale(entry)]
    for entry in removed:
        cache.remove(entry)
    swept = cache.sweep()
    if as_json:
        click.echo(json.dumps({"removed": [entry.digest for entry in removed], "swept": swept}, indent=1))
        return
    size = sum(entry.size for entry in removed) / 2**20
    click.echo(f"removed {len(removed)} engines, {size:.1f} MiB, and {swept} unfinished files")


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _fault(entry: Entry) -> str | None:
    """Return what is wrong with an engine file, or ``None``."""
    from trt_build.engines.engine import EngineError

    try:
        entry.read()
    except (EngineError, OSError) as error:
        return str(error)
    return None


def _stale(entry: Entry) -> bool:
    """Whether no program on this machine can use the engine any more."""
    from trt_build.engines.key import GRAPH_VERSION
    from trt_build.engines.runtimes import check_runtime, missing, version
    from trt_build.engines.targets import present_gpus

    key = entry.key
    if key is None or key.graph != GRAPH_VERSION or _fault(entry):
        return True
    runtime = check_runtime(key.runtime)
    if missing(runtime) is None and key.version != version(runtime):
        return True
    drivers = {device.driver for device in present_gpus() if device.name == key.device}
    return bool(drivers) and key.driver not in drivers


def _measure(cache: EngineCache, entry: Entry, model: str) -> Mapping[str, float]:
    """Measure an engine against its model on a GPU of this machine, and record the result."""
    from trt_build.backends.cuda import CudaDevice
    from trt_build.engines.build import BuildOptions
    from trt_build.engines.runtimes import check_runtime
    from trt_build.engines.targets import serving_targets, usable_gpus
    from trt_build.verify.on_gpu import verify_engine
    from vs_interp.size import Size
    from vs_interp.weights.obtain import load

    engine, key, name = entry.read(), entry.key, entry.digest[:SHORT]
    assert key is not None  # an engine that can be read has a key
    file = load(model, network=key.network)
    if file.identity != key.model:
        raise ArgumentError(f"the engine {name} was not built from {model}: give its own model")
    limits, runtime = key.options["dynamic"], check_runtime(key.runtime)
    dynamic = None if limits is None else (Size(*limits[0]), Size(*limits[1]))
    options = BuildOptions(runtime=runtime, dynamic=dynamic)
    for gpu in usable_gpus(runtime):
        if key.target in map(str, serving_targets(gpu, runtime)) and key.device in ("any", gpu.name):
            scores = verify_engine(engine, options, file, key.profile, CudaDevice(gpu.index))
            cache.note_verified(key, str(gpu), scores)
            return scores
    raise BackendError(f"this machine has no GPU for the engine {name} ({key.target})")
