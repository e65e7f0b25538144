"""Make skeletons: model files without their weights, which :mod:`vs_interp.weights.skeletons` fills without PyTorch.

    python -m tools.skeletons             # all in the catalogue, in their current layouts
    python -m tools.skeletons NAME FILE   # one, in the layout of a published checkpoint

The network is built from random tensors in the layout of a published checkpoint, and exported.  Every initialiser of
the graph that equals one of these tensors, or a slice of one, is replaced by a reference to it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from trt_build.pytorch.export import to_model
from vs_interp.errors import ExportError
from vs_interp.registry import network_class
from vs_interp.weights.catalogue import Weights, catalogue, find
from vs_interp.weights.skeletons import (
    LAYOUT_KEY,
    filled,
    layout_of,
    read_skeleton,
    read_tensors,
    skeleton_file,
    weights_digest,
    with_norm,
    write_skeleton,
)

Layout = Mapping[str, NDArray[Any]]
"""Name → tensor of a published checkpoint.  Only shapes matter, except for those of :func:`_is_structure`."""

NORM = "weight", "bias", "running_mean", "running_var"

LARGEST = 1 << 16
"""Limit in bytes on the constants that remain in a skeleton."""


def make_skeleton(entry: Weights, layout: Layout) -> onnx.ModelProto:
    """Return the skeleton of an entry of the catalogue, for published checkpoints of the given layout.

    A referenced initialiser has no data.  Its ``external_data`` names the tensor (``location``), that tensor's
    ``shape``, the ``axis``, ``start`` and ``stop`` of a slice, and the batch ``norm`` folded into it.  Raises
    :class:`ExportError` if weights in the graph come from no tensor of the checkpoint.
    """
    kind = network_class(entry.network)
    tensors = {name: _random(name, each) for name, each in layout.items() if not name.endswith("num_batches_tracked")}
    found = kind.from_published({name: torch.from_numpy(tensor) for name, tensor in tensors.items()})
    if found is None:
        raise ExportError(f"{kind.__name__} does not know a checkpoint with the tensors {', '.join(list(layout)[:3])}")
    config, state = found
    network = kind(dataclasses.replace(config, **entry.settings)).eval()
    network.load_state_dict(state)
    graph = to_model(network)
    whole = {tensor.tobytes(): name for name, tensor in tensors.items() if not _is_structure(name, tensor)}
    used = {name for name, tensor in tensors.items() if _is_structure(name, tensor)}
    kept = 0
    for initialiser in graph.graph.initializer:
        content = numpy_helper.to_array(initialiser)
        if content.tobytes() in whole:
            reference = {"location": whole[content.tobytes()]}
        else:
            reference = next(itertools.chain(_slices(content, tensors), _normed(content, tensors)), {})
        if not reference:
            kept += content.nbytes
            continue
        _refer(initialiser, reference, tensors[reference["location"]].shape)
        used.add(reference["location"])
        if "norm" in reference:
            used.update(f"{reference['norm']}.{name}" for name in NORM)
    if kept > LARGEST:
        raise ExportError(f"{kept} bytes of the weights of {kind.__name__} come from no tensor of its checkpoint")
    said = {
        name: {"is": t.tolist()} if _is_structure(name, t) else t.shape for name, t in tensors.items() if name in used
    }
    graph.metadata_props.add(key=LAYOUT_KEY, value=json.dumps(said))
    return graph


def _is_structure(name: str, tensor: NDArray[Any]) -> bool:
    """Return whether a tensor's values determine the network: single numbers, and constants of ncnn files."""
    return tensor.ndim == 0 or name.endswith(".data")


def _random(name: str, tensor: NDArray[Any]) -> NDArray[np.float32]:
    """Return random values for a tensor, seeded by its name, so that no other tensor has the same."""
    if _is_structure(name, tensor):
        return tensor.astype(np.float32)
    if name.endswith(".running_var"):
        return np.abs(_random(f"{name}'s root", tensor)) + np.float32(0.5)
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
    return (np.random.default_rng(seed).standard_normal(tensor.shape) * 0.05).astype(np.float32)


def _normed(content: NDArray[Any], tensors: Layout) -> Iterator[dict[str, str]]:
    """Yield references to tensors that an initialiser equals after a batch norm was folded into them."""
    if content.dtype != np.float32:
        return
    norms = [name.removesuffix(".running_var") for name in tensors if name.endswith(".running_var")]
    for name, tensor in tensors.items():
        for norm in norms if tensor.shape == content.shape else ():
            if len(tensors[f"{norm}.weight"]) == len(content) and np.allclose(
                with_norm(tensor, norm, tensors), content, 1e-4
            ):
                yield {"location": name, "norm": norm}


def _slices(content: NDArray[Any], tensors: Layout) -> Iterator[dict[str, str]]:
    """Yield references to slices of tensors that an initialiser equals."""
    if content.dtype != np.float32 or content.size < 2:
        return
    for name, tensor in tensors.items():
        if tensor.ndim != content.ndim:
            continue
        longer = [axis for axis in range(tensor.ndim) if tensor.shape[axis] > content.shape[axis]]
        if len(longer) != 1 or np.delete(tensor.shape, longer).tolist() != np.delete(content.shape, longer).tolist():
            continue
        (axis,) = longer
        for start in range(tensor.shape[axis] - content.shape[axis] + 1):
            stop = start + content.shape[axis]
            if np.array_equal(tensor.take(range(start, stop), axis), content):
                yield {"location": name, "axis": str(axis), "start": str(start), "stop": str(stop)}


def _refer(initialiser: TensorProto, reference: Mapping[str, str], shape: tuple[int, ...]) -> None:
    """Replace an initialiser's data by a reference to a tensor of the given shape, or a part of it."""
    initialiser.ClearField("raw_data")
    initialiser.ClearField("float_data")
    initialiser.data_location = TensorProto.EXTERNAL
    location, *part = reference.items()
    for key, value in (location, ("shape", ",".join(map(str, shape))), *part):
        initialiser.external_data.add(key=key, value=value)


def current_layout(entry: Weights) -> dict[str, NDArray[Any]]:
    """Return the layout of an entry's existing skeleton."""
    said = layout_of(read_skeleton(entry.skeleton))
    return {name: np.empty(s, np.float32) if isinstance(s, tuple) else s for name, s in said.items()}


def main() -> None:
    """Make all skeletons again, or one from a checkpoint."""
    if len(sys.argv) == 3:
        entry, path = find(sys.argv[1]), Path(sys.argv[2])
        skeleton = make_skeleton(entry, read_tensors(path))
        write_skeleton(entry.skeleton, skeleton)
        print(f'{entry.name}: weights = "{weights_digest(filled(skeleton, path))}"')
        return
    for entry in {entry.skeleton: entry for entry in catalogue().values()}.values():
        if skeleton_file(entry.skeleton).is_file():
            write_skeleton(entry.skeleton, make_skeleton(entry, current_layout(entry)))
            print(entry.skeleton)


if __name__ == "__main__":
    main()
