"""Shared by the engine commands: the folder option, finding an engine by its name, and describing one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vs_interp.errors import ArgumentError

if TYPE_CHECKING:
    from trt_build.engines.cache import EngineCache, Entry

SHORT = 12
"""How many letters of an engine's name are shown."""

in_folder = click.option(
    "--folder", type=click.Path(path_type=Path, file_okay=False), help="Use this folder instead of the cache."
)


def open_cache(folder: Path | None) -> EngineCache:
    """Open a folder as an engine cache, by default the user's."""
    from trt_build.engines.cache import EngineCache

    return EngineCache(folder)


def find_engine(cache: EngineCache, name: str) -> Entry:
    """Return the engine whose name begins with ``name``.  Raises :class:`ArgumentError` unless there is exactly one."""
    found = [entry for entry in cache.entries() if entry.digest.startswith(name)]
    if len(found) != 1:
        count = "no engine's name begins" if not found else f"the names of {len(found)} engines begin"
        raise ArgumentError(f"in {cache.folder} {count} with {name!r}: see `vs-interp engines list`")
    return found[0]


def describe(entry: Entry) -> dict[str, Any]:
    """Return everything that is known about an engine, as JSON values."""
    used = entry.used.isoformat(timespec="seconds")
    return {"engine": entry.digest, "file": str(entry.path), "bytes": entry.size, "used": used, **entry.about}


def line(entry: Entry) -> str:
    """Describe an engine in one line."""
    key, size = entry.key, f"{entry.digest[:SHORT]}  {entry.size / 2**20:8.1f} MiB"
    if key is None:
        return f"{size}  damaged"
    profile, device = key.profile, "" if key.device == "any" else f" ({key.device})"
    return (
        f"{size}  {key.network:14}{f'{profile.width}x{profile.height}':>10} {profile.planes.name:10} "
        f"{key.target:7}{device} {key.runtime} {key.version}"
    )
