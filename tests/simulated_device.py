"""A device made of host memory and one thread a stream: it is as asynchronous as a GPU, and as late as it likes.

Copies happen when a stream gets to them, after a random pause, so that work that is not ordered by streams and events
reads or overwrites the wrong bytes.
"""

from __future__ import annotations

import ctypes
import queue
import random
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trt_build.backends.device import ALIGNMENT, DeviceMemoryError, PinnedMemoryError
from vs_interp.errors import BackendError

STREAMS: weakref.WeakValueDictionary[int, SimulatedStream] = weakref.WeakValueDictionary()


class SimulatedDevice:
    """See :class:`trt_build.backends.device.Device`; ``capacity`` bytes of memory, ``sent`` the number of uploads."""

    def __init__(self, capacity: int = 1 << 30, index: int = 0) -> None:
        self.index, self.identity = index, id(self)
        self.capacity = capacity
        self.used = 0
        self.sent = 0
        self.captures = True
        self.pinnable = 1 << 30
        """Bytes that the system lets be pinned."""
        self.fails_at: int | None = None
        """The upload that fails, counted from 1."""
        self.is_lost = False
        """Whether it is gone: as CUDA does then, every call fails from now on, and none waits."""

    def activate(self) -> None:
        if self.is_lost:
            raise BackendError("the simulated GPU is lost")

    def free_memory(self) -> int:
        return self.capacity - self.used

    def allocate(self, size: int) -> SimulatedMemory:
        return SimulatedMemory(self, size)

    def pinned(self, size: int) -> NDArray[Any]:
        if size > self.pinnable:
            raise PinnedMemoryError("the system gives no more pinned memory")
        self.pinnable -= size
        block = np.full(size, 0xCD, np.uint8)
        weakref.finalize(block, _unpin, self, size)
        return block

    def stream(self) -> SimulatedStream:
        return SimulatedStream(self)

    def event(self) -> SimulatedEvent:
        return SimulatedEvent()


class SimulatedMemory:
    def __init__(self, device: SimulatedDevice, size: int) -> None:
        if size > device.free_memory():
            raise DeviceMemoryError("the simulated device has no memory left")
        self.size = size
        self._block = np.zeros(size + ALIGNMENT, np.uint8)
        self.address = -(-self._block.ctypes.data // ALIGNMENT) * ALIGNMENT
        device.used += size
        weakref.finalize(self, _free, device, size)


def _free(device: SimulatedDevice, size: int) -> None:
    device.used -= size


def _unpin(device: SimulatedDevice, size: int) -> None:
    device.pinnable += size


class SimulatedEvent:
    def __init__(self) -> None:
        self.mark = threading.Event()
        self.mark.set()

    def wait(self) -> None:
        assert self.mark.wait(20), "the mark was never reached"


class SimulatedStream:
    def __init__(self, device: SimulatedDevice) -> None:
        self.device = device
        self.handle = id(self)
        STREAMS[self.handle] = self
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._recording: list[Callable[[], None]] | None = None
        threading.Thread(target=_run, args=(self._work,), daemon=True).start()
        weakref.finalize(self, self._work.put, None)

    def do(self, work: Callable[[], None]) -> None:
        self.device.activate()
        if self._recording is None:
            self._work.put(work)
        else:
            self._recording.append(work)

    def send(self, target: int, source: NDArray[Any]) -> None:
        if source.nbytes > 4:
            self.device.sent += 1
            if self.device.sent == self.device.fails_at:
                raise BackendError("the simulated upload failed")
        self.do(lambda: _move(target, source.ctypes.data, source.nbytes))

    def fetch(self, target: NDArray[Any], source: int) -> None:
        self.do(lambda: _move(target.ctypes.data, source, target.nbytes))

    def copy(self, target: int, source: int, size: int) -> None:
        self.do(lambda: _move(target, source, size))

    def record(self, event: Any) -> None:
        self.device.activate()
        event.mark = mark = threading.Event()
        self.do(mark.set)

    def wait(self, event: Any) -> None:
        mark = event.mark
        self.do(lambda: mark.wait(20) and None)

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        if not self.device.captures:
            raise BackendError("the simulated device records nothing")
        self._recording = []
        work()
        recorded, self._recording = self._recording, None

        def launch() -> None:
            for step in recorded:
                self.do(step)

        return launch

    def synchronise(self) -> None:
        event = SimulatedEvent()
        self.record(event)
        event.wait()


def _run(work: queue.SimpleQueue[Callable[[], None] | None]) -> None:
    while (step := work.get()) is not None:
        time.sleep(random.random() * 0.002)
        step()


def _move(target: int, source: int, size: int) -> None:
    ctypes.memmove(target, source, size)
