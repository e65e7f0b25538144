"""OpenVINO in TensorRT's place: the graphs of an engine as executors on the simulated device."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import openvino
from numpy.typing import NDArray

from trt_build.backends.signal_stack import signal_stack_kept
from trt_build.backends.slots import Executors

from .simulated_device import STREAMS


class OpenVINOExecutor:
    """See :class:`trt_build.backends.executor.Executor`; tensors are read and written at their addresses."""

    def __init__(self, graph: onnx.ModelProto, shapes: Mapping[str, tuple[int, ...]]) -> None:
        model = openvino.Core().read_model(graph.SerializeToString(), b"")
        model.reshape({port: shapes[port.get_any_name()] for port in model.inputs if port.partial_shape.is_dynamic})
        with signal_stack_kept():
            compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        self._request = compiled.create_infer_request()
        ports = [_Port(port) for port in (*compiled.inputs, *compiled.outputs)]
        self._ports = {port.name: port for port in ports}
        self.inputs = {port.name: port.size for port in ports[: len(compiled.inputs)]}
        self.outputs = {port.name: port.size for port in ports[len(compiled.inputs) :]}
        self.scratch, self.capturable = 0, True
        self._addresses: dict[str, int] = {}

    def bind(self, name: str, address: int) -> None:
        self._addresses[name] = address

    def bind_scratch(self, address: int, size: int) -> None:
        pass

    def enqueue(self, stream: int) -> None:
        STREAMS[stream].do(self._run)

    def _run(self) -> None:
        self._request.infer({name: self._array(name).copy() for name in self.inputs})
        for name in self.outputs:
            self._array(name)[...] = self._request.get_tensor(name).data

    def _array(self, name: str) -> NDArray[Any]:
        port = self._ports[name]
        block = (ctypes.c_uint8 * port.size).from_address(self._addresses[name])
        return np.ctypeslib.as_array(block).view(port.dtype).reshape(port.shape)


class _Port:
    """An input's or output's name, type, shape and size in bytes."""

    def __init__(self, port: Any) -> None:
        self.name: str = port.get_any_name()
        self.shape = tuple(port.get_shape())
        self.dtype = np.dtype(port.get_element_type().to_dtype())
        self.size = math.prod(self.shape) * self.dtype.itemsize


def openvino_executors(
    graphs: Mapping[str, onnx.ModelProto], shapes: Mapping[str, tuple[int, ...]] | None = None
) -> Executors:
    """Return executors for what :func:`trt_build.engines.build.engine_graphs` gives, free sizes as ``shapes`` say."""
    state, synthesis = (
        OpenVINOExecutor(graphs[name], shapes or {}) if name in graphs else None for name in ("state", "synthesis")
    )
    assert synthesis is not None
    return Executors(state, synthesis)
