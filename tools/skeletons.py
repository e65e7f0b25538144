"""Make skeletons: model files without their weights, which :mod:`vs_interp.weights.skeletons` fills without PyTorch.

    python -m tools.skeletons             # all of the catalogue's, in the layouts that they have now
    python -m tools.skeletons NAME FILE   # one, in the layout of a published checkpoint

The network is built of random tensors in the layout of a published checkpoint and exported.  Whatever of the graph's
initialisers equals one of those tensors, or a slice of one, is replaced by a reference to it.
"""

from __future__ import annotations

import dataclasses
import hashlib
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
    write_skeleton,
)

Layout = Mapping[str, NDArray[Any]]
"""The tensors of a published checkpoint; of some the values count as well, since they say what is built."""

LARGEST = 1 << 16
"""Bytes of constants that a skeleton may hold."""


def make_skeleton(entry: Weights, layout: Layout) -> onnx.ModelProto:
    """Return the skeleton of an entry of the catalogue whose published checkpoint has the layout.

    A referenced initialiser has no data, and its ``external_data`` says the tensor (``location``), that tensor's
    ``shape``, and the ``axis``, ``start`` and ``stop`` of a slice.  Raises :class:`ExportError` where there are weights
    in the graph that no tensor accounts for.
    """
    kind = network_class(entry.network)
    tensors = {name: _random(name, tensor) for name, tensor in layout.items()}
    found = kind.from_published({name: torch.from_numpy(tensor) for name, tensor in tensors.items()})
    if found is None:
        raise ExportError(f"{kind.__name__} does not know a checkpoint with the tensors {', '.join(list(layout)[:3])}")
    config, state = found
    network = kind(dataclasses.replace(config, **entry.settings)).eval()
    network.load_state_dict(state)
    graph = to_model(network)
    whole = {tensor.tobytes(): (name,) for name, tensor in tensors.items() if not _is_structure(name, tensor)}
    used = {name for name, tensor in tensors.items() if _is_structure(name, tensor)}
    kept = 0
    for initialiser in graph.graph.initializer:
        content = numpy_helper.to_array(initialiser)
        reference = whole.get(content.tobytes()) or next(_slices(content, tensors), None)
        if reference is None:
            kept += content.nbytes
        else:
            _refer(initialiser, reference, tensors[reference[0]].shape)
            used.add(reference[0])
    if kept > LARGEST:
        raise ExportError(f"{kept} bytes of the weights of {kind.__name__} come from no tensor of its checkpoint")
    said = {
        name: {"is": t.tolist()} if _is_structure(name, t) else t.shape for name, t in tensors.items() if name in used
    }
    graph.metadata_props.add(key=LAYOUT_KEY, value=json.dumps(said))
    return graph


def _is_structure(name: str, tensor: NDArray[Any]) -> bool:
    """Return whether a tensor says what is built: a number, or a constant of an ncnn file."""
    return tensor.ndim == 0 or name.endswith(".data")


def _random(name: str, tensor: NDArray[Any]) -> NDArray[np.float32]:
    """Return values for a tensor that depend on its name alone and that no other tensor has."""
    if _is_structure(name, tensor):
        return tensor.astype(np.float32)
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
    return (np.random.default_rng(seed).standard_normal(tensor.shape) * 0.05).astype(np.float32)


def _slices(content: NDArray[Any], tensors: Layout) -> Iterator[tuple[str, int, int, int]]:
    """Yield name, axis, start and stop of the slices of tensors that an initialiser equals."""
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
                yield name, axis, start, stop


def _refer(initialiser: TensorProto, reference: tuple[Any, ...], shape: tuple[int, ...]) -> None:
    """Replace an initialiser's data by a reference to a tensor of the given shape, or a slice of it."""
    initialiser.ClearField("raw_data")
    initialiser.ClearField("float_data")
    initialiser.data_location = TensorProto.EXTERNAL
    name, *part = reference
    said = {"location": name, "shape": ",".join(map(str, shape))}
    said |= {key: str(value) for key, value in zip(("axis", "start", "stop"), part, strict=False)}
    for key, value in said.items():
        initialiser.external_data.add(key=key, value=value)


def current_layout(entry: Weights) -> dict[str, NDArray[Any]]:
    """Return the layout that an entry's skeleton has now."""
    said = layout_of(read_skeleton(entry.name))
    return {name: np.empty(s, np.float32) if isinstance(s, tuple) else s for name, s in said.items()}


def main() -> None:
    """Make all skeletons again, or one of a checkpoint."""
    if len(sys.argv) == 3:
        entry, path = find(sys.argv[1]), Path(sys.argv[2])
        skeleton = make_skeleton(entry, read_tensors(path))
        write_skeleton(entry.name, skeleton)
        print(f'{entry.name}: weights = "{weights_digest(filled(skeleton, path))}"')
        return
    for entry in catalogue().values():
        if skeleton_file(entry.name).is_file():
            write_skeleton(entry.name, make_skeleton(entry, current_layout(entry)))
            print(entry.name)


if __name__ == "__main__":
    main()
