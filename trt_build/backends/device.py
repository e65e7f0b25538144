"""What a session needs of a device: memory, streams, events, and work captured once and launched many times.

``cuda.py`` implements these interfaces for CUDA.  The tests implement them with threads, so that the order of copies
and the sharing of frames are tested without a GPU.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Protocol

from numpy.typing import NDArray

from vs_interp.errors import BackendError

ALIGNMENT = 256
"""TensorRT wants every tensor to start at a multiple of this many bytes."""


class DeviceMemoryError(BackendError):
    """The device has no memory left."""


class PinnedMemoryError(BackendError):
    """The system has no more pinned (page-locked) host memory for the device to copy from and to."""


class Memory(Protocol):
    """A block of device memory, initially zero, freed with this object."""

    address: int
    size: int


class Event(Protocol):
    """A mark in a stream."""

    def wait(self) -> None:
        """Block this thread, asleep and with the GIL released, until the device has reached the mark."""


class Stream(Protocol):
    """A queue of work on the device; every call but :meth:`synchronise` returns at once."""

    handle: int
    """The CUDA stream as the runtime takes it."""

    def send(self, target: int, source: NDArray[Any]) -> None:
        """Copy a contiguous array of pinned memory to a device address."""

    def fetch(self, target: NDArray[Any], source: int) -> None:
        """Fill a contiguous array of pinned memory from a device address."""

    def copy(self, target: int, source: int, size: int) -> None:
        """Copy bytes from one device address to another."""

    def record(self, event: Event) -> None:
        """Set the mark after all work queued so far."""

    def wait(self, event: Event) -> None:
        """Make work queued from now on wait for a mark set in another stream."""

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        """Capture the work that ``work`` queues in this stream without running it; return what launches it at once.

        Raises :class:`~vs_interp.errors.BackendError` if some of it cannot be captured.
        """

    def synchronise(self) -> None:
        """Block this thread, asleep and with the GIL released, until all work is done."""


class Device(Protocol):
    """One accelerator.  Every method raises :class:`~vs_interp.errors.BackendError` if the device fails."""

    index: int
    identity: Hashable
    """Equal for devices that share their memory."""

    def activate(self) -> None:
        """Make this the device that the calling thread works on; every thread must call it first."""

    def free_memory(self) -> int:
        """Return the free memory in bytes."""

    def allocate(self, size: int) -> Memory:
        """Return an aligned block of ``size`` bytes.  Raises :class:`DeviceMemoryError`."""

    def pinned(self, size: int) -> NDArray[Any]:
        """Return ``size`` bytes (uint8) of pinned host memory.  Raises :class:`PinnedMemoryError`."""

    def stream(self) -> Stream:
        """Return a new stream."""

    def event(self) -> Event:
        """Return a new event that is not set yet; waiting for it returns at once."""
