"""TensorRT-RTX, which builds engines for GPUs that are not there."""

from __future__ import annotations

import onnx
import pytest


def build(graph: onnx.ModelProto, size: int = 128) -> list[tuple[str, str]]:
    """Build a graph for SM86, dynamic heights and widths as ``size``; return name and type of inputs and outputs."""
    trt = pytest.importorskip("tensorrt_rtx")
    builder = trt.Builder(trt.Logger(trt.Logger.ERROR))
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, trt.Logger(trt.Logger.ERROR))
    assert parser.parse(graph.SerializeToString()), parser.get_error(0)
    config = builder.create_builder_config()
    config.num_compute_capabilities = 1
    config.set_compute_capability(trt.ComputeCapability.SM86, 0)
    inputs = [network.get_input(index) for index in range(network.num_inputs)]
    profile = builder.create_optimization_profile()
    for tensor in inputs:
        shape = [size if length < 0 else length for length in tensor.shape]
        profile.set_shape(tensor.name, shape, shape, shape)
    config.add_optimization_profile(profile)
    assert builder.build_serialized_network(network, config) is not None
    return [(tensor.name, tensor.dtype.name) for tensor in inputs] + [
        (network.get_output(index).name, network.get_output(index).dtype.name) for index in range(network.num_outputs)
    ]
