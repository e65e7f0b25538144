"""The ONNX operators of an engine's graphs in PyTorch; each follows its page at onnx.ai/onnx/operators (opset 18 up).

An operator takes the node's attributes, then its inputs; those that say how (shapes, axes, pads, limits) as tensors of
the host, which :data:`HOST` names by their place.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from onnx import TensorProto
from torch import Tensor

Attributes = Mapping[str, Any]

TYPES = {
    TensorProto.FLOAT: torch.float32,
    TensorProto.FLOAT16: torch.float16,
    TensorProto.UINT8: torch.uint8,
    TensorProto.INT32: torch.int32,
    TensorProto.INT64: torch.int64,
    TensorProto.BOOL: torch.bool,
}

HOST: dict[str, frozenset[int]] = {}
"""Operator → the places of the inputs that it needs on the host."""

OPERATORS: dict[str, Callable[..., Tensor | Sequence[Tensor]]] = {
    "Abs": lambda attributes, x: x.abs(),
    "Add": lambda attributes, x, y: x + y,
    "Cast": lambda attributes, x: x.to(TYPES[attributes["to"]]),
    "Concat": lambda attributes, *parts: torch.cat(parts, attributes["axis"]),
    "Floor": lambda attributes, x: x.floor(),
    "Identity": lambda attributes, x: x,
    "LeakyRelu": lambda attributes, x: F.leaky_relu(x, attributes.get("alpha", 0.01)),
    "Mul": lambda attributes, x, y: x * y,
    "PRelu": lambda attributes, x, slope: torch.where(x >= 0, x, slope * x),
    "Relu": lambda attributes, x: x.relu(),
    "Round": lambda attributes, x: x.round(),
    "Shape": lambda attributes, x: torch.tensor(x.shape[attributes.get("start", 0) : attributes.get("end")]),
    "Sigmoid": lambda attributes, x: x.sigmoid(),
    "Sub": lambda attributes, x, y: x - y,
    "Transpose": lambda attributes, x: x.permute(attributes["perm"]),
}


def operator(name: str, *, host: Sequence[int] = ()) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function as the operator of that name."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        OPERATORS[name], HOST[name] = function, frozenset(host)
        return function

    return register


def numbers(values: Tensor) -> list[int]:
    return [int(value) for value in values.reshape(-1).tolist()]


@operator("Conv")
def conv(attributes: Attributes, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    axes = weight.dim() - 2
    pads = attributes.get("pads", [0] * 2 * axes)
    if pads[:axes] != pads[axes:]:
        x = F.pad(x, [pad for axis in reversed(range(axes)) for pad in (pads[axis], pads[axes + axis])])
        pads = [0] * 2 * axes
    work = {2: F.conv2d, 3: F.conv3d}[axes]
    strides, dilations = attributes.get("strides", [1] * axes), attributes.get("dilations", [1] * axes)
    return multiply(work, x, weight, bias, strides, pads[:axes], dilations, attributes.get("group", 1))


@operator("ConvTranspose")
def conv_transpose(attributes: Attributes, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    axes = weight.dim() - 2
    pads = attributes.get("pads", [0] * 2 * axes)
    assert pads[:axes] == pads[axes:], pads
    work = {2: F.conv_transpose2d, 3: F.conv_transpose3d}[axes]
    strides, added = attributes.get("strides", [1] * axes), attributes.get("output_padding", [0] * axes)
    return multiply(work, x, weight, bias, strides, pads[:axes], added, attributes.get("group", 1))


def multiply(work: Callable[..., Tensor], x: Tensor, weight: Tensor, bias: Tensor | None, *rest: Any) -> Tensor:
    """Return the convolution; PyTorch takes sixty times as long for one of halves on a CPU, and rounds more."""
    if x.device.type == "cpu" and x.dtype == torch.float16:
        return work(x.float(), weight.float(), None if bias is None else bias.float(), *rest).half()
    return work(x, weight, bias, *rest)


@operator("AveragePool")
def average_pool(attributes: Attributes, x: Tensor) -> Tensor:
    pads = attributes.get("pads", [0] * 4)
    assert not any(pads) and not attributes.get("ceil_mode"), attributes
    return F.avg_pool2d(x, attributes["kernel_shape"], attributes.get("strides", [1, 1]))


@operator("Resize", host=(1, 2, 3))
def resize(
    attributes: Attributes, x: Tensor, region: Tensor | None, scales: Tensor | None = None, sizes: Tensor | None = None
) -> Tensor:
    assert attributes.get("coordinate_transformation_mode", b"half_pixel") == b"half_pixel", attributes
    if sizes is not None:
        size = numbers(sizes)
    else:
        assert scales is not None
        size = [int(length * scale) for length, scale in zip(x.shape, scales.tolist(), strict=True)]
    assert size[:2] == list(x.shape[:2])
    if attributes["mode"] == b"linear":
        return F.interpolate(x, size[2:], mode={2: "bilinear", 3: "trilinear"}[x.dim() - 2], align_corners=False)
    assert attributes["mode"] == b"cubic" and not attributes.get("exclude_outside") and x.dim() == 4, attributes
    sharpness = attributes.get("cubic_coeff_a", -0.75)
    across, down = (cubic_weights(x.shape[axis], size[axis], sharpness, x.device, x.dtype) for axis in (3, 2))
    return down @ (x @ across.T)


@functools.cache
def cubic_weights(length: int, wanted: int, sharpness: float, device: torch.device, kind: torch.dtype) -> Tensor:
    """Return the matrix that resizes ``length`` samples to ``wanted`` by Keys' cubic; edges are repeated.

    It is made once: what goes from the host to a GPU cannot be recorded.
    """
    places = (torch.arange(wanted, dtype=torch.float64) + 0.5) * length / wanted - 0.5
    first = places.floor().to(torch.int64) - 1
    weights = torch.zeros(wanted, length, dtype=torch.float64)
    for tap in range(4):
        distance = (places - (first + tap)).abs()
        near = ((sharpness + 2) * distance - (sharpness + 3)) * distance**2 + 1
        far = sharpness * (((distance - 5) * distance + 8) * distance - 4)
        at = (first + tap).clamp(0, length - 1)
        weights[torch.arange(wanted), at] += torch.where(distance <= 1, near, far)
    return weights.to(device, kind)


@operator("GridSample")
def grid_sample(attributes: Attributes, x: Tensor, grid: Tensor) -> Tensor:
    mode = {b"linear": "bilinear", b"cubic": "bicubic"}.get(attributes["mode"], attributes["mode"].decode())
    beyond = attributes.get("padding_mode", b"zeros").decode()
    sampled = F.grid_sample(x.to(grid.dtype), grid, mode, beyond, bool(attributes.get("align_corners", 0)))
    return sampled.to(x.dtype)


@operator("Slice", host=(1, 2, 3, 4))
def slice_(  # noqa: PLR0917  the operator's own inputs
    attributes: Attributes,
    x: Tensor,
    starts: Tensor,
    ends: Tensor,
    axes: Tensor | None = None,
    steps: Tensor | None = None,
) -> Tensor:
    along = range(len(starts)) if axes is None else numbers(axes)
    by = [1] * len(starts) if steps is None else numbers(steps)
    part = [slice(None)] * x.dim()
    for start, end, axis, step in zip(numbers(starts), numbers(ends), along, by, strict=True):
        part[axis] = slice(start, end, step)
    return x[tuple(part)]


@operator("Pad", host=(1, 2, 3))
def pad(
    attributes: Attributes, x: Tensor, pads: Tensor, value: Tensor | None = None, axes: Tensor | None = None
) -> Tensor:
    widths, along = numbers(pads), range(x.dim()) if axes is None else numbers(axes)
    sides = [(0, 0)] * x.dim()
    for index, axis in enumerate(along):
        sides[axis] = widths[index], widths[len(widths) // 2 + index]
    mode = {b"constant": "constant", b"edge": "replicate", b"reflect": "reflect"}[attributes.get("mode", b"constant")]
    if mode == "constant":
        return F.pad(
            x, [width for side in reversed(sides) for width in side], value=0 if value is None else value.item()
        )
    assert not any(map(any, sides[:-2])), sides
    flat = [width for side in reversed(sides[-2:]) for width in side]
    return x if not any(flat) else F.pad(x.float(), flat, mode).to(x.dtype)  # bytes and halves are exact in float


@operator("Gather")
def gather(attributes: Attributes, x: Tensor, indices: Tensor) -> Tensor:
    axis = attributes.get("axis", 0)
    at = torch.where(indices < 0, indices + x.shape[axis], indices)
    taken = x.index_select(axis, at.reshape(-1))
    return taken.reshape(*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])


@operator("Reshape", host=(1,))
def reshape(attributes: Attributes, x: Tensor, shape: Tensor) -> Tensor:
    return x.reshape([x.shape[axis] if length == 0 else length for axis, length in enumerate(numbers(shape))])


@operator("Split", host=(1,))
def split(attributes: Attributes, x: Tensor, sizes: Tensor | None = None) -> Sequence[Tensor]:
    axis = attributes.get("axis", 0)
    each = -(-x.shape[axis] // attributes["num_outputs"]) if sizes is None else numbers(sizes)
    return x.split(each, axis)


@operator("Squeeze", host=(1,))
def squeeze(attributes: Attributes, x: Tensor, axes: Tensor | None = None) -> Tensor:
    return x.squeeze() if axes is None else x.squeeze(numbers(axes))


@operator("Unsqueeze", host=(1,))
def unsqueeze(attributes: Attributes, x: Tensor, axes: Tensor) -> Tensor:
    dimensions = x.dim() + axes.numel()
    for axis in sorted(number % dimensions for number in numbers(axes)):
        x = x.unsqueeze(axis)
    return x


@operator("ReduceMean", host=(1,))
def reduce_mean(attributes: Attributes, x: Tensor, axes: Tensor) -> Tensor:
    return x.mean(numbers(axes), keepdim=bool(attributes.get("keepdims", 1)))


@operator("ReduceSum", host=(1,))
def reduce_sum(attributes: Attributes, x: Tensor, axes: Tensor) -> Tensor:
    return x.sum(numbers(axes), keepdim=bool(attributes.get("keepdims", 1)))


@operator("Clip", host=(1, 2))
def clip(attributes: Attributes, x: Tensor, least: Tensor | None = None, most: Tensor | None = None) -> Tensor:
    return x.clamp(*(None if limit is None else limit.item() for limit in (least, most)))


@operator("Div")
def divide(attributes: Attributes, x: Tensor, y: Tensor) -> Tensor:
    return x / y if x.is_floating_point() else torch.div(x, y, rounding_mode="trunc")


@operator("Expand", host=(1,))
def expand(attributes: Attributes, x: Tensor, shape: Tensor) -> Tensor:
    return x.broadcast_to(torch.broadcast_shapes(x.shape, numbers(shape)))


@operator("Range", host=(0, 1, 2))
def range_(attributes: Attributes, start: Tensor, limit: Tensor, step: Tensor) -> Tensor:
    return torch.arange(start.item(), limit.item(), step.item(), dtype=start.dtype)


@operator("DepthToSpace")
def depth_to_space(attributes: Attributes, x: Tensor) -> Tensor:
    assert attributes.get("mode", b"DCR") == b"CRD", attributes
    return F.pixel_shuffle(x, attributes["blocksize"])
