"""The interface of networks for the checkpoint reader, the exporter and training."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple, Self

from torch import Tensor, nn

from vs_interp.spec import NetworkSpec


class Compared(NamedTuple):
    """A network's output and the truth in the form that losses compare, and its pictures (see :meth:`Network.made`)."""

    made: Tensor
    truth: Tensor
    pictures: Tensor


class Network(nn.Module, ABC):
    """A network that maps a window of frames to pictures.

    A subclass defines ``Config``, ``spec``, ``from_published`` and ``made``, and ``state`` if the spec has one.

    Frames are B×C×H×W in [0, 1], height and width multiples of the spec's ``multiple_of``.
    """

    Config: ClassVar[type[Any]]
    """The configuration, a frozen dataclass: everything but the weights that defines the network."""

    config: Any

    @property
    @abstractmethod
    def spec(self) -> NetworkSpec:
        """The specification for the exporter, the engine builder and the filters."""

    @classmethod
    @abstractmethod
    def from_published(cls, tensors: Mapping[str, Tensor]) -> tuple[Any, dict[str, Tensor]] | None:
        """Return the configuration and this module's tensors if ``tensors`` have the published layout, else ``None``.

        ``tensors`` are those of a published checkpoint; names of nested dictionaries are joined by dots.
        """

    def state(self, *frames: Tensor) -> tuple[Tensor, ...]:
        """Return the tensors that do not depend on the time, in the order of the spec's ``state``."""
        return ()

    def steps(self, *frames: Tensor) -> tuple[Tensor, ...]:
        """Return the output after each of the spec's updates; the last equals that of :meth:`made`."""
        return ()

    @abstractmethod
    def made(self, frames: tuple[Tensor, ...], state: tuple[Tensor, ...], time: Tensor | None) -> Tensor:
        """Return the pictures for B windows: B·M×C×S·H×S·W, the M pictures of each window in a row."""

    def compared(self, inputs: tuple[Tensor, ...], truth: Tensor) -> Compared:
        """Return what losses compare, for the inputs of :meth:`forward` and the true pictures."""
        made = self(*inputs).float()
        return Compared(made, truth, made)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Run the network on ``frame0, …, frame{N-1}`` and, if it takes one, ``time`` (B×1×1×1)."""
        frames, time = (inputs[:-1], inputs[-1]) if self.spec.takes_time else (inputs, None)
        return self.made(frames, self.state(*frames), time)

    def initialise(self) -> None:
        """Set the initial weights for training, if they differ from PyTorch's defaults."""
        return None

    @classmethod
    def from_config(cls, values: Mapping[str, Any]) -> Self:
        """Build the network from the configuration in a checkpoint's metadata."""
        return cls(cls.Config(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}))
