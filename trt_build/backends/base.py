"""Backend and session: what every runtime gives to the serving node."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from numpy.typing import NDArray

from trt_build.model_file import ModelFile
from trt_build.profile import Profile

Picture = Sequence[NDArray[Any]]
"""The planes of one picture, each lines × columns; rows may be padded, chroma planes may be smaller."""


class Session(Protocol):
    """A compiled model with memory of its own, used by one thread at a time."""

    def run(
        self, window: Sequence[Picture], keys: Sequence[int], times: Sequence[float], out: Sequence[Picture]
    ) -> None:
        """Work on one window and fill ``out``, one picture for each of ``times``.

        ``window`` holds the frames at the spec's offsets, in planes of the profile's format; ``keys`` their numbers
        in the clip: equal keys mean equal frames, so that a frame still on the device need not be sent again.
        ``times`` are asked for in (0, 1), or are the spec's own where it takes none.  Raises
        :class:`~vs_interp.errors.BackendError` where the runtime fails.
        """


Check = Callable[[Session, ModelFile, Profile], Mapping[str, float]]
"""Judges a session that nothing has been seen of: content → PSNR in dB against the FP32 graph.

Raises :class:`~vs_interp.errors.BackendError` where it is too low.
"""


@dataclass(frozen=True, kw_only=True)
class Backend(ABC):
    """A runtime and its options.  Options that change what is compiled are its identity in the engine cache."""

    name: ClassVar[str]

    @property
    @abstractmethod
    def native_planes(self) -> bool:
        """Whether sessions take the clip's own planes; else they take RGB in float32 and the clip is converted."""

    @classmethod
    @abstractmethod
    def missing(cls) -> str | None:
        """Return what is missing for this runtime to work here and how to get it; ``None`` where it works."""

    @classmethod
    def found(cls) -> str:
        """Return what of the runtime is there, where nothing is missing, in a few words; nothing where that is all."""
        return ""

    @abstractmethod
    def open(self, model: ModelFile, profile: Profile, check: Check | None = None) -> Sequence[Session]:
        """Compile the model, or take it from the cache; one session a concurrent slot.

        ``check`` (:func:`trt_build.verify.verify.verify_session`, where clips are served) judges an engine that was
        built for this call, before it is kept; without one it is trusted.

        Raises :class:`~vs_interp.errors.BackendError` with what to do where that fails.
        """
