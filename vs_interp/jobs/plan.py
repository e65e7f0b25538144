"""The plan of a job: what is converted, with what, in which chunks; and what makes two jobs one and the same."""

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
"""How long a chunk is, about."""

NEAR = 5
"""A border moves by a fifth of a chunk, at most, to a frame that the source's encoder began anew with."""

SAMPLE = 1 << 20
"""Bytes that are hashed at each of the beginning, the middle and the end of a source."""

PACKAGES = ("vs-interp", "openvino", "tensorrt", "tensorrt-rtx", "onnxruntime", "VapourSynth", "vapoursynth-bestsource")


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """A job as it is written down; two runs with equal :attr:`identity` make the same bytes.

    identity
        All that changes frames or bytes, by what people call it.
    borders
        Frames of the output at which chunks begin, and their number at the end.
    """

    conversion: Conversion
    identity: Mapping[str, Any]
    borders: tuple[int, ...]

    @property
    def chunks(self) -> Sequence[tuple[int, int]]:
        """The first frame of each chunk and the one after its last."""
        return list(pairwise(self.borders))

    @property
    def name(self) -> str:
        """Short, and another one for every other job."""
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
        """Return the manifest in a text that was read ``where``.

        Raises :class:`ArgumentError` where it is none, of another version, or was changed by hand.
        """
        try:
            values = json.loads(text)
            if values["format"] == FORMAT_VERSION:
                return cls._intact(values, where)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            if isinstance(error, ArgumentError):
                raise
            raise ArgumentError(f"{where} is no manifest of a job, or a damaged one: use --restart") from error
        raise ArgumentError(
            f"{where} is of format {values['format']}: go on with the version that began it, or use --restart"
        )

    @classmethod
    def _intact(cls, values: Mapping[str, Any], where: str) -> Manifest:
        found = cls(
            conversion=Conversion.from_json(values["conversion"]),
            identity=values["identity"],
            borders=tuple(values["borders"]),
        )
        if found.name != values["name"] or list(found.borders) != sorted(set(found.borders)):
            raise ArgumentError(f"{where} was changed since the job began, so its chunks may not fit: use --restart")
        return found

    def differences(self, other: Manifest) -> list[str]:
        """Return a phrase for each thing in which another run's job is not this one."""
        if other.name == self.name:
            return []
        before, now = dict(_flat(self.identity)), dict(_flat(other.identity))
        names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
        return [f"{name} was {_shown(before.get(name))} and is {_shown(now.get(name))}" for name in names] or [
            "its chunks are others"
        ]


def plan(conversion: Conversion, opened: OpenConversion, seconds: float = CHUNK_SECONDS) -> Manifest:
    """Return the plan of a conversion whose film is open.

    Chunks are about ``seconds`` long.  Their borders change nothing in the frames, since each chunk is cut
    out of the whole clip; they lie at key frames of the source where there are some near, which are mostly cuts, since
    an encoder begins anew there at no cost.
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
    """Return the versions of all that changes frames or bytes, where it is installed."""
    found = {"ffmpeg": ffmpeg_version(find_ffmpeg())}
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def content_of(path: Path) -> str:
    """Return the size of a file and a hash of its beginning, middle and end, which tell films apart in no time.

    Pictures are told apart by their names, sizes and dates.
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
    """Yield 0, the frames at which further chunks begin, and the number of frames."""
    length = len(opened.clip)
    source, seconds_in_all = opened.source.stream.clip, opened.encoding.stream.seconds
    fps = float(opened.clip.fps) or (length / float(seconds_in_all) if seconds_in_all else 25.0)
    usual = max(round(seconds * fps), 1)
    near = usual // NEAR
    begun = [(number - opened.source.first) * length // len(source) for number in _key_frames(opened)]
    border = 0
    yield border
    while length - border > usual + near:
        wanted = border + usual
        place = bisect.bisect(begun, wanted)
        close = [other for other in begun[max(place - 1, 0) : place + 1] if abs(other - wanted) <= near]
        border = min(close, key=lambda other: abs(other - wanted), default=wanted)
        yield border
    yield length


def _key_frames(opened: OpenConversion) -> list[int]:
    """Return the numbers, in order of decoding, of the frames that the source's encoder began anew with."""
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
