"""An executor runs a graph on a device: TensorRT's execution context, or anything with named tensors at addresses."""

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
    """Name of each input tensor → its size in bytes."""
    outputs: Mapping[str, int]
    """Name of each output tensor → its size in bytes."""
    scratch: int
    """Bytes of device memory needed during a run; their content may change between runs."""
    capturable: bool
    """Whether :meth:`enqueue` may be captured; not if the runtime captures its own work."""

    def bind(self, name: str, address: int) -> None:
        """Set the device address of a tensor."""

    def bind_scratch(self, address: int, size: int) -> None:
        """Set the scratch memory; ``size`` is at least :attr:`scratch`."""

    def enqueue(self, stream: int) -> None:
        """Queue one run in a stream and return at once.  Raises :class:`~vs_interp.errors.BackendError`."""


@dataclass(frozen=True)
class Prepared:
    """An executor that is ready to run again and again.

    run
        Queues one run.
    is_captured
        Whether the run was captured, here or by the runtime itself, and so costs the host little.
    """

    run: Callable[[], None]
    is_captured: bool


def prepare(executor: Executor, stream: Stream) -> Prepared:
    """Run the executor once, then capture it if possible.

    The first run is not captured: runtimes load code and allocate memory in it.
    """
    enqueue = partial(executor.enqueue, stream.handle)
    enqueue()
    stream.synchronise()
    if not executor.capturable:
        return Prepared(enqueue, True)
    try:
        return Prepared(stream.capture(enqueue), True)
    except BackendError as error:
        _warn_once(f"the GPU's work cannot be captured, which costs more processor time: {error}")
        return Prepared(enqueue, False)


@functools.cache
def _warn_once(text: str) -> None:
    logger.warning(text)
