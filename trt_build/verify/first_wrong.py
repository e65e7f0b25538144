"""Find the node at which a graph goes wrong, in a few runs, by bisection over the tensors that lead to the output."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

Evaluate = Callable[[Sequence[str]], Mapping[str, NDArray[Any]]]
"""Runs a graph and returns the values of the named tensors."""

LIMIT = 50.0
"""A tensor counts as right from this PSNR in dB, relative to its largest value."""


def first_wrong(graph: onnx.ModelProto, reference: Evaluate, tried: Evaluate, output: str = "output") -> onnx.NodeProto:
    """Return the node whose output is wrong although its inputs are right.

    ``output`` is known to be wrong as computed by ``tried``.  Each step compares the tensor in the middle of those that
    lead to the wrong one.  If it is wrong, the search continues among those that lead to it; if it is right, these are
    excluded.
    """
    makers: dict[str, onnx.NodeProto] = {name: node for node in graph.graph.node for name in node.output}
    order = {name: place for place, name in enumerate(makers)}
    wrong, right = output, set[str]()
    suspects = _leading_to(wrong, makers) - {wrong}
    while suspects:
        middle = sorted(suspects, key=order.__getitem__)[len(suspects) // 2]
        if _agree(reference([middle])[middle], tried([middle])[middle]):
            right |= _leading_to(middle, makers)
        else:
            wrong = middle
        suspects = _leading_to(wrong, makers) - right - {wrong}
    return makers[wrong]


def _leading_to(name: str, makers: Mapping[str, onnx.NodeProto]) -> set[str]:
    """Return the tensor and all inner tensors that it is computed from."""
    found, open_ = set[str](), [name]
    while open_:
        current = open_.pop()
        if current in makers and current not in found:
            found.add(current)
            open_.extend(makers[current].input)
    return found


def _agree(wanted: NDArray[Any], made: NDArray[Any]) -> bool:
    """Return whether the values are equal up to rounding; they may be non-finite only if the wanted ones are."""
    wanted, made = wanted.astype(np.float64), made.astype(np.float64)
    if not np.isfinite(made).all():
        return bool(not np.isfinite(wanted).all())
    peak = float(np.abs(wanted).max(initial=0))
    error = float(((made - wanted) ** 2).mean()) if wanted.size else 0.0
    return error <= peak**2 * 10 ** (-LIMIT / 10)
