"""PyTorch in TensorRT's place, for GPUs that it does not take: an engine's graphs, operator by operator, as executors.

On a GPU each graph is recorded as one CUDA graph.  On the simulated device it is worked out on the CPU, so that all of
it but CUDA is tried where there is no GPU.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from torch import Tensor

from tests.simulated_device import STREAMS, SimulatedDevice
from tests.stand_in_backend import StandInBackend
from trt_build.backends.base import Check, Session
from trt_build.backends.cuda import CudaDevice
from trt_build.backends.device import Device, DeviceMemoryError
from trt_build.backends.slots import Executors, bindings
from trt_build.backends.streams import Streams, open_slots
from trt_build.engines.build import BuildOptions, engine_graphs
from trt_build.graphs.dynamic import Size, input_shapes, served_size
from trt_build.model_file import ModelFile
from trt_build.profile import Profile

from .torch_operators import HOST, OPERATORS, TYPES

Feeds = Mapping[str, Tensor]


class TorchGraph:
    """A graph whose inputs have the shapes given; what follows from shapes alone is worked out once, on the host."""

    def __init__(self, graph: onnx.ModelProto, shapes: Mapping[str, tuple[int, ...]], device: torch.device) -> None:
        self.device = device
        self._nodes = [_Node(node) for node in graph.graph.node]
        self._constants = {
            tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy()) for tensor in graph.graph.initializer
        }
        self._placed: dict[str, Tensor] = {}
        self._last = {name: node for node in self._nodes for name in node.inputs}
        self._wanted = [value.name for value in graph.graph.output]
        self.inputs = {
            value.name: torch.empty(_shape(value, shapes), dtype=TYPES[value.type.tensor_type.elem_type], device="meta")
            for value in graph.graph.input
        }
        self.outputs = self.run(self.inputs, torch.device("meta"))

    def run(self, feeds: Feeds, device: torch.device | None = None) -> dict[str, Tensor]:
        """Return the outputs, which may be views of ``feeds``."""
        device = device or self.device
        known = dict(feeds)
        for node in self._nodes:
            if all(name in self._constants for name in node.outputs):
                continue
            is_constant = node.kind == "Shape" or all(name in self._constants for name in node.inputs if name)
            made = node.work([self._find(name, known, None if is_constant or host else device)
                              for name, host in zip(node.inputs, node.on_host, strict=True)])  # fmt: skip
            (self._constants if is_constant else known).update(zip(node.outputs, made, strict=True))
            for name in node.inputs:
                if self._last.get(name) is node and name not in self._wanted and name not in feeds:
                    known.pop(name, None)
        return {name: known[name] for name in self._wanted}

    def _find(self, name: str, known: Feeds, device: torch.device | None) -> Tensor | None:
        """Return a tensor by name, a constant on the device or (``None``) on the host."""
        if not name:
            return None
        if name in known:
            return known[name]
        if device is None:
            return self._constants[name]
        if device.type == "meta":
            return self._constants[name].to(device)
        if name not in self._placed:
            values = self._constants[name]
            order = torch.channels_last if values.dim() == 4 else torch.contiguous_format
            self._placed[name] = values.to(device, memory_format=order)
        return self._placed[name]


class _Node:
    def __init__(self, node: onnx.NodeProto) -> None:
        self.kind, self.inputs, self.outputs = node.op_type, list(node.input), list(node.output)
        self.on_host = [place in HOST.get(node.op_type, ()) for place in range(len(node.input))]
        self._attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute}

    def work(self, inputs: Sequence[Tensor | None]) -> Sequence[Tensor]:
        made = OPERATORS[self.kind](self._attributes, *inputs)
        return [made] if isinstance(made, Tensor) else made


def _shape(value: onnx.ValueInfoProto, shapes: Mapping[str, tuple[int, ...]]) -> tuple[int, ...]:
    return shapes.get(value.name) or tuple(axis.dim_value for axis in value.type.tensor_type.shape.dim)


class TorchExecutor:
    """See :class:`trt_build.backends.executor.Executor`.  The scratch memory is PyTorch's own: one pool a slot."""

    scratch = 0
    capturable = False  # it records by itself: PyTorch's allocator has to know of it

    def __init__(self, graph: TorchGraph, pool: Any) -> None:
        self._graph, self._pool = graph, pool
        self.inputs = {name: tensor.nbytes for name, tensor in graph.inputs.items()}
        self.outputs = {name: tensor.nbytes for name, tensor in graph.outputs.items()}
        self._views: dict[str, Tensor] = {}
        self._recorded: torch.cuda.CUDAGraph | None = None

    def bind(self, name: str, address: int) -> None:
        like = self._graph.inputs.get(name, self._graph.outputs.get(name))
        assert like is not None
        self._views[name] = _view(address, like, self._graph.device)

    def bind_scratch(self, address: int, size: int) -> None:
        pass

    def enqueue(self, stream: int) -> None:
        if self._graph.device.type == "cpu":
            STREAMS[stream].do(self._work)
            return
        try:
            with torch.cuda.stream(torch.cuda.ExternalStream(stream)):
                if self._recorded is None:
                    self._recorded = self._record()
                self._recorded.replay()
        except torch.OutOfMemoryError as error:
            raise DeviceMemoryError(str(error).partition(".")[0]) from error

    def _record(self) -> torch.cuda.CUDAGraph:
        for _ in range(2):  # the first chooses the kernels and places the constants
            self._work()
        torch.cuda.synchronize()
        recorded = torch.cuda.CUDAGraph()
        with torch.cuda.graph(recorded, pool=self._pool, capture_error_mode="thread_local"):
            self._work()
        return recorded

    @torch.inference_mode()
    def _work(self) -> None:
        for name, made in self._graph.run({name: self._views[name] for name in self._graph.inputs}).items():
            self._views[name].copy_(made)


