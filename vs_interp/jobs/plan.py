"""The plan of a job: what is converted, with what, in which chunks; and its identity, which decides about resuming."""

from __future__ import annotations

import bisect
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from pathlib import Path
from typing import Any

import av

from trt_build.backends import choose
from trt_build.model_file import ModelFile
from vs_interp.errors import ArgumentError
from vs_interp.films.ffmpeg import find_ffmpeg
from vs_interp.films.ffmpeg import version as ffmpeg_version
from vs_interp.films.inputs import is_sequence, openable

from .conversion import Conversion, OpenConversion
from .steps import without_gpus

FORMAT_VERSION = 1

CHUNK_SECONDS = 10
"""The approximate length of a chunk."""

NEAR = 5
"""A chunk's border moves to a key frame of the source within one ``NEAR``-th of a chunk's length."""

SAMPLE = 1 << 20
"""Bytes that are hashed at the start, the middle and the end of a source."""

PACKAGES = ("vs-interp", "openvino", "tensorrt", "tensorrt-rtx", "onnxruntime", "VapourSynth", "vapoursynth-bestsource")


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
            raise ArgumentError(f"{where} is not a job's manifest, or is damaged: use --restart") from error
        raise ArgumentError(
            f"{where} has format {values['format']}: continue with the version that started it, or use --restart"
        )

    @classmethod
    def _intact(cls, values: Mapping[str, Any], where: str) -> Manifest:
        found = cls(
            conversion=Conversion.from_json(values["conversion"]),
            identity=values["identity"],
            borders=tuple(values["borders"]),
        )
        if found.name != values["name"] or list(found.borders) != sorted(set(found.borders)):
            raise ArgumentError(f"{where} was changed since the job started, so its chunks may not fit: use --restart")
        return found

    def differences(self, other: Manifest) -> list[str]:
        """Return one phrase for each setting in which another run's job differs from this one."""
        if other.name == self.name:
            return []
        before, now = dict(_flat(self.identity)), dict(_flat(other.identity))
        names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
        return [f"{name} was {_shown(before.get(name))} and is {_shown(now.get(name))}" for name in names] or [
            "the chunks start at other frames"
        ]


def plan(conversion: Conversion, opened: OpenConversion, seconds: float = CHUNK_SECONDS) -> Manifest:
    """Return the plan of a conversion whose film is open, in chunks of about ``seconds``.

    Borders do not affect the frames, since each chunk is cut out of the whole clip.  They are placed at key frames of
    the source if there are any nearby: these are mostly cuts, where a new key frame costs the output few bits.
    """
    return Manifest(
        conversion=conversion,
        identity=json.loads(json.dumps(_identity(conversion))),
        borders=tuple(_borders(opened, seconds)),
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
        "backends": [str(choose(without_gpus(step.backend))) for step in conversion.steps],
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Return the versions of ffmpeg and of the installed packages that affect frames or bytes."""
    found = {"ffmpeg": ffmpeg_version(find_ffmpeg())}
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


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


def _borders(opened: OpenConversion, seconds: float) -> Iterator[int]:
    """Yield 0, the frames at which further chunks start, and the number of frames."""
    length = len(opened.clip)
    source, seconds_in_all = opened.source.stream.clip, opened.encoding.stream.seconds
    fps = float(opened.clip.fps) or (length / float(seconds_in_all) if seconds_in_all else 25.0)
    usual = max(round(seconds * fps), 1)
    near = usual // NEAR
    key_frames = [(number - opened.source.first) * length // len(source) for number in _key_frames(opened)]
    border = 0
    yield border
    while length - border > usual + near:
        wanted = border + usual
        place = bisect.bisect(key_frames, wanted)
        close = [frame for frame in key_frames[max(place - 1, 0) : place + 1] if abs(frame - wanted) <= near]
        border = min(close, key=lambda frame: abs(frame - wanted), default=wanted)
        yield border
    yield length


def _key_frames(opened: OpenConversion) -> list[int]:
    """Return the numbers of the source's key frames, in decoding order."""
    with av.open(f"file:{opened.source.path}") as container:
        packets = container.demux(container.streams[opened.source.track])
        return [number for number, packet in enumerate(filter(_holds_a_frame, packets)) if packet.is_keyframe]


def _holds_a_frame(packet: av.Packet[Any]) -> bool:
    return packet.size > 0


def _flat(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _shown(value: Any) -> str:
    return "not given" if value in (None, [], ()) else str(value)
