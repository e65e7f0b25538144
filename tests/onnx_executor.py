"""ONNX Runtime in TensorRT's place: the graphs of an engine as executors on the simulated device."""

from __future__ import annotations

import ctypes
import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from trt_build.backends.slots import Executors

from .simulated_device import STREAMS

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
onnxruntime = pytest.importorskip("onnxruntime")

TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}


class OnnxExecutor:
    """See :class:`trt_build.backends.executor.Executor`; tensors are read and written at their addresses."""

    def __init__(self, graph: onnx.ModelProto, shapes: Mapping[str, tuple[int, ...]]) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 3
        content = _of_fixed_size(graph, shapes).SerializeToString()
        self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        inputs, outputs = ([_Port(port) for port in ports] for ports in (
            self._session.get_inputs(), self._session.get_outputs()))  # fmt: skip
        self._ports = {port.name: port for port in (*inputs, *outputs)}
        self.inputs = {port.name: port.size for port in inputs}
        self.outputs = {port.name: port.size for port in outputs}
        self.scratch, self.capturable = 0, True
        self._addresses: dict[str, int] = {}

    def bind(self, name: str, address: int) -> None:
        self._addresses[name] = address

    def bind_scratch(self, address: int, size: int) -> None:
        pass

    def enqueue(self, stream: int) -> None:
        STREAMS[stream].do(self._run)

    def _run(self) -> None:
        made = self._session.run(list(self.outputs), {name: self._array(name).copy() for name in self.inputs})
        for name, values in zip(self.outputs, made, strict=True):
            self._array(name)[...] = values

    def _array(self, name: str) -> NDArray[Any]:
        port = self._ports[name]
        block = (ctypes.c_uint8 * port.size).from_address(self._addresses[name])
        return np.ctypeslib.as_array(block).view(port.dtype).reshape(port.shape)


class _Port:
    """An input's or output's name, type, shape and size in bytes."""

    def __init__(self, port: Any) -> None:
        self.name: str = port.name
        self.shape = tuple(port.shape)
        self.dtype = np.dtype(TYPES[port.type])
        self.size = math.prod(self.shape) * self.dtype.itemsize


def _of_fixed_size(graph: onnx.ModelProto, shapes: Mapping[str, tuple[int, ...]]) -> onnx.ModelProto:
    """Return a graph whose inputs have these shapes, and all else what follows from them."""
    fixed = onnx.ModelProto()
    fixed.CopyFrom(graph)
    for value in fixed.graph.input:
        for dimension, size in zip(value.type.tensor_type.shape.dim, shapes.get(value.name, ()), strict=False):
            dimension.dim_value = size
    return onnx.shape_inference.infer_shapes(fixed)


def onnx_executors(
    graphs: Mapping[str, onnx.ModelProto], shapes: Mapping[str, tuple[int, ...]] | None = None
) -> Executors:
    """Return executors for what :func:`trt_build.engines.build.engine_graphs` gives, free sizes as ``shapes`` say."""
    state, synthesis = (
        OnnxExecutor(graphs[name], shapes or {}) if name in graphs else None for name in ("state", "synthesis")
    )
    assert synthesis is not None
    return Executors(state, synthesis)
