"""Engines loaded by TensorRT 10, 11 or TensorRT-RTX on one GPU, and their execution contexts as executors."""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

from trt_build.engines.runtime_log import runtime_log
from vs_interp.errors import BackendError

from .device import Device, DeviceMemoryError
from .slots import Executors


class PlanError(BackendError):
    """A plan that the runtime rejects: built for another GPU, by another version, or damaged."""


class LoadedEngine:
    """An engine deserialised on one GPU.  All its contexts share its weights, and keep it alive.

    shapes
        Shapes of the inputs, if the engine takes a range of sizes; empty for one of a single size.
    kernels
        Plan → the kernels that an earlier session compiled for it, for runtimes that compile at the start (RTX).
    """

    def __init__(
        self,
        trt: ModuleType,
        plans: Mapping[str, bytes],
        shapes: Mapping[str, tuple[int, ...]],
        kernels: Mapping[str, bytes] | None = None,
        *,
        device: Device,
    ) -> None:
        device.activate()
        self.trt, self.shapes, self.device, self.log = trt, shapes, device, runtime_log(trt)
        runtime = trt.Runtime(self.log.logger)
        engines = {name: self._read(runtime, plan) for name, plan in plans.items()}
        configs, caches = {}, {}
        for name in plans:
            configs[name], caches[name] = self._configure(engines[name], (kernels or {}).get(name))
        # Attributes are freed in this order, each before those that it uses.
        self._configs, self._caches, self._engines, self._runtime = configs, caches, engines, runtime

    def __del__(self) -> None:
        _activate(self)

    def executors(self) -> Executors:
        """Return new execution contexts for one slot."""
        state = self._context("state") if "state" in self._engines else None
        return Executors(state, self._context("synthesis"))

    def kernels(self) -> dict[str, bytes]:
        """Return the kernels compiled so far, by plan; none if the runtime does not compile at the start."""
        caches = {name: cache for name, cache in self._caches.items() if cache is not None}
        return {name: bytes(memoryview(cache.serialize())) for name, cache in caches.items()}

    def _read(self, runtime: Any, plan: bytes) -> Any:
        with self.log.errors() as errors:
            engine = runtime.deserialize_cuda_engine(plan)
        if engine is None:
            said = failure(errors, "the engine cannot be read")
            raise said if isinstance(said, DeviceMemoryError) else PlanError(f"{said}{self._diagnosis(runtime, plan)}")
        return engine

    def _diagnosis(self, runtime: Any, plan: bytes) -> str:
        """Return why TensorRT-RTX rejects a plan, to be appended to the message; nothing from TensorRT."""
        if not hasattr(runtime, "get_engine_validity"):
            return ""
        with self.log.errors():
            validity, reasons = runtime.get_engine_validity(plan)
        members = self.trt.EngineInvalidityDiagnostics.__members__
        named = [name for name, value in members.items() if int(reasons) & int(value)]
        return f" [{validity.name}: {', '.join(named) or 'no reason given'}]"

    def _configure(self, engine: Any, kernels: bytes | None) -> tuple[Any, Any]:
        """Return the configuration of the contexts, and the kernel cache that only RTX has.

        Contexts get their scratch memory from the slot.
        """
        trt, config, cache = self.trt, engine.create_runtime_config(), None
        config.set_execution_context_allocation_strategy(trt.ExecutionContextAllocationStrategy.USER_MANAGED)
        if hasattr(trt, "CudaGraphStrategy"):
            config.cuda_graph_strategy = trt.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
            # Compile specialised kernels at once: those compiled in the background later would not be in the cache.
            strategy = trt.DynamicShapesKernelSpecializationStrategy.EAGER
            config.dynamic_shapes_kernel_specialization_strategy = strategy
            cache = config.create_runtime_cache()
            if kernels:
                with self.log.errors():
                    cache.deserialize(kernels)  # if this fails the cache stays empty, and the runtime compiles again
            config.set_runtime_cache(cache)
        return config, cache

    def _context(self, name: str) -> ContextExecutor:
        self.device.activate()
        with self.log.errors() as errors:
            context = self._engines[name].create_execution_context(self._configs[name])
        if context is None:
            raise failure(errors, "the runtime cannot create an execution context")
        return ContextExecutor(self, self._engines[name], context)


