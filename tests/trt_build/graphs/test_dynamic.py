"""Engines of a range of sizes: the graphs, the shapes of their inputs, the builds, and what contexts are told."""

from __future__ import annotations

from collections import deque
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest

from tests.onnx_executor import onnx_executors
from tests.simulated_device import SimulatedDevice
from tests.support import ROOT
from trt_build.backends.loaded import ContextExecutor
from trt_build.engines.build import BuildOptions, build_engine, engine_graphs, shape_ranges
from trt_build.engines.runtimes import missing
from trt_build.engines.targets import Target
from trt_build.graphs.dynamic import input_shapes
from trt_build.model_file import ModelFile
from trt_build.profile import RGBS, PlaneFormat, Profile
from vs_interp.errors import ArgumentError, BackendError
from vs_interp.weights.catalogue import catalogue

BUNDLED = ModelFile.load(ROOT / "vs_interp/models/super-slomo-small.onnx")
P8 = PlaneFormat(family="yuv", bits=8, floating=False, subsampling=(1, 1), full_range=False)
FORMATS = {
    "YUV420P8": P8,
    "YUV420P10": replace(P8, bits=10),
    "YUV422P16": replace(P8, bits=16, subsampling=(1, 0), siting="top_left"),
    "GRAY8": PlaneFormat(family="gray", bits=8, floating=False),
    "RGBS": RGBS,
}
RANGE = BuildOptions(runtime="tensorrt-rtx", dynamic=((128, 128), (1024, 512)))
ADA = Target(8, 9)


