"""Writing an ONNX graph node by node."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from onnx import NodeProto, TensorProto, helper, numpy_helper


class Nodes:
    """A list of nodes and constants, all named below one scope (``/colour/in``).

    The methods append nodes and return the names of the tensors that these compute.
    """

    def __init__(self, scope: str) -> None:
        self.scope = scope
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []

    def add(self, operator: str, *inputs: str, name: str | None = None, **attributes: Any) -> str:
        """Add a node with one output, called ``name`` or else like the node."""
        title = f"{self.scope}/{operator}_{len(self.nodes)}"
        made = name or title
        self.nodes.append(helper.make_node(operator, inputs, [made], name=title, **attributes))
        return made

    def split(self, value: str, parts: int, axis: int) -> list[str]:
        """Add a node that cuts a tensor into equal parts along an axis."""
        title = f"{self.scope}/Split_{len(self.nodes)}"
        made = [f"{title}.{index}" for index in range(parts)]
        self.nodes.append(helper.make_node("Split", [value], made, name=title, axis=axis, num_outputs=parts))
        return made

    def real(self, value: ArrayLike) -> str:
        """Add a float32 constant."""
        return self._constant(np.asarray(value, np.float32))

    def whole(self, value: ArrayLike) -> str:
        """Add an int64 constant."""
        return self._constant(np.asarray(value, np.int64))

    def scaled(self, value: str, scale: float, offset: float = 0.0) -> str:
        """Add what computes ``value`` · scale + offset."""
        if scale != 1:
            value = self.add("Mul", value, self.real(scale))
        return self.add("Add", value, self.real(offset)) if offset else value

    def _constant(self, value: np.ndarray[Any, Any]) -> str:
        name = f"{self.scope}/constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(value, name))
        return name
