"""CUDA through cuda-bindings: memory, streams, events and graphs of one GPU.  Needs the driver but no CUDA toolkit."""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import weakref
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vs_interp.errors import ArgumentError, BackendError

from .device import DeviceMemoryError, Event, PinnedMemoryError

if TYPE_CHECKING:
    from types import ModuleType

_pinned: dict[int, int] = {}
"""Address → size in bytes of all pinned memory of this process."""


def missing_cuda() -> str | None:
    """Return why CUDA does not work here and what to do about it; ``None`` if it works."""
    if importlib.util.find_spec("cuda") is None or importlib.util.find_spec("cuda.bindings") is None:
        return "the package cuda-bindings is not installed: pip install cuda-bindings"
    runtime = _runtime()
    error, count = runtime.cudaGetDeviceCount()
    if error == runtime.cudaError_t.cudaErrorInsufficientDriver:
        version = importlib.import_module("cuda.bindings").__version__.partition(".")[0]
        return f"there is no NVIDIA driver, or it is too old for CUDA {version}: install the newest driver"
    if error != runtime.cudaError_t.cudaSuccess or not count:
        return f"there is no GPU that CUDA can use ({_text(error)}): see what nvidia-smi says"
    return None


class CudaDevice:
    """One GPU; see :class:`~trt_build.backends.device.Device`.

    Raises :class:`BackendError` if CUDA does not work here, and :class:`ArgumentError` if there is no such GPU.
    """

    def __init__(self, index: int) -> None:
        absent = missing_cuda()
        if absent:
            raise BackendError(absent)
        count = _call("cudaGetDeviceCount")
        if not 0 <= index < count:
            raise ArgumentError(f"there is no GPU {index}: CUDA sees {count}, numbered from 0")
        self.index = index
        self.identity: Hashable = index
        self.activate()

    def activate(self) -> None:
        _call("cudaSetDevice", self.index)

    def free_memory(self) -> int:
        free, _ = _call("cudaMemGetInfo")
        return int(free)

    def allocate(self, size: int) -> _Memory:
        return _Memory(size)

    def pinned(self, size: int) -> NDArray[Any]:
        try:
            address = int(_call("cudaHostAlloc", max(size, 1), _runtime().cudaHostAllocPortable))
        except DeviceMemoryError:
            pinned = sum(_pinned.values()) // 2**20
            raise PinnedMemoryError(
                f"the system cannot pin {size // 2**20 + 1} MiB of memory for the GPU in addition to {pinned} MiB"
            ) from None
        _pinned[address] = size
        block = (ctypes.c_uint8 * size).from_address(address)
        weakref.finalize(block, _pinned.pop, address, None).atexit = False
        _release(block, "cudaFreeHost", address)  # every view of the array keeps the block alive
        return np.ctypeslib.as_array(block)

    def stream(self) -> _Stream:
        return _Stream()

    def event(self) -> _Event:
        return _Event()


class _Memory:
    def __init__(self, size: int) -> None:
        self.size = size
        self.address = int(_call("cudaMalloc", max(size, 1)))
        _release(self, "cudaFree", self.address)
        _call("cudaMemset", self.address, 0, size)
        _call("cudaStreamSynchronize", 0)  # not the device: that would invalidate a capture in another stream


class _Event:
    def __init__(self) -> None:
        runtime = _runtime()
        flags = runtime.cudaEventBlockingSync | runtime.cudaEventDisableTiming
        self.raw = _call("cudaEventCreateWithFlags", flags)
        _release(self, "cudaEventDestroy", self.raw)

    def wait(self) -> None:
        _call("cudaEventSynchronize", self.raw)


class _Stream:
    """A stream that does not wait for the default stream."""

    def __init__(self) -> None:
        self.raw = _call("cudaStreamCreateWithFlags", _runtime().cudaStreamNonBlocking)
        self.handle = int(self.raw)
        _release(self, "cudaStreamDestroy", self.raw)
        self._done = _Event()

    def send(self, target: int, source: NDArray[Any]) -> None:
        kind = _runtime().cudaMemcpyKind.cudaMemcpyHostToDevice
        _call("cudaMemcpyAsync", target, source.ctypes.data, source.nbytes, kind, self.raw)

    def fetch(self, target: NDArray[Any], source: int) -> None:
        kind = _runtime().cudaMemcpyKind.cudaMemcpyDeviceToHost
        _call("cudaMemcpyAsync", target.ctypes.data, source, target.nbytes, kind, self.raw)

    def copy(self, target: int, source: int, size: int) -> None:
        kind = _runtime().cudaMemcpyKind.cudaMemcpyDeviceToDevice
        _call("cudaMemcpyAsync", target, source, size, kind, self.raw)

    def record(self, event: Event) -> None:
        assert isinstance(event, _Event)
        _call("cudaEventRecord", event.raw, self.raw)

    def wait(self, event: Event) -> None:
        assert isinstance(event, _Event)
        _call("cudaStreamWaitEvent", self.raw, event.raw, 0)

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        # Thread-local, so that memory allocated by other threads meanwhile does not invalidate this capture.
        _call("cudaStreamBeginCapture", self.raw, _runtime().cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal)
        try:
            work()
        except BackendError:
            _runtime().cudaStreamEndCapture(self.raw)
            raise
        graph = _call("cudaStreamEndCapture", self.raw)
        try:
            return _Graph(_call("cudaGraphInstantiate", graph, 0), self)
        finally:
            _call("cudaGraphDestroy", graph)

    def synchronise(self) -> None:
        self.record(self._done)
        self._done.wait()


class _Graph:
    """Captured work, launched in the stream in which it was captured."""

    def __init__(self, raw: Any, stream: _Stream) -> None:
        self.raw, self.stream = raw, stream
        _release(self, "cudaGraphExecDestroy", raw)

    def __call__(self) -> None:
        _call("cudaGraphLaunch", self.raw, self.stream.raw)


@functools.cache
def _runtime() -> ModuleType:
    return importlib.import_module("cuda.bindings.runtime")


def _call(function: str, *arguments: Any) -> Any:
    """Call a function of the CUDA runtime, which releases the GIL, and return its results without the error code."""
    error, *values = getattr(_runtime(), function)(*arguments)
    codes = _runtime().cudaError_t
    if error == codes.cudaErrorMemoryAllocation:
        _runtime().cudaGetLastError()  # clears it: the error is not sticky, but would be reported a second time
        raise DeviceMemoryError("the GPU has no memory left: use a smaller size, or end other programs that use it")
    if error != codes.cudaSuccess:
        raise BackendError(
            f"the GPU failed in {function} ({_text(error)}): start again; if it happens again, update the driver"
        )
    return values[0] if len(values) == 1 else values


def _release(owner: object, function: str, handle: Any) -> None:
    """Free a handle once its owner is garbage, in whichever thread that happens and whichever GPU is current there.

    Not at exit: the driver frees everything then, and other threads may still be using it.
    """
    device = _call("cudaGetDevice")
    weakref.finalize(owner, _free, device, function, handle).atexit = False


def _free(device: int, function: str, handle: Any) -> None:
    runtime = _runtime()
    _, current = runtime.cudaGetDevice()
    if current != device:
        runtime.cudaSetDevice(device)
    getattr(runtime, function)(handle)
    if current != device:
        runtime.cudaSetDevice(current)


def _text(error: Any) -> str:
    return str(_runtime().cudaGetErrorName(error)[1].decode())
