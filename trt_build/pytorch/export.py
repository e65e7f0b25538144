"""Export a PyTorch network to a model file, and check that the graph computes the same as the network."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import warnings
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnxscript.rewriter.rules.common import slice_split_rule
from torch import Tensor, nn

from trt_build.backends.openvino import OpenVINO
from trt_build.model_file import WEIGHTS_KEY, ModelFile, to_bytes, with_spec, write
from trt_build.profile import Profile
from vs_interp.errors import ArgumentError, ExportError
from vs_interp.label_code import CLASSES
from vs_interp.networks.base import Network
from vs_interp.registry import NETWORKS, network_class
from vs_interp.spec import NetworkSpec

from .weight_names import name_weight_slices, renamed_weights

OPSET = 18
"""TensorRT 10.13 computes GridSample wrongly from opset 20 on, and correctly with opset 18."""

TOLERANCE = 1e-3
"""Largest difference allowed between graph and network, of a range of 1; float32 sums are in another order."""

SMALLEST = 21
"""Graphs are traced and checked at small multiples of this size.

It is a multiple of no attention window, so that the padding which a network does by itself becomes part of the graph.
"""

TIMES = (0.125, 0.5, 0.8)
"""Times at which graphs of networks that take a time are checked."""


def export(network: Network, path: Path, *, overwrite: bool = False) -> ModelFile:
    """Write ``network`` to ``path`` as a model file, checked against PyTorch, and return it.

    Raises :class:`ArgumentError` if the file exists, and :class:`ExportError` if the network cannot be exported with
    free height and width, or if the graph differs from it in names, shapes or values.
    """
    if path.exists() and not overwrite:
        raise ArgumentError(f"{path} exists: remove it, name another file, or allow overwriting it")
    graph = to_model(network)
    model = ModelFile.from_bytes(to_bytes(graph))
    validate(network, model)
    write(graph, path)
    return model


def to_model(network: Network) -> onnx.ModelProto:
    """Return the network's graph with the metadata of a model file."""
    return with_spec(_with_config(to_graph(network), network), network.spec)


def _with_config(graph: onnx.ModelProto, network: Network) -> onnx.ModelProto:
    """Add the network's name and configuration, and the names of its weights, so that these can be trained further."""
    name = next((name for name in NETWORKS if network_class(name) is type(network)), None)
    if name is not None:
        about = {"network": name, "config": json.dumps(asdict(network.config))}
        entries = (onnx.StringStringEntryProto(key=key, value=value) for key, value in about.items())
        graph.metadata_props.extend(entries)
    name_weight_slices(graph, network)
    if elsewhere := renamed_weights(graph, network):
        graph.metadata_props.add(key=WEIGHTS_KEY, value=json.dumps(elsewhere))
    return graph


