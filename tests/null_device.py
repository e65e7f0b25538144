"""A device that does nothing, behind the interfaces of the real ones: what remains is the host's own work.

Memory has addresses and nothing behind them, copies and launches return at once, and events never wait.  Frames are
still copied into staging memory and out of it, as for a GPU: that is work of the host.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import onnx
from numpy.typing import NDArray

from tests.stand_in_backend import StandInBackend
from trt_build.backends import Session
from trt_build.backends.base import Check
from trt_build.backends.device import ALIGNMENT
from trt_build.backends.slots import Executors, bindings
from trt_build.backends.streams import Streams, open_slots
from trt_build.engines.build import BuildOptions, engine_graphs
from trt_build.model_file import ModelFile
from trt_build.profile import Profile

ITEM_SIZES = {onnx.TensorProto.FLOAT: 4, onnx.TensorProto.UINT8: 1, onnx.TensorProto.FLOAT16: 2}


@dataclass(frozen=True, kw_only=True)
class NullBackend(StandInBackend):
    """Serves any model in the clip's own planes, and makes pictures of whatever lies in its staging memory."""

    streams: Streams = 3
    name: ClassVar[str] = "null"

    def open(self, model: ModelFile, profile: Profile, check: Check | None = None) -> Sequence[Session]:
        graphs = engine_graphs(model, profile, BuildOptions())

        def executors() -> Executors:
            state = NullExecutor(graphs["state"]) if "state" in graphs else None
            return Executors(state, NullExecutor(graphs["synthesis"]))

        return open_slots(NullDevice(), executors, bindings(model.spec, profile), self.streams)


class NullDevice:
    """See :class:`trt_build.backends.device.Device`."""

    index = 0
    identity = "null"

    def activate(self) -> None:
        pass

    def free_memory(self) -> int:
        return 1 << 40

    def allocate(self, size: int) -> NullMemory:
        return NullMemory(size)

    def pinned(self, size: int) -> NDArray[Any]:
        return np.zeros(size, np.uint8)

    def stream(self) -> NullStream:
        return NullStream()

    def event(self) -> NullEvent:
        return NullEvent()


class NullMemory:
    _addresses = itertools.count(ALIGNMENT, ALIGNMENT)

    def __init__(self, size: int) -> None:
        self.address, self.size = next(self._addresses), size


class NullEvent:
    def wait(self) -> None:
        pass


class NullStream:
    handle = 0

    def send(self, target: int, source: NDArray[Any]) -> None:
        pass

    def fetch(self, target: NDArray[Any], source: int) -> None:
        pass

    def copy(self, target: int, source: int, size: int) -> None:
        pass

    def record(self, event: NullEvent) -> None:
        pass

    def wait(self, event: NullEvent) -> None:
        pass

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        return lambda: None

    def synchronise(self) -> None:
        pass


class NullExecutor:
    """See :class:`trt_build.backends.executor.Executor`; it has the tensors of a graph of static shapes."""

    scratch = 0
    capturable = True

    def __init__(self, graph: onnx.ModelProto) -> None:
        self.inputs = {value.name: _size(value) for value in graph.graph.input}
        self.outputs = {value.name: _size(value) for value in graph.graph.output}

    def bind(self, name: str, address: int) -> None:
        pass

    def bind_scratch(self, address: int, size: int) -> None:
        pass

    def enqueue(self, stream: int) -> None:
        pass


def _size(value: onnx.ValueInfoProto) -> int:
    tensor = value.type.tensor_type
    return math.prod(dimension.dim_value for dimension in tensor.shape.dim) * ITEM_SIZES[tensor.elem_type]