class ContextExecutor:
    """One execution context; see :class:`~trt_build.backends.executor.Executor`."""

    def __init__(self, loaded: LoadedEngine, engine: Any, context: Any) -> None:
        self._context, self._loaded = context, loaded  # freed in this order
        self.device, self._log = loaded.device, loaded.log
        names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
        trt = loaded.trt
        is_input = {name: engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT for name in names}
        free = [name for name in names if is_input[name] and -1 in tuple(engine.get_tensor_shape(name))]
        self._set_shapes(free, loaded.shapes)
        self.scratch = self._scratch(engine) if free else int(engine.device_memory_size_v2)
        self.capturable = not hasattr(trt, "CudaGraphStrategy")
        sizes = {name: self._size(engine, name) for name in names}
        self.inputs: Mapping[str, int] = {name: size for name, size in sizes.items() if is_input[name]}
        self.outputs: Mapping[str, int] = {name: size for name, size in sizes.items() if not is_input[name]}

    def __del__(self) -> None:
        _activate(self)

    def _set_shapes(self, free: Sequence[str], shapes: Mapping[str, tuple[int, ...]]) -> None:
        for name in free:
            if name not in shapes:
                raise BackendError(f"the engine takes {name} in a range of sizes, and no size is given: rebuild it")
            with self._log.errors() as errors:
                is_accepted = self._context.set_input_shape(name, shapes[name])
            if not is_accepted:
                raise failure(errors, f"the engine does not accept the shape {shapes[name]} of {name}")

    def _scratch(self, engine: Any) -> int:
        """Return the scratch memory in bytes that the context needs for its shapes; the runtime says 0 if it fails."""
        with self._log.errors() as errors:
            size = int(self._context.update_device_memory_size_for_shapes())
        if size == 0 and engine.device_memory_size_v2:
            raise failure(errors, "the runtime does not say how much memory the engine needs at this size")
        return size

    def _size(self, engine: Any, name: str) -> int:
        """Return the size of a tensor in bytes; the runtime gives unknown lengths as -1."""
        with self._log.errors() as errors:
            shape = tuple(self._context.get_tensor_shape(name))
        if min(shape, default=0) < 0:
            raise failure(errors, f"the engine does not know the size of {name} ({shape})")
        size: int = math.prod(shape) * engine.get_tensor_dtype(name).itemsize
        return size

    def bind(self, name: str, address: int) -> None:
        with self._log.errors() as errors:
            is_accepted = self._context.set_tensor_address(name, address)
        if not is_accepted:
            raise failure(errors, f"the engine does not accept the tensor {name}")

    def bind_scratch(self, address: int, size: int) -> None:
        self._context.set_device_memory(address, size)

    def enqueue(self, stream: int) -> None:
        with self._log.errors() as errors:
            is_queued = self._context.execute_async_v3(stream)
        if not is_queued:
            raise failure(errors, "the engine failed")


def _activate(owner: Any) -> None:
    """Make an object's GPU current in the thread that frees it: the runtime frees memory of the current GPU."""
    if not sys.is_finalizing() and "device" in vars(owner):
        with contextlib.suppress(BackendError):  # on a GPU that is lost there is nothing to free
            owner.device.activate()


def failure(errors: Sequence[str], what: str) -> BackendError:
    """Return the exception for a failed call: :class:`DeviceMemoryError` if any logged error is about memory."""
    said = [" ".join(error.split())[:300] for error in errors] or ["the runtime gives no reason"]
    for text in said:
        if "out of memory" in text.lower() or "outofmemory" in text.lower():
            return DeviceMemoryError(f"the GPU has no memory left: use tiles or a smaller size ({text})")
    return BackendError(f"{what}: {said[0]}")
