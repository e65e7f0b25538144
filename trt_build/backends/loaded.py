"""TensorRT's side of serving: plans read for one GPU, and execution contexts as executors; for 10, 11 and RTX alike."""

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
    """A plan that the runtime refuses: made for another GPU, by another version, or damaged."""


class LoadedEngine:
    """An engine on one GPU: its plans, read by the runtime; all contexts share their weights, and keep this alive.

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
        # In the order in which they are freed.
        self._configs, self._caches, self._engines, self._runtime = configs, caches, engines, runtime

    def __del__(self) -> None:
        _activate(self)

    def executors(self) -> Executors:
        """Return new contexts: what one slot works with."""
        state = self._context("state") if "state" in self._engines else None
        return Executors(state, self._context("synthesis"))

    def kernels(self) -> dict[str, bytes]:
        """Return what the runtime has compiled so far, by plan; nothing where it does not compile at its start."""
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
        """Return what TensorRT-RTX says of a plan that it does not take."""
        if not hasattr(runtime, "get_engine_validity"):
            return ""
        with self.log.errors():
            validity, reasons = runtime.get_engine_validity(plan)
        members = self.trt.EngineInvalidityDiagnostics.__members__
        named = [name for name, value in members.items() if int(reasons) & int(value)]
        return f" [{validity.name}: {', '.join(named) or 'no reason given'}]"

    def _configure(self, engine: Any, kernels: bytes | None) -> tuple[Any, Any]:
        """Return how contexts are made, scratch memory from outside, and the cache of kernels that only RTX has."""
        trt, config, cache = self.trt, engine.create_runtime_config(), None
        config.set_execution_context_allocation_strategy(trt.ExecutionContextAllocationStrategy.USER_MANAGED)
        if hasattr(trt, "CudaGraphStrategy"):
            config.cuda_graph_strategy = trt.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
            strategy = trt.DynamicShapesKernelSpecializationStrategy.EAGER  # else they come later, and are not kept
            config.dynamic_shapes_kernel_specialization_strategy = strategy
            cache = config.create_runtime_cache()
            if kernels:
                with self.log.errors():
                    cache.deserialize(kernels)  # refused, it stays empty: the runtime compiles anew
            config.set_runtime_cache(cache)
        return config, cache

    def _context(self, name: str) -> ContextExecutor:
        self.device.activate()
        with self.log.errors() as errors:
            context = self._engines[name].create_execution_context(self._configs[name])
        if context is None:
            raise failure(errors, "the runtime makes no execution context")
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
                raise BackendError(f"the engine takes {name} in a range of sizes, and none is given: build it again")
            with self._log.errors() as errors:
                is_taken = self._context.set_input_shape(name, shapes[name])
            if not is_taken:
                raise failure(errors, f"the engine does not take {name} as {shapes[name]}")

    def _scratch(self, engine: Any) -> int:
        """Return what the context needs at the shapes that are set; the runtime says 0 where it cannot tell."""
        with self._log.errors() as errors:
            size = int(self._context.update_device_memory_size_for_shapes())
        if size == 0 and engine.device_memory_size_v2:
            raise failure(errors, "the runtime does not say how much memory the engine needs at this size")
        return size

    def _size(self, engine: Any, name: str) -> int:
        """Return the bytes of a tensor; its shape has a -1 where the runtime does not know it."""
        with self._log.errors() as errors:
            shape = tuple(self._context.get_tensor_shape(name))
        if min(shape, default=0) < 0:
            raise failure(errors, f"the engine does not say how large {name} is, but {shape}")
        size: int = math.prod(shape) * engine.get_tensor_dtype(name).itemsize
        return size

    def bind(self, name: str, address: int) -> None:
        with self._log.errors() as errors:
            is_taken = self._context.set_tensor_address(name, address)
        if not is_taken:
            raise failure(errors, f"the engine takes no tensor {name}")

    def bind_scratch(self, address: int, size: int) -> None:
        self._context.set_device_memory(address, size)

    def enqueue(self, stream: int) -> None:
        with self._log.errors() as errors:
            is_given = self._context.execute_async_v3(stream)
        if not is_given:
            raise failure(errors, "the engine failed")


def _activate(owner: Any) -> None:
    """Make the owner's GPU current, in whatever thread it goes: the runtime frees on the one that is."""
    if not sys.is_finalizing() and "device" in vars(owner):
        with contextlib.suppress(BackendError):  # a GPU that is gone has nothing to free
            owner.device.activate()


def failure(errors: Sequence[str], what: str) -> BackendError:
    """Return the exception for a call that failed: for want of memory if any of the errors logged says so."""
    said = [" ".join(error.split())[:300] for error in errors] or ["the runtime gives no reason"]
    for text in said:
        if "out of memory" in text.lower() or "outofmemory" in text.lower():
            return DeviceMemoryError(f"the GPU has no memory left: use tiles or a smaller size ({text})")
    return BackendError(f"{what}: {said[0]}")
