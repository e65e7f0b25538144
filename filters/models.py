"""From a model's name to its file, and errors that begin with the name of the filter that was called."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import vapoursynth as vs

from trt_build.model_file import ModelFile
from vs_interp.errors import ArgumentError, VsInterpError
from vs_interp.spec import NetworkSpec
from vs_interp.weights.obtain import load

PLURALS = {"frame": "frames", "mask": "masks"}
"""Kind of output → what a network makes, where that is another word."""

_called: ContextVar[str | None] = ContextVar("called", default=None)
"""The filter that a script called: others that it is made of do not speak."""


@contextmanager
def speaking_as(name: str) -> Iterator[None]:
    """Turn the package's own errors into ``vs.Error``, with the name in front of the filter that a script called."""
    if _called.get() is not None:
        yield
        return
    token = _called.set(name)
    try:
        yield
    except VsInterpError as error:
        raise vs.Error(f"{name}: {error}") from None  # vspipe prints every link of a chain
    finally:
        _called.reset(token)


def load_model(
    clip: vs.VideoNode, model: Any, network: str, *, kinds: tuple[str, ...] = ("frame",), **config: int | None
) -> ModelFile:
    """Return the model that a filter serves: see :func:`vs_interp.weights.obtain.load`.

    ``kinds`` are the kinds of output that the filter can use.  Raises :class:`ArgumentError` for a model of another
    kind, or one that looks at more frames than the clip has.
    """
    file = load(model, network=network, **config)
    check_window(clip, file.spec, model, kinds)
    return file


def check_window(clip: vs.VideoNode, spec: NetworkSpec, model: Any, kinds: tuple[str, ...]) -> None:
    """Raise :class:`ArgumentError` where a model makes none of ``kinds``, or looks at more frames than the clip has."""
    offsets = spec.window.offsets
    odd = spec.output.kind == "frame" and spec.window.channels != spec.output.channels
    if spec.output.kind not in kinds or odd:
        made, *possible = (PLURALS.get(kind, kind) for kind in (spec.output.kind, *kinds))
        wanted = "no frames of frames" if kinds == ("frame",) else f"{made}, not {' or '.join(possible)}"
        raise ArgumentError(f"the model {model} is {spec.name}, which makes {wanted}: choose another")
    if list(offsets) != list(range(offsets[0], offsets[-1] + 1)):
        raise ArgumentError(f"the model {model} looks at the frames {offsets}, with gaps between: choose another")
    if len(clip) < len(offsets):
        have = "one frame" if len(clip) == 1 else f"{len(clip)} frames"
        raise ArgumentError(f"the clip has {have} only, and {spec.name} looks at {len(offsets)}: give a longer clip")
