"""The network of :mod:`tests.arithmetic` in CUDA C, compiled by NVRTC for the GPU that is current."""

from __future__ import annotations

import ctypes
import functools
from typing import Any

from cuda.bindings import driver, nvrtc, runtime

from .arithmetic import MIX, PLANES, _Executor

SOURCE = b"""
extern "C" __global__ void state(const unsigned char* f0, const unsigned char* f1, float* mix, int luma) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < luma) mix[i] = 2.0f * f0[i] - f1[i];
}
extern "C" __global__ void synthesis(
    const float* mix, const float* time, const unsigned char* f1_u, const unsigned char* f0_v,
    const unsigned char* f1_v, unsigned char* y, unsigned char* u, unsigned char* v, int luma, int chroma) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < luma) y[i] = (unsigned char)((int)floorf(mix[i] * time[0] + 4096.0f) & 255);
    if (i < chroma) { u[i] = f1_u[i] + 1; v[i] = f0_v[i] + f1_v[i]; }
}
"""

ARGUMENTS = {
    "state": ("frame0_plane0", "frame1_plane0", "mix"),
    "synthesis": (
        "mix", "time", "frame1_plane1", "frame0_plane2", "frame1_plane2",
        "output_plane0", "output_plane1", "output_plane2",
    ),
}  # fmt: skip
SIZES = {"state": (MIX // 4,), "synthesis": (MIX // 4, PLANES.sizes[1])}


def _checked(result: tuple[Any, ...]) -> Any:
    error, *values = result
    assert int(error) == 0, error
    return values[0] if len(values) == 1 else values


@functools.cache
def _kernel(name: str, device: int) -> Any:
    major = _checked(runtime.cudaDeviceGetAttribute(runtime.cudaDeviceAttr.cudaDevAttrComputeCapabilityMajor, device))
    minor = _checked(runtime.cudaDeviceGetAttribute(runtime.cudaDeviceAttr.cudaDevAttrComputeCapabilityMinor, device))
    program = _checked(nvrtc.nvrtcCreateProgram(SOURCE, b"arithmetic.cu", 0, None, None))
    options = [f"--gpu-architecture=sm_{major}{minor}".encode()]
    _checked(nvrtc.nvrtcCompileProgram(program, len(options), options))
    binary = b" " * _checked(nvrtc.nvrtcGetCUBINSize(program))
    _checked(nvrtc.nvrtcGetCUBIN(program, binary))
    module = _checked(driver.cuModuleLoadData(binary))
    return _checked(driver.cuModuleGetFunction(module, name.encode()))


class CudaExecutor(_Executor):
    """Launches one kernel."""

    def __init__(self, name: str, *rest: Any) -> None:
        super().__init__(*rest)
        self.name = name
        self.kernel = _kernel(name, _checked(runtime.cudaGetDevice()))

    def enqueue(self, stream: int) -> None:
        self.enqueued += 1
        names, sizes = ARGUMENTS[self.name], SIZES[self.name]
        values = tuple([self.addresses[name] for name in names] + list(sizes))
        types = tuple([ctypes.c_void_p] * len(names) + [ctypes.c_int] * len(sizes))
        blocks = -(-sizes[0] // 128)
        _checked(driver.cuLaunchKernel(self.kernel, blocks, 1, 1, 128, 1, 1, 0, stream, (values, types), 0))