def _view(address: int, like: Tensor, device: torch.device) -> Tensor:
    """Return the tensor that lies at an address."""
    if device.type == "cpu":
        block = (ctypes.c_uint8 * like.nbytes).from_address(address)
        return torch.from_numpy(np.ctypeslib.as_array(block)).view(like.dtype).view(like.shape)

    class Block:
        __cuda_array_interface__: ClassVar = {
            "data": (address, False), "shape": (like.nbytes,), "typestr": "|u1", "version": 3,
        }  # fmt: skip

    return torch.as_tensor(Block(), device=device).view(like.dtype).view(like.shape)


@dataclass(frozen=True, kw_only=True)
class TorchBackend(StandInBackend):
    """Graphs on a GPU as with TensorRT, but no engines; ``device`` gives the GPU or a simulated one."""

    name: ClassVar[str] = "torch"
    streams: Streams = "auto"
    device: Callable[[], Device] = lambda: CudaDevice(0)
    dynamic: tuple[Size, Size, Size] | None = None

    def open(self, model: ModelFile, profile: Profile, check: Check | None = None) -> Sequence[Session]:
        built = profile
        limits = None if self.dynamic is None else (self.dynamic[0], self.dynamic[2])
        if self.dynamic is not None and limits is not None:
            built = replace(profile, width=self.dynamic[1][0], height=self.dynamic[1][1])
            profile = served_size(model, profile, limits)
        graphs = engine_graphs(model, built, BuildOptions(dynamic=limits))
        shapes = input_shapes(model, profile) if limits else {}
        device = self.device()
        make = torch_executors(graphs, shapes, device)
        return open_slots(device, make, bindings(model.spec, profile), self.streams)


def torch_executors(
    graphs: Mapping[str, onnx.ModelProto], shapes: Mapping[str, tuple[int, ...]], device: Device
) -> Callable[[], Executors]:
    """Return what makes the executors of a slot, of what :func:`trt_build.engines.build.engine_graphs` gives."""
    place = torch.device("cpu") if isinstance(device, SimulatedDevice) else torch.device("cuda", device.index)
    loaded = {name: TorchGraph(graph, shapes, place) for name, graph in graphs.items()}

    def make() -> Executors:
        pool = None if place.type == "cpu" else torch.cuda.graph_pool_handle()
        state = TorchExecutor(loaded["state"], pool) if "state" in loaded else None
        return Executors(state, TorchExecutor(loaded["synthesis"], pool))

    return make
