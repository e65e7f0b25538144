"""How far a pixel's output looks, read from a graph: what tiles overlap by."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import numpy_helper

from tests.support import ROOT
from trt_build.backends import OpenVINO
from trt_build.graphs.receptive_field import receptive_radius
from trt_build.model_file import ModelFile
from trt_build.profile import GRAYS, Profile

MODELS = ROOT / "vs_interp/models"


@pytest.mark.parametrize("name", ["fsrcnn-x2.onnx", "fsrcnn-x3.onnx", "fsrcnn-x4.onnx"])
def test_the_reach_read_from_the_graph_is_what_a_changed_pixel_reaches(name: str) -> None:
    """One pixel is changed; how far the output changes is measured."""
    file = ModelFile.load(MODELS / name)
    scale, size = file.spec.output.scale, 48
    session = OpenVINO(threads=2, streams=1).open(file, Profile(width=size, height=size, planes=GRAYS))[0]
    frames = np.random.default_rng(2).random((2, size, size), np.float32)
    frames[1] = frames[0]
    frames[1][24, 24] += 1000  # weights are small: what it does far away must not be lost in rounding
    made = np.empty((2, scale * size, scale * size), np.float32)
    for number in range(2):
        session.run([[frames[number]]], [number], (0.0,), [[made[number]]])
    changed = np.argwhere(made[0] != made[1]) // scale - 24
    assert abs(changed).max() == receptive_radius(file)


@pytest.mark.parametrize("operator", ["Pad", "Slice"])
def test_a_picture_that_is_moved_in_the_graph_has_no_reach(operator: str) -> None:
    """More is put around one side, or cut off it, than the other: tiles would not lie where they belong."""
    file = ModelFile.load(MODELS / "fsrcnn-x2.onnx")
    name = next(node.input[1] for node in file.graph.graph.node if node.op_type == operator)
    constant = next(tensor for tensor in file.graph.graph.initializer if tensor.name == name)
    values = numpy_helper.to_array(constant).copy()
    values[-1] -= 2
    constant.CopyFrom(numpy_helper.from_array(values, name))
    assert receptive_radius(file) is None


def test_networks_that_look_at_the_whole_picture_have_no_reach() -> None:
    assert receptive_radius(ModelFile.load(MODELS / "super-slomo-small.onnx")) is None