class _WithInner(nn.Module):
    """The network with its state, or its earlier updates, as additional outputs, which gives these tensors names."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        if self.network.spec.updates:
            *earlier, last = self.network.steps(*inputs)
            return last, *earlier
        frames, time = (inputs[:-1], inputs[-1]) if self.network.spec.takes_time else (inputs, None)
        state = self.network.state(*frames)
        return self.network.made(frames, state, time), *state


def to_graph(network: Network) -> onnx.ModelProto:
    """Return the network as a graph with free height and width, whose nodes are named after their modules.

    Raises :class:`ExportError` if the exporter fails.
    """
    spec = network.spec
    size = spec.fixed or (2 * spec.padded(SMALLEST), 3 * spec.padded(SMALLEST))
    step = spec.multiple_of
    free = {2: step * torch.export.Dim("rows"), 3: step * torch.export.Dim("columns")}
    dimensions = {} if spec.fixed else free
    inner = (*spec.state, *(f"output_{number}" for number in range(1, spec.updates)))
    with _quiet(), _without_slow_rule():
        try:
            program = torch.onnx.export(
                _WithInner(network.eval()),
                tuple(_inputs(network, size, 0.5)),
                input_names=spec.inputs,
                output_names=("output", *inner),
                dynamic_shapes=((*({} if name == "time" else dimensions for name in spec.inputs),),),
                opset_version=OPSET,
                dynamo=True,
            )
        except torch.onnx.OnnxExporterError as error:
            reason = str(error.__cause__ or error).strip().splitlines()[0]
            raise ExportError(f"{spec.name} cannot be exported with free height and width ({reason})") from error
    assert program is not None
    graph = program.model_proto
    graph.graph.ClearField("metadata_props")  # about the exporter, in an order that varies from process to process
    _drop_empty_writes(graph)
    _name_nodes(graph)
    _name_dimensions(graph)
    kept = [value for value in graph.graph.output if value.name not in inner]
    graph.graph.value_info.extend(value for value in graph.graph.output if value.name in inner)
    del graph.graph.output[:]
    graph.graph.output.extend(kept)
    return graph


def validate(network: Network, model: ModelFile) -> None:
    """Compare graph and network at three sizes and three times.  Raises :class:`ExportError` if they differ."""
    spec = network.spec
    if model.spec != spec:
        raise ExportError(f"names differ: the file's spec is {model.spec}, the network's {spec}")
    step = spec.padded(SMALLEST)
    for size in [spec.fixed] if spec.fixed else [(2 * step, 3 * step), (3 * step, 2 * step), (4 * step, 4 * step)]:
        session = OpenVINO(streams=1).open(model, Profile(width=size[1], height=size[0]))[0]
        for time in TIMES if spec.takes_time else (0.5,):
            inputs = _inputs(network, size, time)
            with torch.no_grad():
                wanted = network(*inputs).numpy()
            frames = inputs[: len(spec.frame_inputs)]
            shape = (spec.pictures, spec.output.channels, *spec.made_size(*size))
            if wanted.shape != shape:
                raise ExportError(f"shapes differ: the network gives {wanted.shape}, its spec says {shape}")
            made = np.empty(shape, np.float32)
            session.run([list(frame[0].numpy()) for frame in frames], range(len(frames)), [time], list(made))
            difference = _difference(spec, made, wanted)
            if not difference <= TOLERANCE:
                raise ExportError(f"values differ by {difference:.2g} at {size[1]}x{size[0]}, time {time}: report this")


def _difference(spec: NetworkSpec, made: NDArray[np.float32], wanted: NDArray[np.float32]) -> float:
    """Return the largest difference; for flow relative to the longest vector; for labels the share that differs."""
    if spec.output.kind == "labels":
        return float((np.abs(made - wanted) > 0.5 / 255).mean())
    return float(np.abs(made - wanted).max() / (max(1, np.abs(wanted).max()) if spec.output.kind == "flow" else 1))


def _inputs(network: Network, size: tuple[int, int], time: float) -> list[Tensor]:
    """Return smooth random frames and, if the network takes one, the time.

    The frames differ, as the exporter would alias equal tensors; they are smooth, as networks are ill-conditioned on
    white noise.  Networks for optical flow get frames with a motion, without which their result is arbitrary.
    """
    random = np.random.default_rng(size[0] * 10_007 + size[1])
    window = network.spec.window
    frames: list[Tensor] = []
    for number in range(len(window.offsets)):
        if network.spec.output.kind == "flow":
            frame = _moved(size, 1.5 * number)
        else:
            coarse = torch.from_numpy(random.random((1, window.channels, 8, 8), np.float32))
            frame = nn.functional.interpolate(coarse, size=size, mode="bicubic").clamp(0, 1)
        frames.append((frame * (CLASSES - 1)).round() / 255 if window.labels else frame)
    return [*frames, torch.full((1, 1, 1, 1), time)] if network.spec.takes_time else frames


def _moved(size: tuple[int, int], shift: float) -> Tensor:
    """Return waves of many lengths, moved right by ``shift`` pixels: 1×3×height×width."""
    y, x = torch.meshgrid(torch.arange(size[0]) / 1.0, torch.arange(size[1]) - shift, indexing="ij")
    waves = [(x / a + y / b).sin() * (x / b - y / a).cos() for a, b in ((3, 11), (5, 7), (13, 4))]
    return torch.stack([0.5 + 0.3 * wave + 0.2 * (x * y / 400).sin() for wave in waves])[None].clamp(0, 1)


def _drop_empty_writes(graph: onnx.ModelProto) -> None:
    """Replace the ScatterND nodes that write nothing by Identity: OpenVINO rejects constants without elements."""
    empty = {tensor.name for tensor in graph.graph.initializer if 0 in tensor.dims}
    for node in graph.graph.node:
        if node.op_type == "ScatterND" and node.input[2] in empty:
            node.op_type = "Identity"
            del node.input[1:], node.attribute[:]


def _name_nodes(graph: onnx.ModelProto) -> None:
    """Name every node after the module it comes from (``/synthesis_network/conv1/Conv_12``)."""
    for number, node in enumerate(graph.graph.node):
        scopes = next((p.value for p in node.metadata_props if p.key == "pkg.torch.onnx.name_scopes"), "[]")
        parts = [part for part in scopes.strip("[]").replace("'", "").split(", ") if part]
        module = parts[-2].removeprefix("network.").replace(".", "/") if len(parts) > 1 else ""
        node.name = f"/{module}/{node.op_type}_{number}" if module else f"/{node.op_type}_{number}"
        del node.metadata_props[:]
        node.doc_string = ""


def _name_dimensions(graph: onnx.ModelProto) -> None:
    """Name the free dimensions of the frames ``height`` and ``width``."""
    for value in graph.graph.input:
        dimensions = value.type.tensor_type.shape.dim
        for index, name in ((2, "height"), (3, "width")):
            if dimensions[index].dim_param:
                dimensions[index].dim_param = name


@contextlib.contextmanager
def _without_slow_rule() -> Iterator[None]:
    """Keep onnxscript from looking, at every slice, through the whole graph for another that would make it a split.

    That takes time by the square of the number of nodes: most of RAFT's export.  No network here has such slices.
    """
    slice_split_rule.try_rewrite = lambda *_, **__: None
    try:
        yield
    finally:
        del slice_split_rule.try_rewrite


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Suppress the exporter's progress and internal messages; its exception says what matters."""
    previous = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    ignored = io.StringIO()
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(ignored), contextlib.redirect_stderr(ignored):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(previous)
