"""What tests of the colour graph share: models to put into it, runs of it, and zimg (``resize.Bicubic``)."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest
import vapoursynth as vs
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper

from trt_build.backends.base import Picture
from trt_build.backends.openvino import OpenVINO
from trt_build.graphs.colour.planes import with_planes
from trt_build.model_file import ModelFile, with_spec
from trt_build.profile import PlaneFormat, Profile
from vs_interp.spec import NetworkSpec, Window

from .support import ROOT

core = vs.core
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
onnxruntime = pytest.importorskip("onnxruntime")

BUNDLED = ModelFile.load(ROOT / "vs_interp/models/super-slomo-small.onnx")
FAMILIES = {"yuv": vs.YUV, "gray": vs.GRAY, "rgb": vs.RGB}
MATRICES = {"601": 6, "709": 1, "2020": 9}
SITINGS = {"left": 0, "center": 1, "top_left": 2}
SUBSAMPLINGS = {"420": (1, 1), "422": (1, 0), "444": (0, 0), "gray": (0, 0), "rgb": (0, 0)}
YUV420P8 = PlaneFormat(family="yuv", bits=8, floating=False, subsampling=(1, 1), full_range=False)
SMALL = Profile(width=48, height=36)


def as_model(nodes: list[onnx.NodeProto], spec: NetworkSpec, constants: Sequence[TensorProto] = ()) -> ModelFile:
    """A model file of these nodes between the spec's inputs and ``output``."""
    shape = [1, spec.window.channels, "height", "width"]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in spec.frame_inputs]
    if spec.takes_time:
        values.append(helper.make_tensor_value_info("time", TensorProto.FLOAT, [1, 1, 1, 1]))
    made = helper.make_tensor_value_info("output", TensorProto.FLOAT, [spec.pictures, spec.output.channels, *shape[2:]])
    graph = helper.make_graph(nodes, "test", values, [made], list(constants))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return ModelFile.from_bytes(with_spec(model, spec).SerializeToString())


def identity(multiple_of: int = 1) -> ModelFile:
    """A network that gives its frame back.  It takes a time, so that it is split into the way in and the way out."""
    nodes = [
        helper.make_node("Sub", ["time", "time"], ["zero"], name="/Sub_0"),
        helper.make_node("Add", ["frame0", "zero"], ["output"], name="/Add_1"),
    ]
    spec = NetworkSpec(name="identity", window=Window(offsets=(0,)), multiple_of=multiple_of, input_range="free")
    return as_model(nodes, spec)


def run(graph: ModelProto | None, inputs: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
    """Return the outputs of a graph; inputs that it does not have are left out.

    By ONNX Runtime, which opens a graph in a tenth of the time that OpenVINO takes to compile it.
    """
    assert graph is not None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = onnxruntime.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])
    made: list[NDArray[Any]] = session.run(None, {port.name: inputs[port.name] for port in session.get_inputs()})
    return made


def planes_in(picture: Picture, frame: str = "frame0") -> dict[str, NDArray[Any]]:
    """Return a picture as the inputs of the colour graph."""
    stored = [plane.view(np.uint8) if plane.dtype == np.uint16 else plane for plane in picture]
    return {f"{frame}_plane{index}": plane[None, None] for index, plane in enumerate(stored)}


def from_planes(planes: PlaneFormat, profile: Profile, picture: Picture, multiple_of: int = 1) -> NDArray[np.float32]:
    """Return the 3×height×width RGB that the colour graph gives to the network."""
    entry, _ = with_planes(identity(multiple_of), replace(profile, planes=planes)).split()
    rgb: NDArray[np.float32] = run(entry, planes_in(picture))[0][0]
    return rgb


def to_planes(planes: PlaneFormat, profile: Profile, rgb: NDArray[np.float32]) -> Picture:
    """Return the planes that the colour graph makes of a network's 3×height×width output."""
    _, exit_ = with_planes(identity(), replace(profile, planes=planes)).split()
    made = run(exit_, {"frame0": rgb[None], "time": np.zeros((1, 1, 1, 1), np.float32)})
    return [plane.view(planes.dtype)[0, 0] for plane in made]


