"""Channels that nobody reads: cut where a transposed convolution is shuffled and sliced, and only there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper

from tests.colour import as_model
from trt_build.graphs.unread import without_unread
from trt_build.model_file import ModelFile
from trt_build.verify.verify import run_graph
from vs_interp.spec import NetworkSpec, Output, Window

SPEC = NetworkSpec(name="small", window=Window(offsets=(0,)), output=Output(times=(0.0,)))
INPUTS = {"frame0": np.random.default_rng(3).random((1, 3, 6, 8), np.float32)}


def model(*tail: NodeProto, mode: str | None = "CRD", state: tuple[str, ...] = ()) -> ModelFile:
    """A transposed convolution to 32 channels, which become eight of twice the size, and what reads these.

    Without a ``mode``, an optional attribute, the shuffle takes channels in the other order.
    """
    weights = np.random.default_rng(4).uniform(-1, 1, (3, 32, 4, 4)).astype(np.float32)
    constants = {"weights": weights, "bias": weights[0, :, 0, 0], **{f"n{n}": np.array([n]) for n in range(9)}}
    constants["yes"] = np.array(True)
    nodes = [
        helper.make_node("ConvTranspose", ["frame0", "weights", "bias"], ["made"], name="/last", strides=[2, 2],
                         pads=[1, 1, 1, 1]),
        helper.make_node("DepthToSpace", ["made"], ["pixels"], name="/shuffle", blocksize=2, mode=mode),
    ]  # fmt: skip
    return as_model(
        [*nodes, *tail],
        replace(SPEC, state=state),
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )


def cut(source: str, start: str, end: str, target: str, axis: str = "n1") -> NodeProto:
    return helper.make_node("Slice", [source, start, end, axis], [target], name=f"/cut_{target}")


def choice(*taken: NodeProto) -> NodeProto:
    """Nodes that end in the tensor ``chosen``, in one branch of two."""
    other = helper.make_node("Identity", ["pixels"], ["chosen"], name="/other")
    return helper.make_node("If", ["yes"], ["b"], name="/if", then_branch=branch(*taken), else_branch=branch(other))


def branch(*nodes: NodeProto) -> GraphProto:
    made = helper.make_tensor_value_info("chosen", TensorProto.FLOAT, None)
    return helper.make_graph(nodes, "branch", [], [made])


NESTED = (cut("pixels", "n1", "n5", "some"), cut("some", "n0", "n3", "output"))
"""Channels 1 to 3 of eight, by a slice of a slice."""


def test_the_rest_is_the_same_bit_for_bit() -> None:
    whole = model(*NESTED)
    inferred = ModelFile(onnx.shape_inference.infer_shapes(whole.graph), whole.spec, whole.digest)
    less = without_unread(inferred)
    weights = {each.name: list(each.dims) for each in less.graph.graph.initializer if len(each.dims) > 1}
    node = next(node for node in less.graph.graph.node if node.op_type == "ConvTranspose")
    assert weights == {node.input[1]: [3, 16, 4, 4]}
    onnx.checker.check_model(onnx.shape_inference.infer_shapes(less.graph, strict_mode=True), full_check=True)
    made, wanted = (run_graph(each.graph, INPUTS, ["output"])["output"] for each in (less, whole))
    assert made.shape == (1, 3, 24, 32)
    np.testing.assert_array_equal(made, wanted)


@pytest.mark.parametrize(
    "whole",
    [
        model(*NESTED, mode="DCR"),
        model(*NESTED, mode=None),
        model(*NESTED, state=("pixels",)),
        model(cut("pixels", "n0", "n3", "output"), choice(cut("pixels", "n5", "n8", "chosen"))),
        model(cut("pixels", "n0", "n3", "a"), cut("pixels", "n5", "n4", "b", axis="n2"),
              helper.make_node("ReduceSum", ["b"], ["c"], name="/sum"),
              helper.make_node("Add", ["a", "c"], ["output"], name="/add")),
        model(cut("pixels", "n0", "n3", "a"), helper.make_node("ReduceSum", ["made"], ["b"], name="/sum"),
              helper.make_node("Add", ["a", "b"], ["output"], name="/add")),
    ],
    ids=["another order", "the usual order", "it is a state", "read in a branch", "rows are sliced",
         "read before the shuffle"],
)  # fmt: skip
def test_what_may_be_read_stays(whole: ModelFile) -> None:
    assert without_unread(whole) is whole
