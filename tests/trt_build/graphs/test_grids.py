"""Sampling grids that are transposed for OpenVINO hold the same coordinates."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from trt_build.graphs.grids import with_transposed_grids
from trt_build.model_file import ModelFile
from vs_interp.weights.catalogue import resolve

SHAPE = (1, 5, 7)
TURNED = ("Concat", "Transpose")


def stacked(axis: int, unsqueezed: int) -> onnx.ModelProto:
    """Return a graph that stacks two planes of coordinates along an axis, and samples a picture there."""
    nodes = [helper.make_node("Unsqueeze", [name, "axis"], [f"{name}1"]) for name in ("x", "y")]
    nodes.append(helper.make_node("Concat", ["x1", "y1"], ["grid"], axis=axis))
    nodes.append(helper.make_node("GridSample", ["picture", "grid"], ["sampled"]))
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, SHAPE) for name in ("x", "y")]
    values.append(helper.make_tensor_value_info("picture", TensorProto.FLOAT, (1, 1, 5, 7)))
    made = helper.make_tensor_value_info("grid", TensorProto.FLOAT, None)
    weights = [numpy_helper.from_array(np.array([unsqueezed], np.int64), "axis")]
    graph = helper.make_graph(
        nodes, "stack", values, [made, helper.make_tensor_value_info("sampled", TensorProto.FLOAT, None)], weights
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])


def test_transposed_grids_equal_stacked_ones() -> None:
    x, y = np.random.default_rng(1).random((2, *SHAPE), np.float32)
    turned = with_transposed_grids(stacked(3, 3))
    assert [node.op_type for node in turned.graph.node if node.op_type in TURNED] == [*TURNED]
    (made,) = ReferenceEvaluator(turned).run(["grid"], {"x": x, "y": y, "picture": x[None]})
    np.testing.assert_array_equal(made, np.stack((x, y), 3))


@pytest.mark.parametrize(("axis", "unsqueezed"), [(1, 1), (3, 1), (2, 3)])
def test_other_concats_stay_as_they_are(axis: int, unsqueezed: int) -> None:
    model = stacked(axis, unsqueezed)
    assert with_transposed_grids(model) is model


def test_stacks_that_are_no_grids_stay_as_they_are() -> None:
    """Of tensors with four dimensions, say, which planes cannot hold."""
    model = stacked(3, 3)
    del model.graph.node[-1], model.graph.output[-1]
    assert with_transposed_grids(model) is model


def test_every_grid_of_the_bundled_network_is_transposed() -> None:
    """A graph exported in another way would silently lose a twentieth of its speed."""
    graph = ModelFile.load(resolve(None, network="super-slomo")).graph
    assert any(node.op_type == "GridSample" for node in graph.graph.node)
    turned = with_transposed_grids(graph).graph
    makers = {name: node for node in turned.node for name in node.output}
    grids = [makers[node.input[1]].op_type for node in turned.node if node.op_type == "GridSample"]
    assert set(grids) == {"Transpose"}
