"""Write a PyTorch network as a model file, and check that the graph equals the network."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import re
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
from trt_build.model_file import PREFIX, WEIGHTS_KEY, ModelFile, part_name, to_bytes, with_spec, write
from trt_build.profile import Profile
from vs_interp.errors import ArgumentError, ExportError
from vs_interp.label_code import CLASSES
from vs_interp.networks.base import Network
from vs_interp.registry import NETWORKS, network_class
from vs_interp.spec import NetworkSpec

OPSET = 18
"""TensorRT 10.13 has a wrong GridSample from opset 20 on and a right one from opset 18."""

TOLERANCE = 1e-3
"""Largest difference (of a range of 1) between graph and network; float32 convolutions in another order."""

SMALLEST = 21
"""Graphs are made and checked at small multiples of this size: on noise of every pixel networks are ill-conditioned.

A size that no window divides, so that what a network pads by itself gets into the graph.
"""

TIMES = (0.125, 0.5, 0.8)


def export(network: Network, path: Path, *, overwrite: bool = False) -> ModelFile:
    """Write ``network`` to ``path`` as a model file, checked against PyTorch, and return it.

    Raises :class:`ArgumentError` where the file exists, :class:`ExportError` where the network cannot be written as a
    graph of free height and width, or where names, shapes or values differ.
    """
    if path.exists() and not overwrite:
        raise ArgumentError(f"{path} exists: remove it, name another file, or allow it to be replaced")
    graph = to_model(network)
    model = ModelFile.from_bytes(to_bytes(graph))
    validate(network, model)
    write(graph, path)
    return model


def to_model(network: Network) -> onnx.ModelProto:
    """Return the network's graph with all that a model file carries beside it."""
    return with_spec(_with_config(to_graph(network), network), network.spec)


def _with_config(graph: onnx.ModelProto, network: Network) -> onnx.ModelProto:
    """Note which network the graph is of, so that its weights can be trained on (:mod:`vs_interp.weights`)."""
    name = next((name for name in NETWORKS if network_class(name) is type(network)), None)
    if name is not None:
        about = {"network": name, "config": json.dumps(asdict(network.config))}
        entries = (onnx.StringStringEntryProto(key=key, value=value) for key, value in about.items())
        graph.metadata_props.extend(entries)
    name_parts(graph, network)
    if elsewhere := weights_elsewhere(graph, network):
        graph.metadata_props.add(key=WEIGHTS_KEY, value=json.dumps(elsewhere))
    return graph


def weights_elsewhere(graph: onnx.ModelProto, network: Network) -> dict[str, str]:
    """Return, for parameters whose names are gone, which constant has their values.

    The exporter gives some another shape (the slopes of PReLU, scales of norms), and keeps one of several equal ones.
    """
    constants = {value.name: onnx.numpy_helper.to_array(value).ravel() for value in graph.graph.initializer}
    known = {re.sub(r"\[:, .*", "", name) for name in constants}
    found = {}
    for parameter, tensor in network.named_parameters():
        if PREFIX + parameter not in known:
            weight = tensor.detach().numpy().ravel()
            alike = (name for name, values in constants.items() if np.array_equal(values, weight))
            found[parameter] = next(alike, "")
    return {parameter: name for parameter, name in found.items() if name}


def name_parts(graph: onnx.ModelProto, network: Network) -> None:
    """Name the constants that the exporter made of slices of a weight, whose own name is then gone."""
    kept, names = {value.name for value in graph.graph.initializer}, {}
    for parameter, tensor in network.named_parameters():
        weight, first = tensor.detach().numpy(), 0
        for value in graph.graph.initializer if PREFIX + parameter not in kept else ():
            part = onnx.numpy_helper.to_array(value)
            end = first + (part.shape[1] if 1 < part.ndim == weight.ndim else 0)
            if end > first and np.array_equal(part, weight[:, first:end]):
                names[value.name] = part_name(parameter, first, end)
                value.name, first = names[value.name], end
    for node in graph.graph.node:
        for index, name in enumerate(node.input):
            node.input[index] = names.get(name, name)


class _WithInner(nn.Module):
    """The network with its state, or its earlier updates, as further outputs, so that those get names of their own."""

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
    """Return the network as a graph with dynamic height and width, nodes named after the modules they come from."""
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
            raise ExportError(f"{spec.name} cannot be written with free height and width ({reason})") from error
    assert program is not None
    graph = program.model_proto
    _drop_empty_writes(graph)
    _name_nodes(graph)
    _name_dimensions(graph)
    kept = [value for value in graph.graph.output if value.name not in inner]
    graph.graph.value_info.extend(value for value in graph.graph.output if value.name in inner)
    del graph.graph.output[:]
    graph.graph.output.extend(kept)
    return graph


def validate(network: Network, model: ModelFile) -> None:
    """Compare graph and network on three sizes and three times.  Raises :class:`ExportError`."""
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
    """Return the largest difference; of labels the share that differs, of flow in parts of the longest."""
    if spec.output.kind == "labels":
        return float((np.abs(made - wanted) > 0.5 / 255).mean())
    return float(np.abs(made - wanted).max() / (max(1, np.abs(wanted).max()) if spec.output.kind == "flow" else 1))


def _inputs(network: Network, size: tuple[int, int], time: float) -> list[Tensor]:
    """Return smooth random frames (distinct tensors: the exporter would alias equal ones) and the time.

    Networks that look for motion find some: a flow between pictures that have nothing in common is chance.
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
    """Return waves of many lengths, moved to the right by a number of pixels."""
    y, x = torch.meshgrid(torch.arange(size[0]) / 1.0, torch.arange(size[1]) - shift, indexing="ij")
    waves = [(x / a + y / b).sin() * (x / b - y / a).cos() for a, b in ((3, 11), (5, 7), (13, 4))]
    return torch.stack([0.5 + 0.3 * wave + 0.2 * (x * y / 400).sin() for wave in waves])[None].clamp(0, 1)


def _drop_empty_writes(graph: onnx.ModelProto) -> None:
    """Pass tensors on where no elements are written into them: OpenVINO refuses constants without elements."""
    empty = {tensor.name for tensor in graph.graph.initializer if 0 in tensor.dims}
    for node in graph.graph.node:
        if node.op_type == "ScatterND" and node.input[2] in empty:
            node.op_type = "Identity"
            del node.input[1:], node.attribute[:]


def _name_nodes(graph: onnx.ModelProto) -> None:
    """Name every node by the modules it comes from (``/synthesis_network/conv1/Conv_12``)."""
    for number, node in enumerate(graph.graph.node):
        scopes = next((p.value for p in node.metadata_props if p.key == "pkg.torch.onnx.name_scopes"), "[]")
        parts = [part for part in scopes.strip("[]").replace("'", "").split(", ") if part]
        module = parts[-2].removeprefix("network.").replace(".", "/") if len(parts) > 1 else ""
        node.name = f"/{module}/{node.op_type}_{number}" if module else f"/{node.op_type}_{number}"
        del node.metadata_props[:]
        node.doc_string = ""


def _name_dimensions(graph: onnx.ModelProto) -> None:
    """Call the dynamic dimensions of the frames height and width."""
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
    """Keep the exporter's progress and its messages about its own inner workings to itself: its error says it all."""
    previous = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    said = io.StringIO()
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(previous)
