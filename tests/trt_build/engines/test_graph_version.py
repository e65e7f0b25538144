"""Graphs are what they were when GRAPH_VERSION was last raised: else old engines and old choices would be served."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from tests.colour import as_model
from tests.support import ROOT
from trt_build.engines.build import BuildOptions, engine_graphs
from trt_build.engines.key import GRAPH_VERSION
from trt_build.graphs.precision import to_bfloat
from trt_build.graphs.unread import without_unread
from trt_build.model_file import ModelFile, graph_digest, to_bytes
from trt_build.profile import PlaneFormat, Profile
from vs_interp.size import Size
from vs_interp.spec import NetworkSpec, Output, Window

P8 = PlaneFormat(family="yuv", bits=8, floating=False, subsampling=(1, 1), full_range=False)
P10 = PlaneFormat(family="yuv", bits=10, floating=False, subsampling=(1, 1), full_range=False)
RGB24 = PlaneFormat(family="rgb", bits=8, floating=False)
RECORDED = ROOT / "tests" / "data" / "graphs.json"
MODELS = ROOT / "vs_interp" / "models"


def shuffling_model() -> ModelFile:
    """What the bundled networks lack: channels that nobody reads, and values that only move from island to island."""
    constants = {
        "weights": np.linspace(-1, 1, 3 * 32 * 9, dtype=np.float16).astype(np.float32).reshape(3, 32, 3, 3),
        "bias": np.ones(32, np.float32),
        **{name: np.array([value]) for name, value in (("zero", 0), ("one", 1), ("three", 3))},
        "turned": np.array([2, 1, 0]),
    }
    nodes = [
        helper.make_node("ConvTranspose", ["frame0", "weights", "bias"], ["made"], name="/last", pads=[1, 1, 1, 1]),
        helper.make_node("DepthToSpace", ["made"], ["pixels"], name="/shuffle", blocksize=2, mode="CRD"),
        helper.make_node("Slice", ["pixels", "zero", "three", "one"], ["cut"], name="/cut"),
        helper.make_node("Tanh", ["cut"], ["first"], name="/island/first"),
        helper.make_node("Gather", ["first", "turned"], ["gathered"], name="/gather", axis=1),
        helper.make_node("Flatten", ["gathered"], ["flat"], name="/flatten"),
        helper.make_node("Shape", ["first"], ["shape"], name="/shape"),
        helper.make_node("Reshape", ["flat", "shape"], ["moved"], name="/reshape"),
        helper.make_node("Tanh", ["moved"], ["output"], name="/island/second"),
    ]
    window, output = Window(offsets=(0,)), Output(times=(0.0,), scale=2)
    spec = NetworkSpec(name="shuffling", window=window, output=output, fp32_islands=("/island/*",))
    return as_model(nodes, spec, [numpy_helper.from_array(value, name) for name, value in constants.items()])


def digests() -> dict[str, str]:
    """Return the digest of every graph that is guarded, by model, format and part."""
    found = {}
    for name in ("super-slomo-small", "flavr-small-2x", "fsrcnn-x2"):
        model = ModelFile.load(MODELS / f"{name}.onnx")
        found[f"{name} in bfloat16"] = graph_digest(to_bfloat(model).graph)
        for kind, planes in (("YUV420P8", P8), ("YUV420P10", P10), ("RGB24", RGB24)):
            profile = Profile(width=250, height=130, planes=planes)
            for part, graph in engine_graphs(model, profile, BuildOptions()).items():
                found[f"{name} {kind} {part}"] = graph_digest(graph)
    shuffling, profile = shuffling_model(), Profile(width=48, height=32, planes=RGB24)
    found["shuffling in bfloat16"] = graph_digest(to_bfloat(without_unread(shuffling)).graph)
    found["shuffling RGB24"] = graph_digest(engine_graphs(shuffling, profile, BuildOptions())["synthesis"])
    ranged = BuildOptions(dynamic=(Size(128, 128), Size(512, 256)))
    model = ModelFile.load(MODELS / "super-slomo-small.onnx")
    for part, graph in engine_graphs(model, Profile(width=256, height=128, planes=P8), ranged).items():
        found[f"super-slomo-small of a range {part}"] = graph_digest(graph)
    return found


def test_graphs_that_change_raise_the_version() -> None:
    """Where this fails: raise GRAPH_VERSION, then `python -m tests.trt_build.engines.test_graph_version`."""
    recorded = json.loads(RECORDED.read_text())
    assert recorded["version"] == GRAPH_VERSION, "the version was raised: record the graphs anew"
    changed = [name for name, digest in digests().items() if recorded["graphs"].get(name) != digest]
    assert not changed, f"raise GRAPH_VERSION, for these are other graphs now: {changed}"


def test_equal_graphs_have_equal_keys() -> None:
    """The same network exported by another version, with other words, is served by the engine that is there."""
    content = (MODELS / "fsrcnn-x2.onnx").read_bytes()
    same, other = onnx.load_model_from_string(content), onnx.load_model_from_string(content)
    same.producer_version = "another"
    same.doc_string = "written on another day"
    same.metadata_props.append(onnx.StringStringEntryProto(key="author", value="somebody"))
    for node in same.graph.node:
        node.doc_string = "a line of code"
    weights = other.graph.initializer[0]
    weights.raw_data = bytes(len(weights.raw_data))
    model = ModelFile.from_bytes(content)
    assert ModelFile.from_bytes(to_bytes(same)).identity == model.identity
    assert ModelFile.from_bytes(to_bytes(other)).identity != model.identity


@pytest.mark.parametrize("name", ["super-slomo-small"])
def test_state_that_is_read_in_half_crosses_in_half(name: str) -> None:
    """Half the bytes, and one Cast a window where there was one a time."""
    graphs = engine_graphs(
        ModelFile.load(MODELS / f"{name}.onnx"), Profile(width=256, height=128, planes=P8), BuildOptions()
    )
    types = {value.name: value.type.tensor_type.elem_type for value in graphs["synthesis"].graph.input}
    assert {name: kind for name, kind in types.items() if kind == onnx.TensorProto.FLOAT} == {"time": 1}
    made = {value.name: value.type.tensor_type.elem_type for value in graphs["state"].graph.output}
    assert made.items() <= types.items()
    for graph in graphs.values():
        onnx.checker.check_model(onnx.shape_inference.infer_shapes(graph, strict_mode=True), full_check=True)


if __name__ == "__main__":
    RECORDED.write_text(json.dumps({"version": GRAPH_VERSION, "graphs": digests()}, indent=1) + "\n")
