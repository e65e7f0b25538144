"""TensorRT's side of serving: plans read for one GPU, and execution contexts as executors; for 10, 11 and RTX alike."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from vs_interp.errors import BackendError

from .device import DeviceMemoryError
from .slots import Executors


class PlanError(BackendError):
    """A plan that the runtime refuses: made for another GPU, by another version, or damaged."""


class LoadedEngine:
    """An engine on the GPU that is current: its plans, read by the runtime; all contexts share their weights.

    shapes
        Of the inputs, where the engine takes a range of sizes; nothing for one of a single size.
    kernels
        What an earlier session compiled for these plans, by plan, where the runtime compiles at its start (RTX).
    """

    def __init__(
        self,
        trt: ModuleType,
        plans: Mapping[str, bytes],
        shapes: Mapping[str, tuple[int, ...]],
        kernels: Mapping[str, bytes] | None = None,
    ) -> None:
        self._trt, self._shapes = trt, shapes
        self.errors: deque[str] = deque(maxlen=20)
        self._logger = _logger(trt, self.errors)
        self._runtime = trt.Runtime(self._logger)
        self._engines = {name: self._read(plan) for name, plan in plans.items()}
        self._caches: dict[str, Any] = {}
        self._configs = {name: self._configure(name, (kernels or {}).get(name)) for name in plans}

    def executors(self) -> Executors:
        """Return new contexts: what one slot works with."""
        state = self._context("state") if "state" in self._engines else None
        return Executors(state, self._context("synthesis"))

    def kernels(self) -> dict[str, bytes]:
        """Return what the runtime has compiled so far, by plan; nothing where it does not compile at its start."""
        return {name: bytes(memoryview(cache.serialize())) for name, cache in self._caches.items()}

    def _read(self, plan: bytes) -> Any:
        engine = self._runtime.deserialize_cuda_engine(plan)
        if engine is None:
            said = failure(self.errors, "the engine cannot be read")
            raise said if isinstance(said, DeviceMemoryError) else PlanError(f"{said}{self._diagnosis(plan)}")
        return engine

    def _diagnosis(self, plan: bytes) -> str:
        """Return what TensorRT-RTX says of a plan that it does not take."""
        if not hasattr(self._runtime, "get_engine_validity"):
            return ""
        validity, reasons = self._runtime.get_engine_validity(plan)
        members = self._trt.EngineInvalidityDiagnostics.__members__
        named = [name for name, value in members.items() if int(reasons) & int(value)]
        return f" [{validity.name}: {', '.join(named) or 'no reason given'}]"

    def _configure(self, name: str, kernels: bytes | None) -> Any:
        """Return how contexts are made: scratch memory from outside; RTX keeps its kernels and records by itself."""
        config = self._engines[name].create_runtime_config()
        config.set_execution_context_allocation_strategy(self._trt.ExecutionContextAllocationStrategy.USER_MANAGED)
        if hasattr(self._trt, "CudaGraphStrategy"):
            config.cuda_graph_strategy = self._trt.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
            cache = config.create_runtime_cache()
            if kernels:
                cache.deserialize(kernels)  # refused, it stays empty: the runtime compiles anew
            config.set_runtime_cache(cache)
            self._caches[name] = cache
        return config

    def _context(self, name: str) -> ContextExecutor:
        context = self._engines[name].create_execution_context(self._configs[name])
        if context is None:
            raise failure(self.errors, "the runtime makes no execution context")
        return ContextExecutor(self._trt, self._engines[name], context, self._shapes, self.errors)


class ContextExecutor:
    """One execution context; see :class:`~trt_build.backends.executor.Executor`."""

    def __init__(
        self,
        trt: ModuleType,
        engine: Any,
        context: Any,
        shapes: Mapping[str, tuple[int, ...]],
        errors: deque[str],
    ) -> None:
        self._context, self._errors = context, errors
        names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
        free = [name for name in names if name in shapes and -1 in engine.get_tensor_shape(name)]
        for name in free:
            if not context.set_input_shape(name, shapes[name]):
                raise failure(errors, f"the engine does not take {name} as {shapes[name]}")
        self.scratch = int(context.update_device_memory_size_for_shapes() if free else engine.device_memory_size_v2)
        self.capturable = not hasattr(trt, "CudaGraphStrategy")
        inputs: dict[str, int] = {}
        outputs: dict[str, int] = {}
        for name in names:
            size = math.prod(context.get_tensor_shape(name)) * engine.get_tensor_dtype(name).itemsize
            is_input = engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT
            (inputs if is_input else outputs)[name] = size
        self.inputs: Mapping[str, int] = inputs
        self.outputs: Mapping[str, int] = outputs

    def bind(self, name: str, address: int) -> None:
        if not self._context.set_tensor_address(name, address):
            raise failure(self._errors, f"the engine takes no tensor {name}")

    def bind_scratch(self, address: int, size: int) -> None:
        self._context.set_device_memory(address, size)

    def enqueue(self, stream: int) -> None:
        if not self._context.execute_async_v3(stream):
            raise failure(self._errors, "the engine failed")


def failure(errors: deque[str], what: str) -> BackendError:
    """Return the exception for a call that failed, with the first of the errors logged, which are taken away."""
    said = " ".join(errors[0].split())[:300] if errors else "the runtime gives no reason"
    errors.clear()
    if "out of memory" in said.lower() or "outofmemory" in said.lower():
        return DeviceMemoryError(f"the GPU has no memory left: use tiles or a smaller size ({said})")
    return BackendError(f"{what}: {said}")


def _logger(trt: ModuleType, errors: deque[str]) -> Any:
    """Return a logger of the runtime's own class that keeps the last errors."""

    class Logger(trt.ILogger):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            if severity <= trt.ILogger.Severity.ERROR:
                errors.append(message)

    return Logger()
