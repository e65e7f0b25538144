"""Which nodes stay FP32, where a graph leaves out what is optional."""

from __future__ import annotations

from onnx import TensorProto, helper

from trt_build.graphs.islands import exact_tensors


def test_outputs_and_inputs_without_a_name_are_no_tensors() -> None:
    """Two poolings make no indices, and a Resize has no region: that one pooling is an island says nothing of them."""
    nodes = [
        helper.make_node("MaxPool", ["frame0"], ["first", ""], name="/island/Pool", kernel_shape=[2, 2]),
        helper.make_node("MaxPool", ["frame0"], ["second", ""], name="/Pool", kernel_shape=[2, 2]),
        helper.make_node("Resize", ["weights", "", "scales"], ["third"], name="/Resize"),
    ]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("frame0", "second")]
    graph = helper.make_graph(nodes, "test", values[:1], values[1:])
    assert exact_tensors(graph, ["/island/*"]) == {"first", "third"}
