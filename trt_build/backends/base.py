"""Backend and session: the interface between the runtimes and the filters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from numpy.typing import NDArray

from trt_build.model_file import ModelFile
from trt_build.profile import Profile

Picture = Sequence[NDArray[Any]]
"""The planes of one picture, each height × width.  Rows may be padded in memory; chroma planes may be smaller."""


class Session(Protocol):
    """A compiled model with its own working memory, used by one thread at a time."""

    def run(
        self, window: Sequence[Picture], keys: Sequence[int], times: Sequence[float], out: Sequence[Picture]
    ) -> None:
        """Process one window, and fill ``out`` with one picture for each of ``times``.

        ``window`` holds the frames at the spec's offsets, as planes in the profile's format; ``keys`` are their numbers
        in the clip.  Equal keys mean equal frames, so that a frame still on the device is not sent again.  ``times``
        lie in (0, 1), or are the spec's own if the network takes none.  Raises
        :class:`~vs_interp.errors.BackendError` if the runtime fails.
        """


Check = Callable[[Session, ModelFile, Profile], Mapping[str, float]]
"""Verifies a session of a newly built engine: content → PSNR in dB against the FP32 graph.

Raises :class:`~vs_interp.errors.BackendError` if that is too low.
"""


@dataclass(frozen=True, kw_only=True)
class Backend(ABC):
    """A runtime and its options.  The options that change what is compiled are part of the key in the engine cache."""

    name: ClassVar[str]
    """The name to choose it by, such as ``"tensorrt"``."""

    @property
    @abstractmethod
    def native_planes(self) -> bool:
        """Whether sessions take the clip's own planes; otherwise the clip is converted to RGB (or luma) in float32."""

    @classmethod
    @abstractmethod
    def missing(cls) -> str | None:
        """Return why this runtime does not work here and what to do about it; ``None`` if it works."""

    @classmethod
    def found(cls) -> str:
        """Return in a few words what a working runtime offers here, such as its devices; may be empty."""
        return ""

    @abstractmethod
    def open(self, model: ModelFile, profile: Profile, check: Check | None = None) -> Sequence[Session]:
        """Compile the model or take it from the cache, and return one session for each window processed at once.

        ``check`` verifies an engine built for this call before it is stored; filters pass
        :func:`trt_build.verify.verify.verify_session`.  Without it the engine is not verified.  Raises
        :class:`~vs_interp.errors.BackendError`, saying what to do, if the model cannot be compiled or verified.
        """
