"""Choosing a backend, the options of the GPU backends, and an engine's graphs served by slots."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import pytest
from numpy.typing import NDArray

from tests.onnx_executor import onnx_executors
from tests.simulated_device import SimulatedDevice
from tests.support import ROOT
from trt_build import backends
from trt_build.backends import Backend, OpenVINO, TensorRT, TensorRTRTX, choose, known
from trt_build.backends.cuda import missing_cuda
from trt_build.backends.loaded import LoadedEngine, PlanError
from trt_build.backends.signal_stack import signal_stack_kept
from trt_build.backends.slots import bindings
from trt_build.backends.streams import open_slots
from trt_build.engines.build import BuildOptions, engine_graphs
from trt_build.engines.kept_kernels import KernelCache
from trt_build.engines.targets import Gpu, Target
from trt_build.graphs.colour.planes import with_planes
from trt_build.graphs.precision import to_half
from trt_build.model_file import ModelFile
from trt_build.profile import PlaneFormat, Profile
from vs_interp.errors import ArgumentError, BackendError

ANY_GPU = Gpu(0, "NVIDIA Anything", Target(8, 9), "13.0")
no_gpu = pytest.mark.skipif(missing_cuda() is None, reason="there is a GPU")

P8 = PlaneFormat(family="yuv", bits=8, floating=False, subsampling=(1, 1), full_range=False)
P10 = PlaneFormat(family="yuv", bits=10, floating=False, subsampling=(1, 1), full_range=False)
YUV444PS = PlaneFormat(family="yuv", bits=32)
RGB24 = PlaneFormat(family="rgb", bits=8, floating=False)
GRAY16 = PlaneFormat(family="gray", bits=16, floating=False)


@pytest.fixture(scope="module")
def model() -> ModelFile:
    """The network that ships with the package."""
    return ModelFile.load(ROOT / "vs_interp" / "models" / "super-slomo-small.onnx")


def test_a_backend_is_taken_as_it_is_and_a_name_means_its_defaults() -> None:
    mine = OpenVINO(threads=1)
    assert choose(mine) is mine
    assert choose("openvino") == OpenVINO()
    assert choose("tensorrt") == TensorRT()
    assert choose("tensorrt-rtx") == TensorRTRTX()
    assert [kind.name for kind in known()] == ["tensorrt", "tensorrt-rtx", "openvino", "onnxruntime"]


def test_an_unknown_name_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(ArgumentError, match="no backend is called 'cuda': known are tensorrt, tensorrt-rtx, openvino"):
        choose("cuda")


@no_gpu
def test_none_takes_the_best_that_works_and_says_once_what_was_passed_over(capsys: pytest.CaptureFixture[str]) -> None:
    backends._best.cache_clear()
    assert choose(None) == OpenVINO()
    assert choose(None) == OpenVINO()
    said = capsys.readouterr().err
    assert said == "vs-interp: running on openvino, not tensorrt or tensorrt-rtx (vs-interp doctor says why)\n"


@no_gpu
@pytest.mark.parametrize("backend", [TensorRT(), TensorRTRTX()])
def test_what_is_missing_is_said_with_the_way_to_get_it(backend: Backend, model: ModelFile) -> None:
    with pytest.raises(BackendError, match=r"pip install|install the newest driver|nvidia-smi"):
        backend.open(model, Profile(width=64, height=64, planes=P8))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"streams": 0}, "streams is 0: it must be a whole number"),
        ({"streams": "many"}, "streams is 'many'"),
        ({"devices": []}, "name at least one GPU, each once"),
        ({"devices": [0, 0]}, r"devices=\[0, 0\]: name at least one GPU, each once"),
        ({"device": -1}, "counted from 0"),
        ({"optimization": 6}, "optimization is 6: it must be a whole number from 0 to 5"),
        ({"dynamic": ((64, 64), (128, 128))}, "give the smallest, usual and largest"),
        ({"workspace": 1, "streams": 2}, "workspace of 1 MiB is too small"),
    ],
)
def test_options_that_cannot_be_used_are_errors_at_once(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        TensorRT(**options)


@pytest.mark.parametrize("options", [{"threads": 0}, {"streams": -1}, {"threads": "2"}, {"streams": 1.5}])
def test_threads_and_streams_are_whole_numbers(options: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match=r"is .*: it must be a whole number from 1 up"):
        OpenVINO(**options)


def test_where_and_how_many_are_not_the_engines_identity() -> None:
    """The same engine serves on another GPU of a kind, and with two streams or three."""
    same = TensorRT(streams=2).build_options().identity()
    assert TensorRT(streams=3, device=1).build_options().identity() == same
    assert TensorRT(streams="auto", devices=[0, 1]).build_options().identity() == same
    assert TensorRT(streams=2, optimization=5).build_options().identity() != same
    assert TensorRT(streams=2, workspace=512).build_options().identity() != same
    assert hash(TensorRT(devices=[0, 1])) == hash(TensorRT(devices=(0, 1)))


@pytest.mark.parametrize("planes", [P8, P10, YUV444PS, RGB24, GRAY16], ids=["p8", "p10", "444ps", "rgb24", "gray16"])
def test_the_layout_names_every_tensor_of_the_graph_with_its_size(model: ModelFile, planes: PlaneFormat) -> None:
    profile = Profile(width=100, height=68, planes=planes)
    graph = with_planes(to_half(model), profile).graph.graph
    form = bindings(model.spec, profile)
    named = dict(zip([n for names in form.frames for n in names], form.frame.sizes * len(form.frames), strict=True))
    named |= {"time": 4} | dict(zip(form.outputs, form.picture.sizes, strict=True))
    sizes = {value.name: tensor_bytes(value) for value in (*graph.input, *graph.output)}
    assert named == sizes


def tensor_bytes(value: Any) -> int:
    kinds = {1: 4, 2: 1, 10: 2}
    tensor = value.type.tensor_type
    return int(np.prod([dimension.dim_value for dimension in tensor.shape.dim])) * kinds[tensor.elem_type]


@pytest.mark.parametrize("planes", [P8, P10], ids=["p8", "p10"])
def test_slots_give_what_the_whole_graph_gives(model: ModelFile, planes: PlaneFormat) -> None:
    """Split at the state, bound by name, frames shared by two slots, rows padded: but for FP16 sums, the same.

    Half-precision sums taken in another order show: by up to two code values of 8 bits.
    """
    limit = 2 << (planes.bits - 8)
    profile = Profile(width=76, height=50, planes=planes)
    random = np.random.default_rng(5)
    wide = [squares(random, height, width + 10, planes) for height, width in profile.plane_sizes]
    clip = [
        [plane[:, shift : shift + size[1]] for plane, size in zip(wide, profile.plane_sizes, strict=True)]
        for shift in range(3)
    ]
    graphs = engine_graphs(model, profile, BuildOptions(runtime="tensorrt-rtx"))
    slots = open_slots(SimulatedDevice(), lambda: onnx_executors(graphs), bindings(model.spec, profile), 2)
    with signal_stack_kept():
        whole = openvino.Core().compile_model(
            openvino.Core().read_model(with_planes(to_half(model), profile).graph.SerializeToString(), b""),
            "CPU",
            {"INFERENCE_PRECISION_HINT": "f32"},
        )
    for number, times in ((0, [0.25, 0.5, 0.75]), (1, [0.5])):
        out = [[np.zeros_like(plane) for plane in clip[0]] for _ in times]
        slots[number].run(clip[number : number + 2], [number, number + 1], times, out)
        for time, picture in zip(times, out, strict=True):
            inputs: dict[str, Any] = {"time": np.full((1, 1, 1, 1), time, np.float32)}
            for index in range(2):
                for plane, values in enumerate(clip[number + index]):
                    inputs[f"frame{index}_plane{plane}"] = np.ascontiguousarray(values).view(np.uint8)[None, None]
            wanted = whole(inputs)
            for plane, values in enumerate(picture):
                expected = wanted[f"output_plane{plane}"][0, 0].view(values.dtype)
                assert np.abs(values.astype(int) - expected).max() <= limit
                assert values.std() > 0


def squares(random: np.random.Generator, height: int, width: int, planes: PlaneFormat) -> NDArray[Any]:
    """A plane of squares of 8 pixels in random shades."""
    shades = random.integers(0, 2**planes.bits, (height // 8 + 1, width // 8 + 1))
    plane: NDArray[Any] = np.kron(shades, np.ones((8, 8), int)).astype(planes.dtype)[:height, :width]
    return plane


def test_a_plan_that_the_runtime_refuses_is_told_from_other_errors() -> None:
    trt = pytest.importorskip("tensorrt_rtx")
    with pytest.raises(PlanError, match=r"the engine cannot be read: .*"):
        LoadedEngine(trt, {"synthesis": b"no plan at all" * 100}, {}, device=SimulatedDevice())


def test_compiled_kernels_are_kept_and_damaged_ones_are_not_used(tmp_path: Path) -> None:
    cache = KernelCache(tmp_path, "d" * 64, ANY_GPU)
    assert cache.read(["state", "synthesis"]) == {}
    cache.write({"state": b"one", "synthesis": b"two"})
    again = KernelCache(tmp_path, "d" * 64, ANY_GPU)
    assert again.read(["state", "synthesis"]) == {"state": b"one", "synthesis": b"two"}
    for other in (replace(ANY_GPU, name="NVIDIA Other"), replace(ANY_GPU, driver="13.1")):
        assert KernelCache(tmp_path, "d" * 64, other).read(["state"]) == {}
    path = next(tmp_path.glob("*.state.kernels"))
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert again.read(["state", "synthesis"]) == {"synthesis": b"two"}
    again.write({"state": b"three", "synthesis": b"two"})
    assert again.read(["state"]) == {"state": b"three"}
    KernelCache(tmp_path / "not a folder", "d" * 64, ANY_GPU).write({"state": b"lost"})


def test_an_openvino_that_cannot_be_imported_is_missing(tmp_path: Path) -> None:
    """As where a plugin loaded another one before: the binding's own words are long, and its last line says why."""
    package = tmp_path / "openvino"
    package.mkdir()
    (package / "__init__.py").write_text(
        "raise ImportError('Check failed at a.cpp:99:\\nOne is not another. It is so.')"
    )
    asked = "from trt_build.backends import OpenVINO; print(OpenVINO.missing())"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    told = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True, env=environment)
    assert told.stdout.startswith("the package openvino cannot be imported (One is not another): install it again; ")
