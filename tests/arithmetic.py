"""A network of plain arithmetic with a state, as executors: in NumPy for the simulated device, in CUDA C for a GPU.

With planes of bytes and times in eighths all of it is exact, so that results are compared byte by byte::

    mix            = 2 frame0_plane0 - frame1_plane0                  (the state, float32)
    output_plane0  = floor(mix * time + 4096) modulo 256
    output_plane1  = frame1_plane1 + 1, output_plane2 = frame0_plane2 + frame1_plane2     (modulo 256)
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trt_build.backends.frames import PictureLayout
from trt_build.backends.slots import Bindings, Executors, Slot

from .simulated_device import STREAMS

HEIGHT, WIDTH = 36, 50
SHAPES = ((HEIGHT, WIDTH), (HEIGHT // 2, WIDTH // 2), (HEIGHT // 2, WIDTH // 2))
PLANES = PictureLayout(SHAPES, np.dtype(np.uint8))
BINDINGS = Bindings(
    frames=tuple(tuple(f"frame{frame}_plane{plane}" for plane in range(3)) for frame in range(2)),
    outputs=("output_plane0", "output_plane1", "output_plane2"),
    frame=PLANES,
    picture=PLANES,
    takes_time=True,
)
BYTES = {name: PLANES.sizes[int(name[-1])] for frame in BINDINGS.frames for name in frame}
STATE_INPUTS = ("frame0_plane0", "frame1_plane0")
SYNTHESIS_INPUTS = ("frame1_plane1", "frame0_plane2", "frame1_plane2")
MIX = 4 * HEIGHT * WIDTH


def expected(frame0: Sequence[NDArray[Any]], frame1: Sequence[NDArray[Any]], time: float) -> list[NDArray[np.uint8]]:
    """Return the planes for a time, in whole numbers (the time in eighths)."""
    eighths = round(time * 8)
    mix = 2 * frame0[0].astype(np.int64) - frame1[0].astype(np.int64)
    return [
        ((mix * eighths + 4096 * 8) // 8 % 256).astype(np.uint8),
        (frame1[1].astype(np.int64) + 1).astype(np.uint8),
        (frame0[2].astype(np.int64) + frame1[2]).astype(np.uint8),
    ]


class _Executor:
    """What both kinds share: names, sizes, addresses.  ``parts`` are a function and its arguments' names each."""

    def __init__(self, inputs: dict[str, int], outputs: dict[str, int], capturable: bool, scratch: int) -> None:
        self.inputs, self.outputs, self.capturable, self.scratch = inputs, outputs, capturable, scratch
        self.addresses: dict[str, int] = {}
        self.enqueued = 0

    def bind(self, name: str, address: int) -> None:
        assert name in self.inputs or name in self.outputs
        assert address % 256 == 0
        self.addresses[name] = address

    def bind_scratch(self, address: int, size: int) -> None:
        assert size >= self.scratch


class NumpyExecutor(_Executor):
    """Runs a function of the arrays at its addresses in a simulated stream."""

    def __init__(self, work: Callable[[Callable[..., NDArray[Any]]], None], *rest: Any) -> None:
        super().__init__(*rest)
        self.work = work

    def enqueue(self, stream: int) -> None:
        self.enqueued += 1
        STREAMS[stream].do(partial(self.work, self._array))

    def _array(self, name: str, dtype: Any = np.uint8) -> NDArray[Any]:
        size = {**self.inputs, **self.outputs}[name]
        return np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(self.addresses[name])).view(dtype)


def _numpy_state(array: Callable[..., NDArray[Any]]) -> None:
    array("mix", np.float32)[:] = 2 * array("frame0_plane0").astype(np.float32) - array("frame1_plane0")


def _numpy_synthesis(array: Callable[..., NDArray[Any]]) -> None:
    values = np.floor(array("mix", np.float32) * array("time", np.float32) + 4096).astype(np.int64)
    array("output_plane0")[:] = values % 256
    array("output_plane1")[:] = array("frame1_plane1") + np.uint8(1)
    array("output_plane2")[:] = array("frame0_plane2") + array("frame1_plane2")


def numpy_executors(capturable: bool = True, scratch: int = 1000) -> Executors:
    """Return the network for the simulated device."""
    return Executors(*_executors(partial(NumpyExecutor, _numpy_state), partial(NumpyExecutor, _numpy_synthesis),
                                 capturable, scratch))  # fmt: skip


def cuda_executors(capturable: bool = True, scratch: int = 1000) -> Executors:
    """Return the network for the GPU that is current, compiled by NVRTC."""
    from .cuda_kernels import CudaExecutor

    return Executors(
        *_executors(partial(CudaExecutor, "state"), partial(CudaExecutor, "synthesis"), capturable, scratch)
    )


def _executors(
    state: Callable[..., Any], synthesis: Callable[..., Any], capturable: bool, scratch: int
) -> tuple[Any, Any]:
    outputs = dict(zip(BINDINGS.outputs, PLANES.sizes, strict=True))
    return (
        state({name: BYTES[name] for name in STATE_INPUTS}, {"mix": MIX}, capturable, scratch),
        synthesis(
            {**{name: BYTES[name] for name in SYNTHESIS_INPUTS}, "mix": MIX, "time": 4},
            outputs,
            capturable,
            scratch // 2,
        ),
    )


def clip(length: int) -> list[list[NDArray[np.uint8]]]:
    """Frames of noise whose rows are padded, as VapourSynth's are."""
    random = np.random.default_rng(7)
    return [[random.integers(0, 256, (h, w + 14), np.uint8)[:, :w] for h, w in SHAPES] for _ in range(length)]


def blank() -> list[NDArray[np.uint8]]:
    return [np.zeros((h, w + 14), np.uint8)[:, :w] for h, w in SHAPES]


def run(slot: Slot, frames: list[Any], number: int, times: list[float]) -> None:
    """Work on the window of a frame, and compare every picture byte by byte."""
    out = [blank() for _ in times]
    slot.run([frames[number], frames[number + 1]], [number, number + 1], times, out)
    for time, picture in zip(times, out, strict=True):
        for made, wanted in zip(picture, expected(frames[number], frames[number + 1], time), strict=True):
            np.testing.assert_array_equal(made, wanted)
