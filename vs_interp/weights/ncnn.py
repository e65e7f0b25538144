"""Read the weights of an ncnn model: a text file ``.param`` with the layers, and a ``.bin`` with their weights.

Follows ncnn's "param and model file structure" page.  Only layers of the catalogue's networks are supported:
convolutions and inner products with weights in float32 or float16, PReLU, constants, and the factors of resizing
layers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vs_interp.errors import CheckpointError

MAGIC = "7767517"
FIRST_LIST = -23300
"""Keys from here down have lists of numbers as values, which are parameters of a layer and not weights."""

HALF = 0x01306B47
"""The tag before float16 weights; before float32 weights it is 0."""


WITHOUT_WEIGHTS = frozenset(
    ("Input", "Split", "BinaryOp", "PixelShuffle", "Swish", "Sigmoid", "Concat", "Pooling", "Crop", "Eltwise")
)
"""Layers without weights."""

FROM_LAYER = -233
"""The size of a Scale layer whose factors come from another layer."""


@dataclass(frozen=True)
class Layer:
    """One line of a ``.param`` file: ``type name inputs outputs blobs… key=value…``."""

    kind: str
    name: str
    values: dict[int, float]


def read_ncnn(param: Path) -> dict[str, NDArray[np.float32]]:
    """Return the tensors of an ncnn model, by the names of its layers.

    There are ``NAME.weight`` and ``NAME.bias`` of convolutions (with PyTorch's shapes), inner products and PReLU,
    ``NAME.data`` of constants, ``NAME.scale`` of resizing layers, and ``NAME.factor`` of multiplications by a number.
    The ``.bin`` is expected beside the ``.param``.  Raises :class:`CheckpointError` if one is missing or damaged, or
    has layers that are not supported.
    """
    binary = param.with_suffix(".bin")
    try:
        layers = list(_parse(param.read_text(encoding="ascii")))
        numbers = _Numbers(binary.read_bytes())
    except OSError as error:
        raise CheckpointError(
            f"cannot read {error.filename}: {error.strerror}; an ncnn model is a .param and a .bin"
        ) from error
    except (ValueError, IndexError) as error:
        raise CheckpointError(f"{param} is not an ncnn .param file, or a damaged one: download it again") from error
    tensors: dict[str, NDArray[np.float32]] = {}
    try:
        for layer in layers:
            tensors.update(_tensors(layer, numbers))
    except KeyError as error:
        raise CheckpointError(
            f"{param} lacks the value {error} of its layer {layer.name}: download it again"
        ) from error
    except (ValueError, OverflowError) as error:
        raise CheckpointError(f"{binary} does not fit {param.name} ({error}): download both again") from error
    if numbers.left:
        raise CheckpointError(f"{binary} has {numbers.left} bytes more than {param.name} needs: download both again")
    return tensors


def _parse(text: str) -> Iterator[Layer]:
    magic, counts, *lines = text.splitlines()
    if magic.strip() != MAGIC or int(counts.split()[0]) != len(lines):
        raise ValueError(magic)
    for line in lines:
        kind, name, inputs, outputs, *rest = line.split()
        pairs = (item.split("=") for item in rest[int(inputs) + int(outputs) :])
        yield Layer(kind, name, {int(key): float(value) for key, value in pairs if int(key) > FIRST_LIST})


class _Numbers:
    """Reads the ``.bin`` file from beginning to end."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._position = 0

    @property
    def left(self) -> int:
        return len(self._content) - self._position

    def floats(self, count: int) -> NDArray[np.float32]:
        return np.frombuffer(self._take(4 * count), "<f4").astype(np.float32)

    def tagged(self, count: int) -> NDArray[np.float32]:
        """Return weights after a tag for their format; float16 weights are padded to a multiple of four bytes."""
        tag = int.from_bytes(self._take(4), "little")
        if tag == HALF:
            return np.frombuffer(self._take((2 * count + 3) // 4 * 4), "<f2")[:count].astype(np.float32)
        if tag == 0:
            return self.floats(count)
        raise ValueError(f"its weights are in the unknown format {tag:#x}")

    def _take(self, size: int) -> bytes:
        if size > self.left:
            raise ValueError(f"it ends {size - self.left} bytes early")
        self._position += size
        return self._content[self._position - size : self._position]


def _tensors(layer: Layer, numbers: _Numbers) -> dict[str, NDArray[np.float32]]:
    """Read the weights of one layer; ncnn's documentation of operators lists the numbered parameters of each kind."""
    number = {key: int(value) for key, value in layer.values.items()}
    tensors: dict[str, NDArray[np.float32]] = {}
    if layer.kind in ("Convolution", "Deconvolution"):
        outputs, size, count = number[0], number[1], number[6]
        weight = numbers.tagged(count).reshape(outputs, -1, number.get(11, size), size)
        if layer.kind == "Deconvolution":
            weight = weight.swapaxes(0, 1)
        tensors["weight"] = weight
        if number.get(5):
            tensors["bias"] = numbers.floats(outputs)
    elif layer.kind == "InnerProduct":
        tensors["weight"] = numbers.tagged(number[2]).reshape(number[0], -1)
        if number.get(1):
            tensors["bias"] = numbers.floats(number[0])
    elif layer.kind == "PReLU":
        tensors["weight"] = numbers.floats(number[0])
    elif layer.kind == "MemoryData":
        tensors["data"] = numbers.floats(math.prod(max(number.get(key, 1), 1) for key in range(3)))
    elif layer.kind == "Interp":
        tensors["scale"] = np.array(layer.values[1], np.float32)
    elif layer.kind == "BinaryOp" and number.get(0) == 2 and number.get(1):
        tensors["factor"] = np.array(layer.values[2], np.float32)
    elif layer.kind not in WITHOUT_WEIGHTS and not (layer.kind == "Scale" and number.get(0) == FROM_LAYER):
        raise ValueError(f"its layer {layer.name} is of the unknown kind {layer.kind}")
    return {f"{layer.name}.{key}": value for key, value in tensors.items()}
