"""``vs-interp engines``: the engines in the cache."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vs_interp.errors import ArgumentError, BackendError

from .options import json_option

if TYPE_CHECKING:
    from trt_build.engines.cache import EngineCache, Entry
    from trt_build.engines.runtimes import Runtime
    from trt_build.engines.targets import Gpu

in_folder = click.option(
    "--folder", type=click.Path(path_type=Path, file_okay=False), help="Not the cache, but this folder."
)


@click.group(name="engines")
def command() -> None:
    """Engines in the cache: list, show, verify, clear."""


@command.command("list")
@in_folder
@json_option
def list_engines(folder: Path | None, as_json: bool) -> None:
    """List engines, the one that was used last first."""
    cache = _cache(folder)
    entries = list(cache.entries())
    if as_json:
        click.echo(json.dumps([_describe(entry) for entry in entries], indent=1))
        return
    for entry in entries:
        click.echo(_line(entry))
    total = sum(entry.size for entry in entries) / 2**20
    click.echo(f"{len(entries)} engines, {total:.1f} MiB in {cache.folder}")


@command.command()
@click.argument("engine")
@in_folder
@json_option
def show(engine: str, folder: Path | None, as_json: bool) -> None:
    """Show all about ENGINE: the beginning of its name will do."""
    entry = _find(_cache(folder), engine)
    described = _describe(entry)
    if as_json:
        click.echo(json.dumps(described, indent=1))
        return
    for name, value in _flat(described):
        click.echo(f"{name:34}{value}")


@command.command("verify")
@click.argument("engine", required=False)
@click.option("--model", help="The engine's model: run both and compare, on this machine's GPU that it is for.")
@in_folder
@json_option
def verify_engines(engine: str | None, model: str | None, folder: Path | None, as_json: bool) -> None:
    """Read ENGINE, or all, to the last byte and check them; with --model measure ENGINE against FP32 again."""
    cache = _cache(folder)
    entries = [_find(cache, engine)] if engine else list(cache.entries())
    if model is not None and engine is None:
        raise ArgumentError("--model goes with the name of one engine")
    rows: list[dict[str, Any]] = [{"engine": entry.path.stem, "fault": _fault(entry)} for entry in entries]
    faults = [row for row in rows if row["fault"]]
    if model is not None and not faults:
        rows[0]["psnr"] = _measure(entries[0], model)
    if as_json:
        click.echo(json.dumps(rows, indent=1))
    else:
        for row in rows:
            scores = f", {min(row['psnr'].values()):.1f} dB or more" if "psnr" in row else ""
            click.echo(f"{row['engine'][:12]}  {row['fault'] or f'whole{scores}'}")
    if faults:
        raise BackendError(
            f"{len(faults)} of {len(rows)} engines are damaged: `vs-interp engines clear --stale` removes them"
        )


@command.command()
@click.option("--stale", is_flag=True, help="Only what cannot be used any more: damaged, or of another version.")
@in_folder
@json_option
def clear(stale: bool, folder: Path | None, as_json: bool) -> None:
    """Remove engines, and what killed builds left behind.  They are built again when they are needed."""
    cache = _cache(folder)
    removed = [entry for entry in cache.entries() if not stale or _stale(entry)]
    for entry in removed:
        cache.remove(entry)
    swept = cache.sweep()
    if as_json:
        click.echo(json.dumps({"removed": [entry.path.stem for entry in removed], "swept": swept}, indent=1))
        return
    size = sum(entry.size for entry in removed) / 2**20
    click.echo(f"removed {len(removed)} engines, {size:.1f} MiB, and {swept} unfinished files")


def _cache(folder: Path | None) -> EngineCache:
    from trt_build.engines.cache import EngineCache

    return EngineCache(folder)


def _find(cache: EngineCache, name: str) -> Entry:
    """Return the only engine whose name begins like that."""
    found = [entry for entry in cache.entries() if entry.path.stem.startswith(name)]
    if len(found) != 1:
        count = "no engine's name begins" if not found else f"the names of {len(found)} engines begin"
        raise ArgumentError(f"in {cache.folder} {count} with {name!r}: see `vs-interp engines list`")
    return found[0]


def _describe(entry: Entry) -> dict[str, Any]:
    used = entry.used.isoformat(timespec="seconds")
    return {"engine": entry.path.stem, "file": str(entry.path), "bytes": entry.size, "used": used, **entry.about}


def _line(entry: Entry) -> str:
    key, scores = entry.key, entry.about.get("psnr")
    if not key:
        return f"{entry.path.stem[:12]}  {entry.size / 2**20:8.1f} MiB  nothing is known about it"
    profile = key["profile"]
    size, device = f"{profile['width']}x{profile['height']}", "" if key["device"] == "any" else f" ({key['device']})"
    quality = f"{min(scores.values()):5.1f} dB" if scores else "not verified"
    return (
        f"{entry.path.stem[:12]}  {entry.size / 2**20:8.1f} MiB  {key['network']:14}{size:>10} "
        f"{_format(profile['planes']):10} {key['target']:7}{device} {key['runtime']} {key['version']}  {quality}"
    )


def _format(planes: Mapping[str, Any]) -> str:
    """Return the name that VapourSynth has for a format."""
    samples = {16: "H", 32: "S"}[planes["bits"]] if planes["floating"] else str(planes["bits"])
    if planes["family"] == "gray":
        return f"GRAY{samples}"
    if planes["family"] == "rgb":
        return f"RGB{samples if planes['floating'] else 3 * planes['bits']}"
    columns, rows = planes["subsampling"]
    return f"YUV4{('44', '22', '20')[columns + rows]}P{samples}"


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _fault(entry: Entry) -> str | None:
    """Return what is wrong with an engine file."""
    from trt_build.engines.engine import Engine, EngineError

    try:
        engine = Engine.from_bytes(entry.path.read_bytes())
    except (EngineError, OSError) as error:
        return str(error)
    return None if engine.about == entry.key else "its description is lost, or belongs to another engine"


def _stale(entry: Entry) -> bool:
    """Whether no program on this machine can use the engine any more."""
    from trt_build.engines.cache import GRAPH_VERSION
    from trt_build.engines.runtimes import check_runtime, missing, version
    from trt_build.engines.targets import present_gpus

    key = entry.key
    if _fault(entry) or key["graph"] != GRAPH_VERSION:
        return True
    runtime = check_runtime(key["runtime"])
    if missing(runtime) is None and key["version"] != version(runtime):
        return True
    drivers = {device.driver for device in present_gpus() if device.name == key["device"]}
    return bool(drivers) and key["driver"] not in drivers


def _measure(entry: Entry, model: str) -> Mapping[str, float]:
    """Run an engine on the GPU of this machine that it is for, against the model it was made of."""
    from trt_build.backends.cuda import CudaDevice
    from trt_build.engines.build import BuildOptions
    from trt_build.engines.engine import Engine
    from trt_build.engines.runtimes import check_runtime
    from trt_build.engines.targets import usable_gpus
    from trt_build.profile import PlaneFormat, Profile
    from trt_build.verify.on_gpu import verify_engine
    from vs_interp.size import Size
    from vs_interp.weights.obtain import load

    file, key = load(model, network=entry.key["network"]), entry.key
    if file.identity != key["model"]:
        raise ArgumentError(f"{model} is not what the engine {entry.path.stem[:12]} was made of: give that model")
    values = dict(key["profile"])
    planes = dict(values.pop("planes"))
    planes["subsampling"] = tuple(planes["subsampling"])
    profile = Profile(**values, planes=PlaneFormat(**planes))
    engine = Engine.from_bytes(entry.path.read_bytes())
    limits = key["options"]["dynamic"]
    dynamic = None if limits is None else (Size(*limits[0]), Size(*limits[1]))
    options = BuildOptions(runtime=check_runtime(key["runtime"]), dynamic=dynamic)
    gpus = [gpu for gpu in usable_gpus(options.runtime) if _is_for(gpu, key, options.runtime)]
    if not gpus:
        raise BackendError(f"this machine has no GPU that the engine {entry.path.stem[:12]} is for ({key['target']})")
    return verify_engine(engine, options, file, profile, CudaDevice(gpus[0].index))


def _is_for(gpu: Gpu, key: Mapping[str, Any], runtime: Runtime) -> bool:
    from trt_build.engines.targets import serving_targets

    return key["target"] in map(str, serving_targets(gpu, runtime)) and key["device"] in ("any", gpu.name)
