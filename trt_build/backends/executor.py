"""What runs a graph on a device: TensorRT's execution context, or anything else with named tensors at addresses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

from vs_interp.errors import BackendError

from .device import Stream


class Executor(Protocol):
    """A compiled graph of static shapes, used by one thread at a time."""

    inputs: Mapping[str, int]
    """Bytes of every input tensor, by name."""
    outputs: Mapping[str, int]
    """Bytes of every output tensor, by name."""
    scratch: int
    """Bytes of device memory it works in; between two runs of it nothing there is kept."""
    capturable: bool
    """Whether :meth:`enqueue` may be recorded; not where a runtime records by itself."""

    def bind(self, name: str, address: int) -> None:
        """Say where a tensor lies on the device."""

    def bind_scratch(self, address: int, size: int) -> None:
        """Say where it may work; ``size`` is :attr:`scratch` or more."""

    def enqueue(self, stream: int) -> None:
        """Give one run to a stream and return at once.  Raises :class:`~vs_interp.errors.BackendError`."""


def prepare(executor: Executor, stream: Stream) -> Callable[[], None]:
    """Run the executor once, then return what runs it again: its recording where it can be recorded.

    The first run is never recorded: runtimes load code and take memory in it.
    """
    enqueue = partial(executor.enqueue, stream.handle)
    enqueue()
    stream.synchronise()
    if not executor.capturable:
        return enqueue
    try:
        return stream.capture(enqueue)
    except BackendError:  # it runs all the same, at the cost of more work for the host
        return enqueue