def video_format(planes: PlaneFormat) -> int:
    sample = vs.FLOAT if planes.floating else vs.INTEGER
    return core.query_video_format(FAMILIES[planes.family], sample, planes.bits, *planes.subsampling).id


def clip_of(picture: Picture, form: int) -> vs.VideoNode:
    """Return a clip of one frame without properties."""
    height, width = picture[0].shape
    blank = core.std.BlankClip(format=form, width=width, height=height, length=1)
    blank = core.std.RemoveFrameProps(blank)

    def fill(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        frame = f.copy()
        for index, plane in enumerate(picture):
            np.asarray(frame[index])[...] = plane
        return frame

    return core.std.ModifyFrame(blank, blank, fill)


def picture_of(clip: vs.VideoNode, number: int = 0) -> list[NDArray[Any]]:
    with clip.get_frame(number) as frame:
        return [np.asarray(frame[index]).copy() for index in range(frame.format.num_planes)]


def colour_of(planes: PlaneFormat) -> dict[str, int]:
    """Return the arguments of ``resize`` that say what the planes mean."""
    arguments = {"range": int(planes.full_range)}
    if planes.family != "rgb":
        arguments["matrix"] = MATRICES[planes.matrix]
    if planes.subsampling != (0, 0):
        arguments["chromaloc"] = SITINGS[planes.siting]
    return arguments


def zimg_from_planes(planes: PlaneFormat, picture: Picture) -> NDArray[np.float32]:
    """Return VapourSynth's 3×height×width RGB of a picture."""
    source = {f"{name}_in": value for name, value in colour_of(planes).items()}
    clip = core.resize.Bicubic(clip_of(picture, video_format(planes)), format=vs.RGBS, range=1, **source)
    return np.stack(picture_of(clip))


def zimg_to_planes(planes: PlaneFormat, rgb: NDArray[np.float32]) -> Picture:
    """Return VapourSynth's planes of 3×height×width RGB."""
    return picture_of(core.resize.Bicubic(clip_of(rgb, vs.RGBS), format=video_format(planes), **colour_of(planes)))


def noise(planes: PlaneFormat, profile: Profile, seed: int) -> Picture:
    """Return planes of noise, over all codes."""
    random = np.random.default_rng(seed)
    sizes = replace(profile, planes=planes).plane_sizes
    if not planes.floating:
        return [random.integers(0, 1 << planes.bits, size).astype(planes.dtype) for size in sizes]
    centre = [0.5 if planes.family == "yuv" and index else 0.0 for index in range(len(sizes))]
    return [(random.random(size) - middle).astype(planes.dtype) for size, middle in zip(sizes, centre, strict=True)]


def allowed(planes: PlaneFormat) -> float:
    """Return how far the conversions may lie apart: 1 code of 8 bits, 2 of more; of float and half, in thousandths."""
    if planes.floating:
        return 1e-3 if planes.bits == 16 else 1e-5
    return 1 if planes.bits == 8 else 2


def assert_near(
    planes: PlaneFormat, made: Sequence[NDArray[Any]], wanted: Sequence[NDArray[Any]], unit: float = 1
) -> None:
    for index, (ours, theirs) in enumerate(zip(made, wanted, strict=True)):
        differences = np.abs(ours.astype(np.float64) - theirs.astype(np.float64)) * unit
        assert differences.max() <= allowed(planes), f"plane {index} of {planes} differs by {differences.max()}"
        if not planes.floating:
            assert np.mean(differences > 0.5) < 0.05, f"plane {index} of {planes} is rounded in another way"


def film(width: int, height: int, form: int) -> vs.VideoNode:
    """Two frames of the bundled clip as BT.601 in the limited range, chroma left."""
    clip = core.bs.VideoSource(str(ROOT / "vs_interp/clips/bbb_360p24.mp4"), cachemode=0)[22:24]
    return core.resize.Bicubic(clip, width, height, format=form, matrix_in_s="709", matrix_s="170m", chromaloc_s="left")


def serve(
    backend: OpenVINO, model: ModelFile, profile: Profile, window: Sequence[Picture], times: Sequence[float]
) -> list[Picture]:
    """Return the pictures that a session makes."""
    out = [[np.empty(size, profile.planes.dtype) for size in profile.plane_sizes] for _ in times]
    backend.open(model, profile)[0].run(window, range(len(window)), times, out)
    return out
