"""OpenVINO's planar resizes: only small ones, which then need no reordering, and with results equal bit for bit."""

from __future__ import annotations

import platform
import tempfile
from pathlib import Path

import numpy as np
import openvino
import pytest
from onnx import TensorProto, helper, numpy_helper

from trt_build.backends.openvino_layout import with_planar_resizes
from trt_build.backends.signal_stack import signal_stack_kept

SIZE = 24, 40


def resizing(channels: int) -> openvino.Model:
    """Return a model that samples a frame of so many channels at its own grid, and halves the result bilinearly."""
    frame = helper.make_tensor_value_info("frame", TensorProto.FLOAT, [1, channels, *SIZE])
    grid = helper.make_tensor_value_info("grid", TensorProto.FLOAT, [1, *SIZE, 2])
    output = helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, channels, SIZE[0] // 2, SIZE[1] // 2])
    scales = numpy_helper.from_array(np.array([1, 1, 0.5, 0.5], np.float32), "scales")
    nodes = [
        helper.make_node("GridSample", ["frame", "grid"], ["warped"], align_corners=1, mode="bilinear"),
        helper.make_node("Resize", ["warped", "", "scales"], ["output"], mode="linear"),
    ]
    graph = helper.make_graph(nodes, "resizing", [frame, grid], [output], [scales])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 16)], ir_version=10)
    return openvino.Core().read_model(model.SerializeToString(), b"")


def request(model: openvino.Model) -> openvino.InferRequest:
    with signal_stack_kept():
        options = {"INFERENCE_PRECISION_HINT": "f32", "PERF_COUNT": "YES"}
        return openvino.Core().compile_model(model, "CPU", options).create_infer_request()


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="other processors have other kernels")
def test_a_small_resize_needs_no_reordering_and_gives_the_same_numbers() -> None:
    random = np.random.default_rng(1)
    inputs = {"frame": random.random((1, 3, *SIZE), np.float32), "grid": random.random((1, *SIZE, 2), np.float32)}
    plain, planar = request(resizing(3)), request(with_planar_resizes(resizing(3)))
    assert np.array_equal(planar.infer(inputs)["output"], plain.infer(inputs)["output"])
    kinds = {layer.node_type for layer in planar.profiling_info}
    assert "Interpolate" in kinds and "Reorder" not in kinds


def test_a_model_without_small_resizes_stays_as_it_is() -> None:
    model = resizing(16)
    assert with_planar_resizes(model) is model


def test_no_temporary_folder_costs_only_the_speed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    model = resizing(3)
    assert with_planar_resizes(model) is model
