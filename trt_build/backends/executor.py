"""What runs a graph on a device: TensorRT's execution context, or anything else with named tensors at addresses."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from vs_interp.errors import BackendError
from vs_interp.log import logger

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


@dataclass(frozen=True)
class Prepared:
    """What runs an executor again.

    is_recorded
        Whether that is a recording, the executor's or the runtime's own.
    """

    run: Callable[[], None]
    is_recorded: bool


def prepare(executor: Executor, stream: Stream) -> Prepared:
    """Run the executor once, then return what runs it again: its recording where it can be recorded.

    The first run is never recorded: runtimes load code and take memory in it.
    """
    enqueue = partial(executor.enqueue, stream.handle)
    enqueue()
    stream.synchronise()
    if not executor.capturable:
        return Prepared(enqueue, True)
    try:
        return Prepared(stream.capture(enqueue), True)
    except BackendError as error:  # it runs all the same, at the cost of more work for the host
        _say_once(f"the GPU's work cannot be recorded, and costs the processor more: {error}")
        return Prepared(enqueue, False)


@functools.cache
def _say_once(text: str) -> None:
    logger.warning(text)
