"""Which engine of a cache serves a clip, and why the others do not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .cache import EngineCache, Entry
from .engine import EngineError
from .key import EngineKey


@dataclass(frozen=True)
class Candidate:
    """An engine, and how it differs from what is wanted; ``lacks`` is empty for the one that serves."""

    entry: Entry
    lacks: tuple[str, ...]


def candidates(cache: EngineCache, keys: Sequence[EngineKey]) -> list[Candidate]:
    """Return every engine of a cache: first the one that serves, then those with the fewest differences.

    ``keys`` are those of the engines that would do, most preferred first.
    """
    served = next((entry for key in keys if (entry := cache.find(key)) is not None), None)
    found = [Candidate(entry, tuple(_lacks(entry, keys, served))) for entry in cache.entries()]
    return sorted(found, key=lambda candidate: len(candidate.lacks))


def _lacks(entry: Entry, keys: Sequence[EngineKey], served: Entry | None) -> Iterator[str]:
    key = entry.key
    if key is None:
        yield "its description cannot be read"
    elif key.digest not in [each.digest for each in keys]:
        yield from min((list(_differences(key, wanted)) for wanted in keys), key=len)
    elif served is None or entry.path != served.path:
        yield "another one fits better"
    else:
        try:
            entry.read()
        except (OSError, EngineError) as error:
            yield str(error)


def _differences(key: EngineKey, wanted: EngineKey) -> Iterator[str]:
    """Yield how an engine differs from the wanted one, the most telling difference first."""
    if key.network != wanted.network:
        yield f"of {key.network}, not {wanted.network}"
    elif key.model != wanted.model:
        yield f"of other weights of {key.network}"
    yield from _of_pictures(key, wanted)
    if key.target != wanted.target:
        yield f"for {key.target}, not {wanted.target}"
    if key.device != wanted.device:
        yield f"for the GPU {key.device}, not {wanted.device}"
    if key.driver != wanted.driver:
        yield f"for the driver's CUDA {key.driver}, not {wanted.driver}"
    if key.runtime != wanted.runtime:
        yield f"of {key.runtime}, not {wanted.runtime}"
    elif key.version != wanted.version:
        yield f"of {key.runtime} {key.version}, not {wanted.version}"
    for name in wanted.options:
        have, want = key.about()["options"].get(name), wanted.about()["options"][name]
        if have != want and name != "dynamic":
            yield f"built with {name.replace('_', ' ')} {_value(have)}, not {_value(want)}"
    if key.graph != wanted.graph:
        yield f"of {'an older' if key.graph < wanted.graph else 'a newer'} version of vs-interp"


def _of_pictures(key: EngineKey, wanted: EngineKey) -> Iterator[str]:
    have, want = key.profile, wanted.profile
    size, other = f"{have.width}x{have.height}", f"{want.width}x{want.height}"
    limits, others = key.about()["options"].get("dynamic"), wanted.about()["options"].get("dynamic")
    if limits != others and limits:
        text = f"{'x'.join(map(str, limits[0]))}+{size}+{'x'.join(map(str, limits[1]))}"
        yield f"for a range of sizes, which {key.runtime}:dynamic={text} serves"
    elif limits != others:
        yield f"for {size} alone, not a range"
    elif size != other:
        yield f"for {size}, not {other}"
    if have.planes.name != want.planes.name:
        yield f"for {have.planes.name}, not {want.planes.name}"
    if have.planes.matrix != want.planes.matrix:
        yield f"for BT.{have.planes.matrix}, not BT.{want.planes.matrix}"
    if have.planes.full_range != want.planes.full_range:
        yield f"for {_range(have.planes.full_range)} range, not {_range(want.planes.full_range)}"
    if have.planes.siting != want.planes.siting:
        yield f"for chroma {have.planes.siting}, not {want.planes.siting}"


def _range(is_full: bool) -> str:
    return "full" if is_full else "limited"


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "none" if value is None else str(value)
