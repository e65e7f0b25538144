"""Skeletons: graphs of published networks without weights, to be filled from a checkpoint.

A skeleton is a compressed ONNX file whose initialisers refer to tensors of the published checkpoint, so that a model
file can be made without PyTorch.  ``tools/skeletons.py`` makes the skeletons.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from trt_build.model_file import SPEC_KEY
from vs_interp.errors import CheckpointError

from .published_files import read_published

NORM_EPSILON = 1e-5
"""What batch norms add to the variance."""

LAYOUT_KEY = "vs-interp-layout"
"""The metadata entry with the shapes of the checkpoint's tensors, or the values that they must have."""

WRAPPERS = "state_dict.", "params_ema.", "params.", "module.", "model."
"""Prefixes under which training programs store the weights."""

FOLDER = Path(__file__).parents[1] / "models" / "skeletons"


def skeleton_file(name: str) -> Path:
    """Return the path of a skeleton, which may not exist."""
    return FOLDER / f"{name}.onnx.gz"


def read_skeleton(name: str) -> onnx.ModelProto:
    """Return the skeleton of that name."""
    return onnx.load_model_from_string(gzip.decompress(skeleton_file(name).read_bytes()))


def write_skeleton(name: str, graph: onnx.ModelProto) -> None:
    """Write a skeleton; the same graph gives the same bytes."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    skeleton_file(name).write_bytes(gzip.compress(graph.SerializeToString(deterministic=True), mtime=0))


def read_tensors(path: Path) -> dict[str, NDArray[Any]]:
    """Return the tensors of a published checkpoint, without the prefixes of training programs in their names.

    Averaged weights take precedence over others of the same name.  Raises :class:`CheckpointError`.
    """
    tensors = read_published(path)
    averaged_last = sorted(tensors, key=lambda name: name.startswith("params_ema."))
    return {_bare(name): tensors[name] for name in averaged_last}


def filled(skeleton: onnx.ModelProto, path: Path) -> onnx.ModelProto:
    """Return a skeleton filled with the weights of a checkpoint.

    Raises :class:`CheckpointError` naming the first three tensors that are missing or do not fit.
    """
    tensors = read_tensors(path)
    graph = onnx.ModelProto()
    graph.CopyFrom(skeleton)
    problems = dict.fromkeys(_problems(graph, tensors))
    if problems:
        more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        network = _metadata(graph, SPEC_KEY)["name"]
        raise CheckpointError(
            f"{path} does not fit {network}: {'; '.join(list(problems)[:3])}{more}: give another file"
        )
    for initialiser in _references(graph):
        reference = {entry.key: entry.value for entry in initialiser.external_data}
        values = tensors[reference["location"]]
        if "axis" in reference:
            part = range(int(reference["start"]), int(reference["stop"]))
            values = values.take(part, int(reference["axis"]))
        if "norm" in reference:
            values = with_norm(values, reference["norm"], tensors)
        initialiser.ClearField("external_data")
        initialiser.ClearField("data_location")
        initialiser.raw_data = np.ascontiguousarray(values, "<f4").tobytes()
    kept = [entry for entry in graph.metadata_props if entry.key != LAYOUT_KEY]
    del graph.metadata_props[:]
    graph.metadata_props.extend(kept)
    return graph


def with_norm(values: NDArray[Any], norm: str, tensors: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
    """Fold the batch norm after a convolution into the convolution's weights or biases, as exporters do."""
    weight, bias, mean, variance = (
        tensors[f"{norm}.{name}"].astype(np.float64) for name in ("weight", "bias", "running_mean", "running_var")
    )
    scale = weight / np.sqrt(variance + NORM_EPSILON)
    if values.ndim == 1:
        return (values - mean) * scale + bias
    return values * scale.reshape(-1, *[1] * (values.ndim - 1))


def weights_digest(graph: onnx.ModelProto) -> str:
    """Return the SHA-256 of a graph's weights, which does not depend on the rest of the file."""
    digest = hashlib.sha256()
    for initialiser in sorted(graph.graph.initializer, key=lambda each: each.name):
        digest.update(f"{initialiser.name} {list(initialiser.dims)} ".encode())
        digest.update(initialiser.raw_data)
    return digest.hexdigest()


def layout_of(skeleton: onnx.ModelProto) -> dict[str, tuple[int, ...] | NDArray[np.float32]]:
    """Return the tensors of a skeleton's checkpoint by name: their shapes, or the values that they must have."""
    layout = _metadata(skeleton, LAYOUT_KEY)
    return {
        name: tuple(wanted) if isinstance(wanted, list) else np.array(wanted["is"], np.float32)
        for name, wanted in layout.items()
    }


def _metadata(graph: onnx.ModelProto, key: str) -> dict[str, Any]:
    """Return the JSON of a metadata entry."""
    found: dict[str, Any] = json.loads(next(entry.value for entry in graph.metadata_props if entry.key == key))
    return found


def _bare(name: str) -> str:
    """Return a tensor's name without the prefixes of training programs."""
    while name.startswith(WRAPPERS):
        name = name.partition(".")[2]
    return name


def _problems(graph: onnx.ModelProto, tensors: Mapping[str, NDArray[Any]]) -> Iterator[str]:
    for name, shape in layout_of(graph).items():
        if name not in tensors:
            yield f"{name} is missing"
        elif not isinstance(shape, tuple):
            if not np.array_equal(tensors[name], shape):
                yield f"{name} is {tensors[name].tolist()} where {shape.tolist()} is needed"
        elif tensors[name].shape != shape:
            found, wanted = ("×".join(map(str, each)) or "a scalar" for each in (tensors[name].shape, shape))
            yield f"{name} is {found} where {wanted} is needed"
        elif not np.isfinite(tensors[name]).all():
            yield f"{name} has NaN or infinite weights"


def _references(graph: onnx.ModelProto) -> Iterator[TensorProto]:
    """Yield the initialisers that refer to tensors of the checkpoint."""
    return (each for each in graph.graph.initializer if each.data_location == TensorProto.EXTERNAL)
