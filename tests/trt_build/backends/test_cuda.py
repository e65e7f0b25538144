"""CUDA through cuda-bindings: what is called exists, with so many arguments; on a GPU, that it does what is said."""

from __future__ import annotations

import ast
import gc
import threading
import time

import numpy as np
import pytest

from tests.support import ROOT
from trt_build.backends import cuda
from trt_build.backends.cuda import CudaDevice, missing_cuda
from trt_build.backends.device import ALIGNMENT, DeviceMemoryError
from vs_interp.errors import ArgumentError, BackendError

runtime = pytest.importorskip("cuda.bindings.runtime")

needs_gpu = [pytest.mark.gpu, pytest.mark.skipif(bool(missing_cuda()), reason=str(missing_cuda()))]


def calls() -> dict[str, set[int]]:
    """Return the functions that ``cuda.py`` calls by name, and with how many arguments."""
    tree = ast.parse((ROOT / "trt_build" / "backends" / "cuda.py").read_text())
    found: dict[str, set[int]] = {}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name) and node.func.id in ("_call", "_release"):
            is_call = node.func.id == "_call"
            name = node.args[0 if is_call else 1]
            if isinstance(name, ast.Constant):
                found.setdefault(name.value, set()).add(len(node.args) - 1 if is_call else 1)
        elif isinstance(node.func, ast.Attribute) and node.func.attr.startswith("cuda"):
            found.setdefault(node.func.attr, set()).add(len(node.args))
    return found


def constants() -> set[str]:
    """Return the other names of the runtime that ``cuda.py`` uses, with their enum."""
    tree = ast.parse((ROOT / "trt_build" / "backends" / "cuda.py").read_text())
    used = {node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr.startswith("cuda")}
    return {
        f"{node.value.attr}.{node.attr}"
        if isinstance(node.value, ast.Attribute) and node.value.attr.startswith("cuda")
        else node.attr
        for node in used
    }


def test_every_function_that_is_called_exists_and_takes_so_many_arguments() -> None:
    """Signatures are the first line of the bindings' docstrings: ``cudaMalloc(size_t size)``."""
    assert len(calls()) > 20
    for name, counts in calls().items():
        signature = getattr(runtime, name).__doc__.strip().splitlines()[0]
        inside = signature[signature.index("(") + 1 : signature.rindex(")")]
        assert counts == {len(inside.split(",")) if inside else 0}, signature


def test_every_constant_that_is_used_exists() -> None:
    assert {"cudaEventBlockingSync", "cudaMemcpyKind.cudaMemcpyHostToDevice"} <= constants()
    for name in constants():
        kind, _, member = name.partition(".")
        if member:
            assert hasattr(getattr(runtime, kind), member), name
        else:
            assert hasattr(runtime, name) or hasattr(runtime.cudaError_t, name), name


@pytest.mark.skipif(missing_cuda() is None, reason="there is a GPU")
def test_without_a_gpu_the_error_says_what_to_install() -> None:
    assert "driver" in str(missing_cuda()) or "GPU" in str(missing_cuda())
    with pytest.raises(BackendError, match=r"install|nvidia-smi"):
        CudaDevice(0)
    with pytest.raises(BackendError, match=r"the GPU failed in cudaMalloc .*cudaError"):
        cuda._call("cudaMalloc", 16)


def test_a_handle_is_freed_on_its_own_gpu_in_whatever_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that drops the last reference may work on another GPU, which must stay its own."""
    done: list[tuple[str, int]] = []

    class Runtime:
        def cudaGetDevice(self) -> tuple[int, int]:  # noqa: N802
            return 0, next((number for name, number in reversed(done) if name == "set"), 1)

        def cudaSetDevice(self, number: int) -> None:  # noqa: N802
            done.append(("set", number))

        def cudaFree(self, handle: int) -> None:  # noqa: N802
            done.append(("free", handle))

    monkeypatch.setattr(cuda, "_runtime", Runtime)
    cuda._free(0, "cudaFree", 5)
    cuda._free(1, "cudaFree", 6)
    assert done == [("set", 0), ("free", 5), ("set", 1), ("free", 6)]


@pytest.fixture
def device() -> CudaDevice:
    return CudaDevice(0)


class TestOnAGPU:
    pytestmark = needs_gpu

    def test_bytes_go_there_and_back(self, device: CudaDevice) -> None:
        stream, other = device.stream(), device.stream()
        first, second = device.allocate(100_000), device.allocate(100_000)
        source, target = device.pinned(100_000), device.pinned(100_000)
        source[:] = np.random.default_rng(1).integers(0, 256, 100_000, np.uint8)
        done = device.event()
        stream.send(first.address, source)
        stream.record(done)
        other.wait(done)
        other.copy(second.address, first.address, 100_000)
        other.fetch(target, second.address)
        other.synchronise()
        np.testing.assert_array_equal(target, source)
        assert first.address % ALIGNMENT == 0

    def test_memory_is_zero_at_first_and_comes_back(self, device: CudaDevice) -> None:
        free = device.free_memory()
        memory = device.allocate(1 << 28)
        target = device.pinned(1 << 10)
        stream = device.stream()
        stream.fetch(target, memory.address)
        stream.synchronise()
        assert not target.any()
        assert device.free_memory() <= free - (1 << 28)
        del memory
        gc.collect()
        assert device.free_memory() >= free - (1 << 24)

    def test_a_recording_runs_only_when_launched(self, device: CudaDevice) -> None:
        stream = device.stream()
        memory, source, target = device.allocate(16), device.pinned(16), device.pinned(16)
        source[:] = 7
        launch = stream.capture(lambda: stream.send(memory.address, source))
        stream.fetch(target, memory.address)
        stream.synchronise()
        assert not target.any()
        for value in (7, 9):
            source[:] = value
            launch()
            stream.fetch(target, memory.address)
            stream.synchronise()
            assert (target == value).all()

    def test_too_much_memory_is_an_error_of_its_own_and_the_device_goes_on(self, device: CudaDevice) -> None:
        with pytest.raises(DeviceMemoryError):
            device.allocate(1 << 50)
        assert device.allocate(16).address

    def test_there_is_no_such_gpu(self) -> None:
        with pytest.raises(ArgumentError, match="no GPU 99"):
            CudaDevice(99)

    def test_other_threads_run_while_one_waits(self, device: CudaDevice) -> None:
        """The GIL is released in a wait: another thread counts meanwhile."""
        stream = device.stream()
        memory, block = device.allocate(1 << 28), device.pinned(1 << 28)
        counted, stop = [0], threading.Event()

        def count() -> None:
            while not stop.is_set():
                counted[0] += 1
                time.sleep(0.0005)

        counting = threading.Thread(target=count)
        counting.start()
        for _ in range(20):
            stream.send(memory.address, block)
        before = counted[0]
        stream.synchronise()
        during = counted[0] - before
        stop.set()
        counting.join()
        assert during > 10