@pytest.mark.skipif(missing("tensorrt-rtx") is not None, reason="tensorrt-rtx is not installed")
@pytest.mark.parametrize("planes", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("name", [pytest.param("super-slomo-small", marks=pytest.mark.slow), "fsrcnn-x2"])
def test_a_range_of_sizes_builds_in_every_format(name: str, planes: PlaneFormat) -> None:
    model = ModelFile.load(catalogue()[name].model_file)
    engine = build_engine(model, Profile(width=512, height=256, planes=planes), RANGE, ADA)
    assert set(engine.plans) == ({"state", "synthesis"} if model.spec.state else {"synthesis"})


def test_every_input_has_its_own_shapes() -> None:
    """Width and height of each plane, pairs of bytes as two columns, and of what is state."""
    profile = Profile(width=512, height=256, planes=replace(P8, bits=10))
    smallest, usual, largest = shape_ranges(BUNDLED, profile, RANGE)
    for shapes, (height, width) in ((smallest, (128, 128)), (usual, (256, 512)), (largest, (512, 1024))):
        assert shapes["frame0_plane0"] == (1, 1, height, 2 * width)
        assert shapes["frame1_plane2"] == (1, 1, height // 2, width)
        assert shapes["frame0"] == (1, 3, height, width)
        assert shapes["time"] == (1, 1, 1, 1)


@pytest.mark.parametrize("planes", FORMATS.values(), ids=FORMATS)
def test_a_graph_of_any_size_gives_what_that_of_one_size_gives(planes: PlaneFormat) -> None:
    """Worked out at another size than the usual one; the rest of the graph is the same, node by node."""
    usual = Profile(width=512, height=256, planes=planes)
    other = Profile(width=256, height=128, planes=planes)
    free, fixed = engine_graphs(BUNDLED, usual, RANGE), engine_graphs(BUNDLED, other, replace(RANGE, dynamic=None))
    shapes = input_shapes(BUNDLED, other)
    device, random = SimulatedDevice(), np.random.default_rng(2)
    made: list[dict[str, Any]] = []
    sizes = dict(zip(range(3), other.plane_sizes, strict=False))
    top = 1 if planes.floating else 2**planes.bits
    inputs = {
        name: (random.uniform(top / 4, top * 3 / 4, sizes[int(name[-1])])).astype(planes.dtype)
        for name in shapes
        if "_plane" in name
    }
    for graphs in (free, fixed):
        executors = onnx_executors(graphs, shapes)
        assert executors.state is not None
        stream, blocks = device.stream(), {}
        for executor in (executors.state, executors.synthesis):
            for name, size in {**executor.inputs, **executor.outputs}.items():
                blocks.setdefault(name, device.allocate(size))
                executor.bind(name, blocks[name].address)
        for name, values in {**inputs, "time": np.float32([0.5])}.items():
            stream.send(blocks[name].address, values)
        executors.state.enqueue(stream.handle)
        executors.synthesis.enqueue(stream.handle)
        made.append({name: np.empty(size, np.uint8) for name, size in executors.synthesis.outputs.items()})
        for name, values in made[-1].items():
            stream.fetch(values, blocks[name].address)
        stream.synchronise()
    for name, values in made[0].items():
        typed = [side.view(planes.dtype).astype(np.float64) for side in (values, made[1][name])]
        limit = 1 / 255 if planes.floating else 2 ** (planes.bits - 8)
        assert np.abs(typed[0] - typed[1]).max() <= limit
        assert typed[0].std() > 0


@pytest.mark.parametrize(
    ("profile", "limits", "message"),
    [
        (Profile(width=512, height=256), ((1024, 512), (2048, 1024)), "smallest size 1024x512 exceeds"),
        (Profile(width=512, height=256), ((128, 128), (256, 256)), "usual size 512x256 exceeds the largest"),
        (Profile(width=500, height=256), ((128, 128), (1024, 512)), "next is 512x256"),
    ],
)
def test_ranges_that_cannot_be_had_are_refused(profile: Profile, limits: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        engine_graphs(BUNDLED, profile, replace(RANGE, dynamic=limits))


class FreeEngine:
    """An engine and its context with one free and one fixed input, as TensorRT's are documented to behave."""

    shapes: ClassVar = {"plane": (1, 1, -1, -1), "time": (1, 1, 1, 1), "made": (1, 1, -1, -1)}
    num_io_tensors = 3
    device_memory_size_v2 = 1 << 30

    def __init__(self, *, accepts: bool = True) -> None:
        self.told: dict[str, Any] = {}
        self.accepts = accepts

    def get_tensor_name(self, index: int) -> str:
        return list(self.shapes)[index]

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return self.told["plane"] if self.told and name != "time" else self.shapes[name]

    def get_tensor_dtype(self, name: str) -> Any:
        return SimpleNamespace(itemsize=4)

    def get_tensor_mode(self, name: str) -> str:
        return "out" if name == "made" else "in"

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self.told[name] = shape
        return self.accepts

    def update_device_memory_size_for_shapes(self) -> int:
        assert self.told, "shapes come first"
        return 1000


TRT: Any = SimpleNamespace(TensorIOMode=SimpleNamespace(INPUT="in", OUTPUT="out"))


def loaded(**shapes: tuple[int, ...]) -> Any:
    """What a context asks of the engine that it belongs to."""
    log = SimpleNamespace(errors=lambda: nullcontext(deque()))
    return SimpleNamespace(trt=TRT, shapes=shapes, device=SimulatedDevice(), log=log)


def test_a_context_is_told_the_size_and_asked_what_it_needs_for_it() -> None:
    """Only free inputs; scratch memory and tensors are as large as that size needs, not the largest."""
    context = FreeEngine()
    executor = ContextExecutor(loaded(plane=(1, 1, 8, 16), time=(1, 1, 1, 1)), FreeEngine(), context)
    assert context.told == {"plane": (1, 1, 8, 16)}
    assert (executor.inputs, executor.outputs) == ({"plane": 512, "time": 4}, {"made": 512})
    assert executor.scratch == 1000


def test_a_size_that_the_runtime_refuses_is_named() -> None:
    with pytest.raises(BackendError, match=r"does not accept the shape \(1, 1, 8, 16\) of plane"):
        ContextExecutor(loaded(plane=(1, 1, 8, 16)), FreeEngine(), FreeEngine(accepts=False))
