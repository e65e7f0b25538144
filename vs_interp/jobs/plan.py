"""The plan of a job: what is converted, with what, in which chunks; and its identity, which decides about resuming."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from trt_build.backends.versions import package_versions
from trt_build.model_file import ModelFile
from vs_interp.errors import ArgumentError
from vs_interp.films.ffmpeg import find_ffmpeg
from vs_interp.films.ffmpeg import version as ffmpeg_version
from vs_interp.films.inputs import is_sequence, openable

from .borders import borders
from .conversion import Conversion, OpenConversion
from .maker import computing

FORMAT_VERSION = 1

SAMPLE = 1 << 20
"""Bytes that are hashed at the start, the middle and the end of a source."""

PACKAGES = ("VapourSynth", "vapoursynth-bestsource")
"""Packages, besides the runtimes, that affect frames."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """A job as stored in its folder; two runs with equal :attr:`identity` write the same bytes.

    identity
        Everything that affects the output's frames or bytes, under names that an error message can show.
    borders
        The output frames at which chunks start, ascending from 0, then the number of frames.
    """

    conversion: Conversion
    identity: Mapping[str, Any]
    borders: tuple[int, ...]

    @property
    def chunks(self) -> Sequence[tuple[int, int]]:
        """For each chunk, its first frame and the one after its last."""
        return list(pairwise(self.borders))

    @property
    def name(self) -> str:
        """A short hash of the identity and the borders, different for every job."""
        text = json.dumps([self.identity, self.borders], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def to_json(self) -> str:
        """Return the manifest as text."""
        values = {
            "format": FORMAT_VERSION,
            "name": self.name,
            "conversion": self.conversion.to_json(),
            "identity": self.identity,
            "borders": self.borders,
        }
        return json.dumps(values, indent=1)

    @classmethod
    def from_json(cls, text: str, where: str) -> Manifest:
        """Return the manifest from its JSON text; errors name the file ``where`` it was read.

        Raises :class:`ArgumentError` if it is not a manifest, has another format version or was edited.
        """
        try:
            values = json.loads(text)
            if values["format"] == FORMAT_VERSION:
                return cls._intact(values, where)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            if isinstance(error, ArgumentError):
                raise
            raise ArgumentError(f"{where} is not a job's manifest, or is damaged: convert it with --restart") from error
        raise ArgumentError(
            f"{where} has format {values['format']}: continue with the version that started it, "
            "or convert it with --restart"
        )

    @classmethod
    def _intact(cls, values: Mapping[str, Any], where: str) -> Manifest:
        found = cls(
            conversion=Conversion.from_json(values["conversion"]),
            identity=values["identity"],
            borders=tuple(values["borders"]),
        )
        if found.name != values["name"] or list(found.borders) != sorted(set(found.borders)):
            raise ArgumentError(
                f"{where} was changed since the job started, so its chunks may not fit: convert it with --restart"
            )
        return found

    def differences(self, other: Manifest) -> list[str]:
        """Return one phrase for each setting in which another run's job differs from this one."""
        if other.name == self.name:
            return []
        return list(_differences(self.identity, other.identity)) or ["its chunks have another length, see --chunk"]


def plan(conversion: Conversion, opened: OpenConversion, seconds: float | None = None) -> Manifest:
    """Return the plan of a conversion whose film is open, in chunks of about ``seconds``, by default of usual length.

    See :func:`~vs_interp.jobs.borders.borders`.
    """
    return Manifest(
        conversion=conversion,
        identity=json.loads(json.dumps(_identity(conversion))),
        borders=tuple(borders(opened, seconds)),
    )


def _identity(conversion: Conversion) -> dict[str, Any]:
    values = conversion.to_json()
    steps = {step.pop("step"): {**step, "backend": None} for step in values["steps"]}
    for step in conversion.steps:
        steps[step.kind]["model"] = ModelFile.load(step.model_file).digest
    return {
        "source": content_of(conversion.source),
        "part": values["part"],
        "container": conversion.output.suffix.lower(),
        "steps": steps,
        "encoding": values["choice"],
        "reading": values["reading"],
        "backends": [computing(step.backend) for step in conversion.steps],
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Return the versions of ffmpeg and of the installed packages that affect frames or bytes."""
    return {"ffmpeg": ffmpeg_version(find_ffmpeg()), **package_versions(*PACKAGES)}


def content_of(path: Path) -> str:
    """Return a fingerprint of a source, quick even for large files: its size, and a hash of its start, middle and end.

    Numbered pictures are identified by their names, sizes and dates.
    """
    opened = openable(path)
    if is_sequence(opened):
        return f"pictures, {opened.parent.name}"
    size, digest = path.stat().st_size, hashlib.sha256()
    with path.open("rb") as file:
        for start in (0, max(size // 2 - SAMPLE // 2, 0), max(size - SAMPLE, 0)):
            file.seek(start)
            digest.update(file.read(SAMPLE))
    return f"{size} bytes, {digest.hexdigest()[:32]}"


def _differences(before: Mapping[str, Any], now: Mapping[str, Any], above: str = "") -> Iterator[str]:
    for name in {**before, **now}:
        old, new = before.get(name), now.get(name)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from _differences(old, new, f"{above}{name}.")
        elif old != new:
            yield f"{above}{name} was {_shown(old)} and is {_shown(new)}"


def _shown(value: Any) -> str:
    if value in (None, [], ()):
        return "not given"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_shown(one)}" for name, one in value.items() if one is not None)
    return re.sub(r"[0-9a-f]{64}", lambda digest: f"{digest.group()[:12]}…", str(value))
