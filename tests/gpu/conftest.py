"""What the tests of this folder run on: the simulated device always, a GPU and its runtimes where they are.

Without a GPU PyTorch's executor works on the simulated device, so that all but CUDA and TensorRT is tried everywhere.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

pytest.importorskip("torch")

from tests.simulated_device import SimulatedDevice
from trt_build.backends import Backend, TensorRT, TensorRTRTX
from trt_build.backends.cuda import CudaDevice, missing_cuda
from trt_build.backends.device import Device, DeviceMemoryError

from .torch_executor import TorchBackend


class LimitedDevice(CudaDevice):
    """A GPU that gives out only so many bytes, counted from when it is made: its own, and PyTorch's meanwhile."""

    def __init__(self, limit: int) -> None:
        super().__init__(0)
        self._left, self._floor = limit, super().free_memory() - limit

    def free_memory(self) -> int:
        return max(0, min(self._left, super().free_memory() - self._floor))

    def allocate(self, size: int) -> Any:
        if size > self.free_memory():
            raise DeviceMemoryError(f"{size} bytes are more than the limit leaves")
        memory = super().allocate(size)
        self._left -= size  # small blocks share one of the driver's, and what is free does not change
        weakref.finalize(memory, self._give_back, size)
        return memory

    def _give_back(self, size: int) -> None:
        self._left += size


@dataclass(frozen=True)
class Runtime:
    """What runs an engine's graphs.

    backend
        Makes a backend with options such as ``streams=2``.
    limited
        A device of so many bytes; none where the runtime makes its devices itself.
    """

    backend: Callable[..., Backend]
    device: Callable[[], Device]
    limited: Callable[[int], Device] | None = None


def _torch_on_gpu(**options: Any) -> Backend:
    import torch

    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    return TorchBackend(**options)


def _simulated(**options: Any) -> Backend:
    return TorchBackend(**{"device": SimulatedDevice, **options})


RUNTIMES = {
    "simulated": Runtime(_simulated, SimulatedDevice, SimulatedDevice),
    "torch": Runtime(_torch_on_gpu, lambda: CudaDevice(0), LimitedDevice),
    "tensorrt": Runtime(TensorRT, lambda: CudaDevice(0)),
    "rtx": Runtime(TensorRTRTX, lambda: CudaDevice(0)),
}
MISSING = {"torch": missing_cuda, "tensorrt": TensorRT.missing, "rtx": TensorRTRTX.missing}


@pytest.fixture(params=["simulated", *(pytest.param(name, marks=pytest.mark.gpu) for name in MISSING)])
def runtime(request: pytest.FixtureRequest) -> Iterator[Runtime]:
    """Every runtime in turn; skipped with the reason where it does not work here."""
    lacks = MISSING[request.param]() if request.param in MISSING else None
    if lacks:
        pytest.skip(lacks)
    yield RUNTIMES[request.param]
    gc.collect()
