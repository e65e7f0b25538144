"""The processing steps between decoder and encoder, as data that can be sent to other processes and machines."""

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
    """One processing step, such as ``--interpolate``, with its settings."""

    @property
    def model_file(self) -> Path:
        """The path of the step's model file.  Raises :class:`ArgumentError` if it is not installed."""

    def apply(self, stream: Stream) -> Stream:
        """Return the processed stream.  Raises :class:`SourceError` with the filter's message."""


@dataclass(frozen=True, kw_only=True)
class Interpolation:
    """Frame interpolation: ``factor`` times as many frames, or a constant rate of ``fps``.

    model
        A model's name or file; ``None`` for the network's default.
    backend
        As on the command line, such as ``openvino:precision=bf16``; ``None`` for the best one that works on the machine
        that runs the step.
    scene_threshold
        The scene change score, 0 to 1, from which a cut is assumed; ``None`` to interpolate across cuts.
    hold
        A source frame that lasts this many times the usual duration is repeated, not interpolated; ``None`` for never.
    drop_repeats
        The limit up to which repeats of a drawing are merged first, in a pass over the film whose result is cached;
        ``None`` to keep them.
    """

    network: str
    factor: Fraction | None = None
    fps: Fraction | None = None
    model: str | None = None
    backend: str | None = None
    scene_threshold: float | None = DEFAULT_THRESHOLD
    hold: float | None = HOLD
    drop_repeats: float | None = None

    kind: ClassVar[str] = "interpolate"

    @property
    def model_file(self) -> Path:
        wanted = {"factor": int(self.factor)} if self.network == "flavr" and self.factor is not None else {}
        return resolve(self.model, network=self.network, **wanted)

    def apply(self, stream: Stream) -> Stream:
        if len(stream.clip) == 1:
            return self._still(stream)
        rate = {"factor": self.factor} if self.fps is None else {"fps": self.fps}
        make = partial(
            getattr(filters, self.network.replace("-", "_")), **rate, model=self.model, backend=self.backend,
            scene_threshold=self.scene_threshold, hold=self.hold,
        )  # fmt: skip
        try:
            if self.drop_repeats is not None:
                stream = _merged(stream, self.drop_repeats)
            clip, alpha = make(stream.clip), _alpha(stream, make, self.scene_threshold)
        except vs.Error as error:
            raise SourceError(str(error)) from error
        if stream.tick is None or self.factor is None:
            return Stream(clip, None, alpha=alpha)
        return replace(stream, clip=clip, tick=stream.tick / self.factor.numerator, alpha=alpha)

    def _still(self, stream: Stream) -> Stream:
        """Return a stream of one frame at the new rate; at a variable rate it stays as it is, for as long as it is."""
        if self.fps is None and stream.tick is not None:
            return stream
        rate = self.fps or stream.clip.fps * (self.factor or 2)
        seconds = 1 / stream.clip.fps if stream.seconds is None else stream.seconds
        frames = stream.clip * max(1, int(seconds * rate))
        still = frames.std.AssumeFPS(fpsnum=rate.numerator, fpsden=rate.denominator)
        return Stream(still, None, alpha=None if stream.alpha is None else alpha_of(still))


def _merged(stream: Stream, limit: float) -> Stream:
    """Return the stream without repeated drawings, at a variable frame rate."""
    clip, rate = filters.drop_repeats(stream.clip, limit=limit, kept=cache_folder("repeats")), stream.clip.fps
    alpha = None if stream.alpha is None else alpha_of(clip)
    if stream.tick is not None:
        return replace(stream, clip=clip, alpha=alpha)
    return Stream(clip, tick=1 / rate, seconds=len(stream.clip) / rate, last=1 / rate, alpha=alpha)


def _alpha(
    stream: Stream, make: Callable[[vs.VideoNode], vs.VideoNode], threshold: float | None
) -> vs.VideoNode | None:
    """Return the alpha channel processed as a grey picture by the same network, with the picture's cuts."""
    return None if stream.alpha is None else make(with_cuts_of(stream.clip, stream.alpha, threshold))


@dataclass(frozen=True, kw_only=True)
class Upscaling:
    """Upscaling by ``scale`` in width and height; with ``tile``, in tiles of that many pixels, which saves memory."""

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
    """Return a step as JSON values for :func:`from_json`."""
    values = {name: str(value) if isinstance(value, Fraction) else value for name, value in asdict(step).items()}
    return {"step": step.kind, **values}


def from_json(values: Mapping[str, Any]) -> Interpolation | Upscaling:
    """Return the step that :func:`to_json` serialised.  Raises :class:`ArgumentError` for anything else."""
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
    raise ArgumentError(f"{dict(values)} is not a step of a conversion: another version of vs-interp wrote it")


def without_gpus(backend: str | None) -> str | None:
    """Return a backend's specification without its GPU numbers, which do not affect the frames."""
    if backend is None or not isinstance(choose(backend), EngineBackend):
        return backend
    name, _, options = backend.partition(":")
    kept = [option for option in options.split(",") if not option.strip().startswith("device")]
    return f"{name}:{','.join(kept)}" if any(kept) else name
