"""Model files whose arithmetic is known: frames to come, labels to come, labels and masks, without any weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from trt_build.model_file import with_spec, write
from vs_interp.spec import NetworkSpec, Output, Window


def drifting(path: Path, *, seen: int = 3, made: int = 2, channels: int = 3, labels: bool = False) -> Path:
    """Write a model whose k-th picture is the newest frame plus k times its difference to the one before it."""
    spec = NetworkSpec(
        name="drifting",
        window=Window(offsets=tuple(range(1 - seen, 1)), channels=channels, labels=labels),
        output=Output(
            kind="labels" if labels else "frame", channels=channels, times=tuple(float(t) for t in range(1, made + 1))
        ),
        multiple_of=4,
        input_range="free",
    )
    last, before = f"frame{seen - 1}", f"frame{seen - 2}"
    constants, parts = [numpy_helper.from_array(np.float32(0), "nothing")], []
    nodes = [
        helper.make_node("Sub", [last, before], ["difference"], name="/Sub"),
        helper.make_node("Sum", list(spec.frame_inputs), ["sum"], name="/Sum"),
        helper.make_node("Mul", ["sum", "nothing"], ["unseen"], name="/Mul"),
        helper.make_node("Add", ["difference", "unseen"], ["change"], name="/Add"),
    ]
    for step in range(1, made + 1):
        constants.append(numpy_helper.from_array(np.float32(step), f"step{step}"))
        nodes.append(helper.make_node("Mul", ["change", f"step{step}"], [f"moved{step}"], name=f"/Mul_{step}"))
        nodes.append(helper.make_node("Add", [last, f"moved{step}"], [f"part{step}"], name=f"/Add_{step}"))
        parts.append(f"part{step}")
    nodes.append(helper.make_node("Concat", parts, ["output"], name="/Concat", axis=0))
    return _written(path, spec, nodes, constants)


def bright(path: Path, *, soft: bool = False) -> Path:
    """Write a model that calls a pixel 7 where its green is above 1/2, and 0 elsewhere; soft: green, and 1 − green."""
    output = Output(kind="mask" if soft else "labels", channels=1, times=(0.0,) * (2 if soft else 1))
    spec = NetworkSpec(name="bright", window=Window(offsets=(0,)), output=output)
    constants = [
        numpy_helper.from_array(np.array([1], np.int64), "one"),
        numpy_helper.from_array(np.array([2], np.int64), "two"),
        numpy_helper.from_array(np.float32(0.5), "half"),
        numpy_helper.from_array(np.float32(1), "whole"),
        numpy_helper.from_array(np.float32(7 / 255), "seven"),
    ]
    nodes = [helper.make_node("Slice", ["frame0", "one", "two", "one"], ["green"], name="/Slice")]
    if soft:
        nodes += [
            helper.make_node("Sub", ["whole", "green"], ["rest"], name="/Sub"),
            helper.make_node("Concat", ["green", "rest"], ["output"], name="/Concat", axis=0),
        ]
    else:
        nodes += [
            helper.make_node("Greater", ["green", "half"], ["above"], name="/Greater"),
            helper.make_node("Cast", ["above"], ["number"], name="/Cast", to=TensorProto.FLOAT),
            helper.make_node("Mul", ["number", "seven"], ["output"], name="/Mul"),
        ]
    return _written(path, spec, nodes, constants)


def _written(path: Path, spec: NetworkSpec, nodes: list[onnx.NodeProto], constants: list[onnx.TensorProto]) -> Path:
    def value(name: str, pictures: int, channels: int) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [pictures, channels, "height", "width"])

    inputs = [value(name, 1, spec.window.channels) for name in spec.frame_inputs]
    made = value("output", spec.pictures, spec.output.channels)
    graph = helper.make_graph(nodes, spec.name, inputs, [made], constants)
    write(with_spec(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), spec), path)
    return path


def leftward(path: Path, *, pixels: int = 1) -> Path:
    """Write a model that sees everything move left by so many pixels."""
    output = Output(kind="flow", channels=1, times=(0.0, 0.0))
    spec = NetworkSpec(name="leftward", window=Window(offsets=(0, 1)), output=output)
    constants = [
        numpy_helper.from_array(np.array([0, 1, 2], np.int64), "ends"),
        numpy_helper.from_array(np.array([0], np.int64), "zero"),
        numpy_helper.from_array(np.array([1], np.int64), "one"),
        numpy_helper.from_array(np.float32(0), "nothing"),
        numpy_helper.from_array(np.float32(-pixels), "left"),
    ]
    nodes = [
        helper.make_node("Add", ["frame0", "frame1"], ["sum"], name="/Add"),
        helper.make_node("Slice", ["sum", "zero", "one", "one"], ["red"], name="/Slice"),
        helper.make_node("Mul", ["red", "nothing"], ["down"], name="/Mul"),
        helper.make_node("Add", ["down", "left"], ["right"], name="/Add_1"),
        helper.make_node("Concat", ["right", "down"], ["output"], name="/Concat", axis=0),
    ]
    return _written(path, spec, nodes, constants[1:])
