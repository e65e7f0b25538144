"""Find the node after which a graph goes wrong, in a few runs: bisection over the tensors that lead to the output."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

Evaluate = Callable[[Sequence[str]], Mapping[str, NDArray[Any]]]
"""Returns the values of tensors by name."""

LIMIT = 50.0
"""Decibels, relative to a tensor's largest value, from which a tensor counts as right."""


def first_wrong(graph: onnx.ModelProto, reference: Evaluate, tried: Evaluate, output: str = "output") -> onnx.NodeProto:
    """Return the node whose output is wrong while all that it is made of is right.

    ``output`` is known to be wrong in what ``tried`` gives.  Each step looks at the tensor in the middle of those that
    lead to the wrong one: where it is wrong, only what leads to it is left; where it is right, that is left out.
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
    """Return the tensor and all inner tensors that it is made of."""
    found, open_ = set[str](), [name]
    while open_:
        current = open_.pop()
        if current in makers and current not in found:
            found.add(current)
            open_.extend(makers[current].input)
    return found


def _agree(wanted: NDArray[Any], made: NDArray[Any]) -> bool:
    """Whether the values are finite where they should be and equal but for rounding."""
    wanted, made = wanted.astype(np.float64), made.astype(np.float64)
    if not np.isfinite(made).all():
        return bool(not np.isfinite(wanted).all())
    peak = float(np.abs(wanted).max(initial=0))
    error = float(((made - wanted) ** 2).mean()) if wanted.size else 0.0
    return error <= peak**2 * 10 ** (-LIMIT / 10)
