"""What a network module gives to checkpoint reader, exporter and training."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple, Self

from torch import Tensor, nn

from vs_interp.spec import NetworkSpec


class Compared(NamedTuple):
    """What a network made and the truth, as losses compare them, and the pictures themselves (see :meth:`made`)."""

    made: Tensor
    truth: Tensor
    pictures: Tensor


class Network(nn.Module, ABC):
    """A window function.  A subclass sets ``Config``, ``spec`` and ``made``; ``state`` where it has one.

    Frames are B×C×H×W in [0, 1], height and width multiples of the spec's ``multiple_of``.
    """

    Config: ClassVar[type[Any]]
    """A frozen dataclass: what fixes the network besides its weights."""

    config: Any

    @property
    @abstractmethod
    def spec(self) -> NetworkSpec:
        """What those who serve the network must know."""

    @classmethod
    @abstractmethod
    def from_published(cls, tensors: Mapping[str, Tensor]) -> tuple[Any, dict[str, Tensor]] | None:
        """Return the configuration and this module's tensors if ``tensors`` have the published layout, else ``None``.

        ``tensors`` are those of a published checkpoint, nested dictionaries joined with dots.
        """

    def state(self, *frames: Tensor) -> tuple[Tensor, ...]:
        """Return what does not depend on the time, in the order of the spec's ``state`` names."""
        return ()

    def steps(self, *frames: Tensor) -> tuple[Tensor, ...]:
        """Return the pictures after each of the spec's updates, the last being those of :meth:`made`."""
        return ()

    @abstractmethod
    def made(self, frames: tuple[Tensor, ...], state: tuple[Tensor, ...], time: Tensor | None) -> Tensor:
        """Return the pictures for one window: B·M×C×S·H×S·W, the M pictures of a window in a row."""

    def compared(self, inputs: tuple[Tensor, ...], truth: Tensor) -> Compared:
        """Return what losses look at for the inputs of :meth:`forward` and the pictures that they should give."""
        made = self(*inputs).float()
        return Compared(made, truth, made)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Run the network on ``frame0, …, frame{N-1}`` and, where it takes one, ``time`` (B×1×1×1)."""
        frames, time = (inputs[:-1], inputs[-1]) if self.spec.takes_time else (inputs, None)
        return self.made(frames, self.state(*frames), time)

    def initialise(self) -> None:
        """Set the weights that training begins with, where they are not PyTorch's own."""
        return None

    @classmethod
    def from_config(cls, values: Mapping[str, Any]) -> Self:
        """Build the network from the configuration that a checkpoint carries."""
        return cls(cls.Config(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}))
