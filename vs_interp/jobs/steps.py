"""What is done to a film between decoder and encoder, as data: it travels to other processes and machines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Protocol

import vapoursynth as vs

from trt_build.backends import choose
from trt_build.backends.tensorrt import EngineBackend
from vs_interp import filters
from vs_interp.errors import ArgumentError, SourceError
from vs_interp.films.alpha import alpha_of
from vs_interp.films.source import Stream
from vs_interp.filters.scenes import DEFAULT_THRESHOLD, with_cuts_of
from vs_interp.filters.timeline import HOLD
from vs_interp.folders import cache_folder
from vs_interp.weights.catalogue import resolve


class Step(Protocol):
    """One option such as ``--interpolate``, with what belongs to it."""

    @property
    def model_file(self) -> Path:
        """Where the model is that the filter will serve.  Raises :class:`ArgumentError` where it is not here."""

    def apply(self, stream: Stream) -> Stream:
        """Return what becomes of a clip.  Raises :class:`SourceError` with the filter's own message."""


@dataclass(frozen=True, kw_only=True)
class Interpolation:
    """Frames between frames: ``factor`` times as many, or as many as ``fps`` asks for.

    backend
        As it is typed, such as ``openvino:precision=bf16``; ``None`` for the best that works where it runs.
    scene_threshold
        Of 1, from which on a cut is seen; ``None`` for no cuts.
    hold
        How many times as long as usual a frame must last to be held still; ``None`` for never.
    drop_repeats
        Whether the repeats of drawings are merged first, by a pass over the film whose result is kept in the cache.
    """

    network: str
    factor: Fraction | None = None
    fps: Fraction | None = None
    model: str | None = None
    backend: str | None = None
    scene_threshold: float | None = DEFAULT_THRESHOLD
    hold: float | None = HOLD
    drop_repeats: bool = False

    kind: ClassVar[str] = "interpolate"

    @property
    def model_file(self) -> Path:
        wanted = {"factor": int(self.factor)} if self.network == "flavr" and self.factor is not None else {}
        return resolve(self.model, network=self.network, **wanted)

    def apply(self, stream: Stream) -> Stream:
        rate = {"factor": self.factor} if self.fps is None else {"fps": self.fps}
        make = partial(
            getattr(filters, self.network.replace("-", "_")), **rate, model=self.model, backend=self.backend,
            scene_threshold=self.scene_threshold, hold=self.hold,
        )  # fmt: skip
        try:
            if self.drop_repeats:
                stream = _merged(stream)
            clip, alpha = make(stream.clip), _alpha(stream, make, self.scene_threshold)
        except vs.Error as error:
            raise SourceError(str(error)) from error
        if stream.tick is None or self.factor is None:
            return Stream(clip, None, alpha=alpha)
        return replace(stream, clip=clip, tick=stream.tick / self.factor.numerator, alpha=alpha)


def _merged(stream: Stream) -> Stream:
    """Return the stream without its drawings' repeats; its rate varies."""
    clip, rate = filters.drop_repeats(stream.clip, kept=cache_folder("repeats")), stream.clip.fps
    alpha = None if stream.alpha is None else alpha_of(clip)
    if stream.tick is not None:
        return replace(stream, clip=clip, alpha=alpha)
    return Stream(clip, tick=1 / rate, seconds=len(stream.clip) / rate, last=1 / rate, alpha=alpha)


def _alpha(
    stream: Stream, make: Callable[[vs.VideoNode], vs.VideoNode], threshold: float | None
) -> vs.VideoNode | None:
    """Return what the picture's own network makes of its alpha, which is a picture to it, with the picture's cuts."""
    return None if stream.alpha is None else make(with_cuts_of(stream.clip, stream.alpha, threshold))


@dataclass(frozen=True, kw_only=True)
class Upscaling:
    """Frames ``scale`` times as wide and as high, where memory is short in tiles of ``tile`` pixels."""

    scale: int
    model: str | None = None
    tile: int | None = None
    backend: str | None = None
    scene_threshold: float | None = DEFAULT_THRESHOLD

    kind: ClassVar[str] = "upscale"

    @property
    def model_file(self) -> Path:
        return resolve(self.model, network="fsrcnn", scale=self.scale)

    def apply(self, stream: Stream) -> Stream:
        make = partial(
            filters.upscale, scale=self.scale, model=self.model, tile=self.tile, backend=self.backend,
            scene_threshold=self.scene_threshold,
        )  # fmt: skip
        try:
            return replace(stream, clip=make(stream.clip), alpha=_alpha(stream, make, self.scene_threshold))
        except vs.Error as error:
            raise SourceError(str(error)) from error


KINDS: dict[str, type[Interpolation] | type[Upscaling]] = {kind.kind: kind for kind in (Interpolation, Upscaling)}


def to_json(step: Interpolation | Upscaling) -> dict[str, Any]:
    """Return a step as JSON holds it."""
    values = {name: str(value) if isinstance(value, Fraction) else value for name, value in asdict(step).items()}
    return {"step": step.kind, **values}


def from_json(values: Mapping[str, Any]) -> Interpolation | Upscaling:
    """Return the step that :func:`to_json` wrote.  Raises :class:`ArgumentError` for what it did not."""
    rest = dict(values)
    kind = KINDS.get(rest.pop("step", ""))
    for name in ("factor", "fps"):
        if rest.get(name) is not None:
            rest[name] = Fraction(rest[name])
    try:
        if kind is not None:
            return kind(**rest)
    except TypeError:
        pass
    raise ArgumentError(f"{dict(values)} is no step of a conversion: another version of vs-interp wrote it")


def without_gpus(backend: str | None) -> str | None:
    """Return a backend as it was typed but for the GPUs that it names: which of them are here changes no frame."""
    if backend is None or not isinstance(choose(backend), EngineBackend):
        return backend
    name, _, options = backend.partition(":")
    kept = [option for option in options.split(",") if not option.strip().startswith("device")]
    return f"{name}:{','.join(kept)}" if any(kept) else name
