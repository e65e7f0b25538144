"""Chroma planes enlarged and reduced as zimg does it: Catmull-Rom, edges mirrored, siting kept.

A resampling is one convolution: enlarging makes the phases of a pixel as channels, which are then woven together;
reducing strides.  The kernel is the outer product of both directions' taps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .nodes import Nodes
from .profile import PlaneFormat


@dataclass(frozen=True)
class Taps:
    """Weights of one direction: ``weights`` is phases × taps, the first tap lies ``first`` samples from the origin."""

    first: int
    weights: NDArray[np.float64]

    @property
    def last(self) -> int:
        """Where the last tap lies, in samples from the origin."""
        return self.first + int(self.weights.shape[1]) - 1


def catmull_rom(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the cubic convolution kernel with b = 0, c = 1/2 (Mitchell and Netravali 1988)."""
    x = np.abs(distance)
    near = 1 - 2.5 * x**2 + 1.5 * x**3
    far = 2 - 4 * x + 2.5 * x**2 - 0.5 * x**3
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


def enlarging_taps(factor: int, *, centred: bool) -> Taps:
    """Return the taps that make ``factor`` luma positions of each chroma sample.

    A chroma sample lies in the middle of its luma samples where ``centred``, else upon the first of them.
    """
    if factor == 1:
        return Taps(0, np.ones((1, 1)))
    phases = (np.arange(factor)[:, None] + 0.5) / factor
    return _trimmed(phases if centred else phases + 0.5 - 0.5 / factor, 1)


def reducing_taps(factor: int, *, centred: bool) -> Taps:
    """Return the taps that make one chroma sample of ``factor`` luma positions; the kernel is as much wider."""
    if factor == 1:
        return Taps(0, np.ones((1, 1)))
    return _trimmed(np.array([[factor / 2 if centred else 0.5]]), factor)


def _trimmed(positions: NDArray[np.float64], width: int) -> Taps:
    """Return the kernel around each position (phases × 1), without the samples that no phase uses."""
    samples = np.arange(-3 * width, 4 * width)
    weights = catmull_rom((samples + 0.5 - positions) / width)
    used = np.flatnonzero(np.abs(weights).max(axis=0) > 1e-12)
    weights = weights[:, used[0] : used[-1] + 1]
    return Taps(int(samples[used[0]]), weights / weights.sum(axis=1, keepdims=True))


def enlarge(nodes: Nodes, chroma: str, planes: PlaneFormat, size: tuple[int, int]) -> str:
    """Return N×1×h×w chroma planes at luma size; ``size`` is (h, w)."""
    rows, columns = _factors(planes)
    vertical = enlarging_taps(rows, centred=planes.siting != "top_left")
    horizontal = enlarging_taps(columns, centred=planes.siting == "center")
    padded = _mirrored(nodes, chroma, vertical, size=size[0], axis=2)
    padded = _mirrored(nodes, padded, horizontal, size=size[1], axis=3)
    phases = nodes.add("Conv", padded, nodes.real(_kernel(vertical, horizontal)))
    apart = nodes.add("Reshape", phases, nodes.whole([-1, rows, columns, *size]))
    woven = nodes.add("Transpose", apart, perm=[0, 3, 1, 4, 2])
    return nodes.add("Reshape", woven, nodes.whole([-1, 1, rows * size[0], columns * size[1]]))


def reduce(nodes: Nodes, chroma: str, planes: PlaneFormat, size: tuple[int, int]) -> str:
    """Return N×1×H×W chroma values at the size of the chroma planes; ``size`` is (H, W)."""
    rows, columns = _factors(planes)
    vertical = reducing_taps(rows, centred=planes.siting != "top_left")
    horizontal = reducing_taps(columns, centred=planes.siting == "center")
    padded = _mirrored(nodes, chroma, vertical, size=size[0], axis=2, step=rows)
    padded = _mirrored(nodes, padded, horizontal, size=size[1], axis=3, step=columns)
    return nodes.add("Conv", padded, nodes.real(_kernel(vertical, horizontal)), strides=[rows, columns])


def _factors(planes: PlaneFormat) -> tuple[int, int]:
    columns, rows = planes.subsampling
    return 1 << rows, 1 << columns


def _kernel(vertical: Taps, horizontal: Taps) -> NDArray[np.float64]:
    """Return the (phases of both) × 1 × rows × columns kernel."""
    kernel: NDArray[np.float64] = np.einsum("pi,qj->pqij", vertical.weights, horizontal.weights)
    return kernel.reshape((-1, 1, *kernel.shape[2:]))


def _mirrored(nodes: Nodes, value: str, taps: Taps, *, size: int, axis: int, step: int = 1) -> str:
    """Return the tensor, mirrored beyond both ends of an axis as far as the taps reach, the edge sample repeated."""
    positions = np.arange(taps.first, size - step + taps.last + 1)
    if np.array_equal(positions, np.arange(size)):
        return value
    mirrored = np.where(positions < 0, -1 - positions, positions)
    mirrored = np.where(mirrored >= size, 2 * size - 1 - mirrored, mirrored)
    return nodes.add("Gather", value, nodes.whole(mirrored.clip(0, size - 1)), axis=axis)
