"""A module in TensorRT's place that keeps what its documentation promises, for tests of the calls around it.

A call that fails gives ``False``, ``None``, 0 or -1 and logs why; ``set_input_shape`` fails for outputs; objects are
freed as Python frees them, which :attr:`StandIn.freed` writes down.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from enum import Enum, IntEnum
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

MODES = Enum("MODES", ["NONE", "INPUT", "OUTPUT"])
Severity = IntEnum("Severity", ["INTERNAL_ERROR", "ERROR", "WARNING"], start=0)


def plan(tensors: dict[str, tuple[str, tuple[int, ...]]], scratch: int = 4096, **quirks: Any) -> bytes:
    """Return a plan: name → (``"input"`` or ``"output"``, shape with -1 where it is free)."""
    return json.dumps({"tensors": tensors, "scratch": scratch, "quirks": quirks}).encode()


class StandIn(ModuleType):
    """The module.  ``rtx`` gives it what TensorRT-RTX alone has."""

    FOREIGN = b"compiled by another driver"
    """Kernels that it refuses."""

    def __init__(self, *, rtx: bool = False) -> None:
        super().__init__("stand_in")
        self.freed: list[str] = []
        self.loggers: list[Any] = []
        self.room: Callable[[], int] = lambda: 1 << 40
        """Bytes that the GPU has free for the ``weights`` of a plan."""
        self.configs: list[Any] = []
        self.TensorIOMode = MODES
        self.ExecutionContextAllocationStrategy = SimpleNamespace(USER_MANAGED="user managed")
        self.EngineInvalidityDiagnostics = SimpleNamespace(__members__={"UNSUPPORTED_CC": 4})
        module = self

        class ILogger:
            pass

        class Runtime(_Part):
            def __init__(self, logger: Any) -> None:
                super().__init__(module, "runtime")
                module.loggers.append(logger)

            def deserialize_cuda_engine(self, content: bytes) -> Any:
                if not content.startswith(b"{"):
                    return module.fail("Error Code 1: Serialization (magic tag does not match)")
                about = json.loads(content)
                if about["quirks"].get("weights", 0) > module.room():
                    return module.fail("Error Code 2: OutOfMemory (Requested size was 1048576 bytes.)")
                return _Engine(module, about)

        ILogger.Severity = Severity  # type: ignore[attr-defined]
        self.ILogger, self.Runtime = ILogger, Runtime
        if rtx:
            self.CudaGraphStrategy = SimpleNamespace(WHOLE_GRAPH_CAPTURE="whole graph")
            self.DynamicShapesKernelSpecializationStrategy = SimpleNamespace(EAGER="eager", LAZY="lazy")

    def fail(self, *said: str, result: Any = None) -> Any:
        """Log errors, and return what a failing call returns."""
        for text in said:
            self.loggers[-1].log(Severity.ERROR, text)
        return result


class _Part:
    """An object of the runtime."""

    def __init__(self, module: StandIn, kind: str) -> None:
        self.module, self.kind = module, kind

    def __del__(self) -> None:
        self.module.freed.append(self.kind)


class _Engine(_Part):
    def __init__(self, module: StandIn, about: dict[str, Any]) -> None:
        super().__init__(module, "engine")
        self.about, self.tensors = about, about["tensors"]
        self.num_io_tensors, self.device_memory_size_v2 = len(self.tensors), about["scratch"]

    def get_tensor_name(self, index: int) -> str:
        return list(self.tensors)[index]

    def get_tensor_mode(self, name: str) -> Any:
        return MODES[self.tensors[name][0].upper()]

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return tuple(self.tensors[name][1])

    def get_tensor_dtype(self, name: str) -> Any:
        return np.dtype(np.float16)

    def create_runtime_config(self) -> Any:
        config = _Config(self.module, "config")
        self.module.configs.append(vars(config))
        return config

    def create_execution_context(self, config: Any) -> Any:
        assert config.strategy == "user managed"
        said = self.about["quirks"].get("no_context")
        return self.module.fail(*said) if said else _Context(self)


class _Config(_Part):
    def set_execution_context_allocation_strategy(self, strategy: str) -> None:
        self.strategy = strategy

    def create_runtime_cache(self) -> Any:
        return _Cache(self.module, "cache")

    def set_runtime_cache(self, cache: Any) -> bool:
        return True


class _Cache(_Part):
    held = b"nothing compiled"

    def deserialize(self, content: bytes) -> bool:
        if content == StandIn.FOREIGN:
            return bool(
                self.module.fail("Error Code 3: API Usage (the runtime cache is of another driver)", result=False)
            )
        self.held = content
        return True

    def serialize(self) -> bytes:
        return self.held


class _Context(_Part):
    """It does not keep its engine: its user has to."""

    def __init__(self, engine: _Engine) -> None:
        super().__init__(engine.module, "context")
        self.about, self.tensors, self.set = engine.about, engine.tensors, {}

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        known = self.tensors.get(name)
        if known is None or known[0] != "input":
            return bool(self.module.fail(f"Error Code 3: API Usage ({name} is no input)", result=False))
        self.set[name] = shape
        return True

    def _all_set(self) -> bool:
        return all(name in self.set for name, (mode, shape) in self.tensors.items() if mode == "input" and -1 in shape)

    def update_device_memory_size_for_shapes(self) -> int:
        if not self._all_set() or self.about["quirks"].get("no_size"):
            return int(self.module.fail("Error Code 3: API Usage (not all shapes are specified)", result=0))
        pixels = sum(math.prod(shape) for shape in self.set.values())
        return min(self.about["scratch"], 2 * pixels)

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        mode, shape = self.tensors[name]
        if mode == "input":
            return tuple(self.set.get(name, shape))
        if not self._all_set():
            return tuple(shape)
        sizes = iter(next(iter(self.set.values()), ())[2:])
        return tuple(next(sizes) if length == -1 else length for length in shape)

    def set_tensor_address(self, name: str, address: int) -> bool:
        return name in self.tensors or bool(self.module.fail(f"{name} is no tensor", result=False))

    def set_device_memory(self, address: int, size: int) -> None:
        self.memory = address, size

    def execute_async_v3(self, stream: int) -> bool:
        said = self.about["quirks"].get("no_run")
        return bool(self.module.fail(*said, result=False)) if said else True
