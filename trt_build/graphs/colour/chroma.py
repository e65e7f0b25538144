"""Chroma planes enlarged and reduced as zimg does it: Catmull-Rom, edges mirrored, siting kept.

Each resampling is one convolution with the outer product of the vertical and horizontal taps.  Enlarging computes the
phases of a pixel as channels and then interleaves them; reducing uses strides.  No node depends on the picture's size.
(A transposed convolution would do too, but TensorRT-RTX 1.7 writes tables as large as the picture into its plan.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trt_build.graphs.nodes import Nodes
from trt_build.profile import PlaneFormat


@dataclass(frozen=True)
class Taps:
    """Filter taps along one axis: ``weights`` is phases × taps; the first tap is ``first`` samples from the origin."""

    first: int
    weights: NDArray[np.float64]

    @property
    def last(self) -> int:
        """Position of the last tap, in samples from the origin."""
        return self.first + int(self.weights.shape[1]) - 1


def catmull_rom(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the cubic convolution kernel with b = 0, c = 1/2 (Mitchell and Netravali 1988)."""
    x = np.abs(distance)
    near = 1 - 2.5 * x**2 + 1.5 * x**3
    far = 2 - 4 * x + 2.5 * x**2 - 0.5 * x**3
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


def enlarging_taps(factor: int, *, sample: float = 0.5, made: float = 0.5) -> Taps:
    """Return the taps that make ``factor`` samples from each.

    ``sample`` and ``made`` are the positions of a sample within its own width, before and after: 1/2 is the middle.
    """
    if factor == 1:
        return Taps(0, np.ones((1, 1)))
    return _trimmed((np.arange(factor)[:, None] + made) / factor + 0.5 - sample, 1)


def reducing_taps(factor: int, *, made: float = 0.5) -> Taps:
    """Return the taps that make one sample from ``factor``, with a kernel ``factor`` times as wide.

    ``made`` is the position of the new sample within its own width.
    """
    if factor == 1:
        return Taps(0, np.ones((1, 1)))
    return _trimmed(np.array([[factor * made]]), factor)


def _trimmed(positions: NDArray[np.float64], width: int) -> Taps:
    """Return the kernel sampled around each position (phases × 1), without the samples that no phase uses."""
    samples = np.arange(-3 * width, 4 * width)
    weights = catmull_rom((samples + 0.5 - positions) / width)
    used = np.flatnonzero(np.abs(weights).max(axis=0) > 1e-12)
    weights = weights[:, used[0] : used[-1] + 1]
    return Taps(int(samples[used[0]]), weights / weights.sum(axis=1, keepdims=True))


def upsample(nodes: Nodes, chroma: str, planes: PlaneFormat) -> str:
    """Return chroma planes (N×1×h×w) enlarged to the size of luma."""
    columns, rows = planes.steps
    down, right = _sited(planes)
    return _enlarged(nodes, chroma, enlarging_taps(rows, sample=down), enlarging_taps(columns, sample=right))


def enlarge(nodes: Nodes, chroma: str, planes: PlaneFormat, scale: int) -> str:
    """Return chroma planes (N×1×h×w) ``scale`` times as high and wide, with the same siting."""
    vertical, horizontal = (enlarging_taps(scale, sample=place, made=place) for place in _sited(planes))
    return _enlarged(nodes, chroma, vertical, horizontal)


def subsample(nodes: Nodes, chroma: str, planes: PlaneFormat) -> str:
    """Return chroma at luma size (N×1×H×W) reduced to the size of the chroma planes."""
    columns, rows = planes.steps
    down, right = _sited(planes)
    vertical, horizontal = reducing_taps(rows, made=down), reducing_taps(columns, made=right)
    padded = _mirrored(nodes, chroma, vertical, axis=2, step=rows)
    padded = _mirrored(nodes, padded, horizontal, axis=3, step=columns)
    return nodes.add("Conv", padded, nodes.real(_kernel(vertical, horizontal)), strides=[rows, columns])


def _sited(planes: PlaneFormat) -> tuple[float, float]:
    """Return where in its own height and width a chroma sample lies: in the middle, or on its first luma sample."""
    columns, rows = planes.steps
    return 0.5 / rows if planes.siting == "top_left" else 0.5, 0.5 if planes.siting == "center" else 0.5 / columns


def _kernel(vertical: Taps, horizontal: Taps) -> NDArray[np.float64]:
    """Return the kernel: (vertical phases · horizontal phases) × 1 × rows × columns."""
    kernel: NDArray[np.float64] = np.einsum("pi,qj->pqij", vertical.weights, horizontal.weights)
    return kernel.reshape((-1, 1, *kernel.shape[2:]))


def _enlarged(nodes: Nodes, chroma: str, vertical: Taps, horizontal: Taps) -> str:
    """Return planes (N×1×h×w) enlarged by the number of phases of the taps."""
    rows, columns = len(vertical.weights), len(horizontal.weights)
    padded = _mirrored(nodes, chroma, vertical, axis=2)
    padded = _mirrored(nodes, padded, horizontal, axis=3)
    phases = nodes.add("Conv", padded, nodes.real(_kernel(vertical, horizontal)))
    last = nodes.add("Transpose", phases, perm=[0, 2, 3, 1])
    apart = nodes.add("Reshape", last, nodes.whole([0, 0, 0, rows, columns]))  # 0 keeps the input's length
    ordered = nodes.add("Transpose", apart, perm=[0, 1, 3, 2, 4])
    wide = nodes.add("Reshape", ordered, nodes.whole([0, 0, rows, -1]))
    tall = nodes.add("Reshape", wide, nodes.whole([0, -1, 1, 0]))
    return nodes.add("Transpose", tall, perm=[0, 2, 1, 3])


def _mirrored(nodes: Nodes, value: str, taps: Taps, *, axis: int, step: int = 1) -> str:
    """Return the tensor extended along an axis as far as the taps reach, mirrored with the edge sample repeated."""
    before, after = -taps.first, taps.last + 1 - step
    parts = [value]
    if before:
        parts.insert(0, nodes.add("Gather", value, nodes.whole(range(before)[::-1]), axis=axis))
    if after:
        end = nodes.add("Slice", value, *(nodes.whole([number]) for number in (-after, 2**31 - 1, axis)))
        parts.append(nodes.add("Gather", end, nodes.whole(range(after)[::-1]), axis=axis))
    return nodes.add("Concat", *parts, axis=axis) if len(parts) > 1 else value
