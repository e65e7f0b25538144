"""What serving asks of a device: memory, streams, events, and work that is recorded once and launched many times.

CUDA fills these interfaces in ``cuda.py``; the tests fill them with a device made of threads, so that the order of
copies and the sharing of frames are tested without a GPU.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Protocol

from numpy.typing import NDArray

from vs_interp.errors import BackendError

ALIGNMENT = 256
"""Bytes; every tensor of TensorRT starts at a multiple of it."""


class DeviceMemoryError(BackendError):
    """The device has no memory left."""


class PinnedMemoryError(BackendError):
    """The system gives no more memory that a device may copy from and to by itself."""


class Memory(Protocol):
    """A block of device memory, filled with zeros at first, given back when the object goes."""

    address: int
    size: int


class Event(Protocol):
    """A mark in a stream."""

    def wait(self) -> None:
        """Block this thread (asleep, the GIL released) until the device has come to the mark."""


class Stream(Protocol):
    """A queue of work on the device; every call but :meth:`synchronise` returns at once."""

    handle: int
    """What the runtime calls it."""

    def send(self, target: int, source: NDArray[Any]) -> None:
        """Copy a contiguous pinned array to a device address."""

    def fetch(self, target: NDArray[Any], source: int) -> None:
        """Fill a contiguous pinned array from a device address."""

    def copy(self, target: int, source: int, size: int) -> None:
        """Copy bytes from one device address to another."""

    def record(self, event: Event) -> None:
        """Set the mark after all work given so far."""

    def wait(self, event: Event) -> None:
        """Let work given from now on wait for a mark set in another stream."""

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        """Record what ``work`` gives to this stream, without running it, and return what launches it as one piece.

        Raises :class:`~vs_interp.errors.BackendError` where some of it cannot be recorded.
        """

    def synchronise(self) -> None:
        """Block this thread (asleep, the GIL released) until all work is done."""


class Device(Protocol):
    """One accelerator.  Every method raises :class:`~vs_interp.errors.BackendError` where the device fails."""

    index: int
    identity: Hashable
    """Equal for those that have the same memory."""

    def activate(self) -> None:
        """Make it the device that this thread works on; to be called first by every thread."""

    def free_memory(self) -> int:
        """Return how many bytes are free."""

    def allocate(self, size: int) -> Memory:
        """Return a block of memory, aligned.  Raises :class:`DeviceMemoryError`."""

    def pinned(self, size: int) -> NDArray[Any]:
        """Return pinned host memory: ``size`` bytes (uint8), that the device copies from and to by itself.

        Raises :class:`PinnedMemoryError`.
        """

    def stream(self) -> Stream:
        """Return a new stream."""

    def event(self) -> Event:
        """Return a new event, not set yet: who waits for it goes on at once."""
