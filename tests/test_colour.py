"""The colour graph against zimg (VapourSynth's ``resize.Bicubic``), and serving through it against serving in RGB."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import openvino
import pytest
import vapoursynth as vs
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper
from vs_interp.filters import super_slomo

from trt_build.backends.base import Picture
from trt_build.backends.openvino import OpenVINO
from trt_build.colour import with_planes
from trt_build.model_file import ModelFile, with_spec
from trt_build.precision import to_half
from trt_build.profile import RGBS, PlaneFormat, Profile
from vs_interp.errors import ArgumentError, BackendError, ModelFileError
from vs_interp.spec import NetworkSpec, Output, Window

from . import rtx
from .support import ROOT, SHARED, needs_shared

core = vs.core

RUNTIME = openvino.Core()

BUNDLED = ModelFile.load(ROOT / "vs_interp/models/super-slomo-small.onnx")
FAMILIES = {"yuv": vs.YUV, "gray": vs.GRAY, "rgb": vs.RGB}
MATRICES = {"601": 6, "709": 1, "2020": 9}
SITINGS = {"left": 0, "center": 1, "top_left": 2}
SUBSAMPLINGS = {"420": (1, 1), "422": (1, 0), "444": (0, 0), "gray": (0, 0), "rgb": (0, 0)}
SAMPLES = ((8, False), (10, False), (12, False), (16, False), (16, True), (32, True))
YUV420P8 = PlaneFormat(family="yuv", bits=8, floating=False, subsampling=(1, 1), full_range=False)
SMALL = Profile(width=48, height=36)


def as_model(nodes: list[onnx.NodeProto], spec: NetworkSpec) -> ModelFile:
    """A model file of these nodes between the spec's inputs and ``output``."""
    shape = [1, 3, "height", "width"]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in spec.frame_inputs]
    if spec.takes_time:
        values.append(helper.make_tensor_value_info("time", TensorProto.FLOAT, [1, 1, 1, 1]))
    made = helper.make_tensor_value_info("output", TensorProto.FLOAT, [spec.pictures, *shape[1:]])
    graph = helper.make_graph(nodes, "test", values, [made])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return ModelFile.from_bytes(with_spec(model, spec).SerializeToString())


def identity(multiple_of: int = 1) -> ModelFile:
    """A network that gives its frame back.  It takes a time, so that it is split into the way in and the way out."""
    nodes = [
        helper.make_node("Sub", ["time", "time"], ["zero"], name="/Sub_0"),
        helper.make_node("Add", ["frame0", "zero"], ["output"], name="/Add_1"),
    ]
    return as_model(nodes, NetworkSpec(name="identity", window=Window(offsets=(0,)), multiple_of=multiple_of))


def run(graph: ModelProto | None, inputs: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
    """Return the outputs of a graph; inputs that it does not have are left out."""
    assert graph is not None
    options = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": "1"}
    compiled = RUNTIME.compile_model(RUNTIME.read_model(graph.SerializeToString(), b""), "CPU", options)
    request = compiled.create_infer_request()
    request.infer({port: inputs[port.get_any_name()] for port in compiled.inputs})
    return [tensor.data.copy() for tensor in request.output_tensors]


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


@pytest.mark.parametrize(("bits", "floating"), SAMPLES)
@pytest.mark.parametrize("layout", SUBSAMPLINGS)
def test_conversion_of_noise_is_that_of_zimg(layout: str, bits: int, floating: bool) -> None:
    """Both ways, edges included, for every matrix, range and siting that the format has."""
    family: Any = layout if layout in FAMILIES else "yuv"
    subsampling = SUBSAMPLINGS[layout]
    matrices = MATRICES if family != "rgb" else ["709"]
    sitings = SITINGS if subsampling != (0, 0) else ["left"]
    ranges = (True,) if floating else (True, False)
    rgb = np.random.default_rng(5).uniform(-0.1, 1.1, (3, SMALL.height, SMALL.width)).astype(np.float32)
    for matrix, siting, full_range in itertools.product(matrices, sitings, ranges):
        planes = PlaneFormat(
            family=family,
            bits=bits,
            floating=floating,
            subsampling=subsampling,
            matrix=matrix,  # type: ignore[arg-type]
            full_range=full_range,
            siting=siting,  # type: ignore[arg-type]
        )
        picture = noise(planes, SMALL, seed=bits)
        unit = 1 if floating else 2**bits - 1
        assert_near(planes, from_planes(planes, SMALL, picture), zimg_from_planes(planes, picture), unit)
        assert_near(planes, to_planes(planes, SMALL, rgb), zimg_to_planes(planes, rgb))


def flower(width: int, height: int, form: int) -> vs.VideoNode:
    """Two frames of the flower clip (BT.601, limited range, chroma left)."""
    clip = core.bs.VideoSource(str(SHARED / "data/clips/flower_540p30.mp4"), cachemode=0)[20:22]
    return core.resize.Bicubic(clip, width, height, format=form)


@needs_shared
@pytest.mark.parametrize("bits", [8, 10, 16])
def test_conversion_of_a_real_frame_is_that_of_zimg(bits: int) -> None:
    planes = replace(YUV420P8, bits=bits, matrix="601")
    profile = Profile(width=240, height=136)
    clip = flower(240, 136, video_format(planes))
    rgb = np.stack(picture_of(core.resize.Bicubic(clip, format=vs.RGBS)))
    assert_near(planes, from_planes(planes, profile, picture_of(clip)), rgb, 2**bits - 1)
    back = core.resize.Bicubic(clip_of(rgb, vs.RGBS), format=video_format(planes), matrix=6)
    assert_near(planes, to_planes(planes, profile, rgb), picture_of(back))


def test_frames_are_padded_by_repetition_and_pictures_cut() -> None:
    """A network that takes multiples of 32 sees the last row and column again; the planes have the clip's size."""
    picture = noise(YUV420P8, SMALL, seed=1)
    exact, padded = (from_planes(YUV420P8, SMALL, picture, multiple_of=size) for size in (1, 32))
    np.testing.assert_array_equal(padded, np.pad(exact, ((0, 0), (0, 28), (0, 16)), mode="edge"))
    made = serve(OpenVINO(slots=1, planes="native"), identity(32), replace(SMALL, planes=YUV420P8), [picture], [0.5])
    assert [plane.shape for plane in made[0]] == [(36, 48), (18, 24), (18, 24)]


def test_pictures_of_a_run_and_an_enlarging_scale_keep_their_order() -> None:
    """Two pictures at twice the size: the first frame's, then the second's, each as zimg converts it."""
    nodes = [
        helper.make_node("Concat", ["frame0", "frame1"], ["both"], name="/Concat_0", axis=0),
        helper.make_node("Concat", ["both", "both"], ["wide"], name="/Concat_1", axis=3),
        helper.make_node("Concat", ["wide", "wide"], ["output"], name="/Concat_2", axis=2),
    ]
    model = as_model(nodes, NetworkSpec(name="pair", output=Output(times=(0.25, 0.75), scale=2)))
    planes = replace(YUV420P8, bits=10)
    pictures = [noise(planes, SMALL, seed) for seed in (1, 2)]
    graph = with_planes(model, replace(SMALL, planes=planes))
    made = run(graph.graph, planes_in(pictures[0], "frame0") | planes_in(pictures[1], "frame1"))
    for index, picture in enumerate(pictures):
        wanted = zimg_to_planes(planes, np.tile(zimg_from_planes(planes, picture), (1, 2, 2)))
        assert_near(planes, [plane.view(planes.dtype)[index, 0] for plane in made], wanted)


def test_the_split_converts_each_frame_once_a_window() -> None:
    """The graph that is run for every time takes RGB and the network's state, no planes."""
    state, synthesis = with_planes(BUNDLED, Profile(width=64, height=64, planes=YUV420P8)).split()
    assert state is not None
    assert [value.name for value in state.graph.input] == [f"frame{f}_plane{p}" for f in (0, 1) for p in (0, 1, 2)]
    assert [value.name for value in state.graph.output] == ["frame0", "frame1", *BUNDLED.spec.state]
    assert [value.name for value in synthesis.graph.input] == ["time", "frame0", "frame1", *BUNDLED.spec.state]
    assert [value.name for value in synthesis.graph.output] == ["output_plane0", "output_plane1", "output_plane2"]


@pytest.mark.parametrize("size", [(448, 256), (1920, 1080)], ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("bits", [8, 10])
def test_tensorrt_rtx_builds_the_half_network_with_planes(bits: int, size: tuple[int, int]) -> None:
    """Static, strongly typed, for SM86 on a machine without a GPU; planes are uint8 tensors."""
    profile = Profile(width=size[0], height=size[1], planes=replace(YUV420P8, bits=bits))
    types: dict[str, str] = {}
    for graph in filter(None, with_planes(to_half(BUNDLED), profile).split()):
        types |= rtx.build(graph)
    assert [types[f"frame1_plane{index}"] for index in range(3)] == ["UINT8"] * 3
    assert [types[f"output_plane{index}"] for index in range(3)] == ["UINT8"] * 3


def serve(
    backend: OpenVINO, model: ModelFile, profile: Profile, window: Sequence[Picture], times: Sequence[float]
) -> list[Picture]:
    """Return the pictures that a session makes."""
    out = [[np.empty(size, profile.planes.dtype) for size in profile.plane_sizes] for _ in times]
    backend.open(model, profile)[0].run(window, range(len(window)), times, out)
    return out


@pytest.mark.parametrize("bits", [8, 16])
def test_a_session_in_planes_equals_one_in_rgb(bits: int) -> None:
    """Within 1 code at 8 bits and 2 at 16, at a size that needs padding, two times of one window."""
    planes = replace(YUV420P8, bits=bits)
    coarse = [np.random.default_rng(seed).random((3, 8, 12)).astype(np.float32) for seed in (1, 2)]
    smooth = [core.resize.Bicubic(clip_of(rgb, vs.RGBS), 90, 70) for rgb in coarse]
    window = [zimg_to_planes(planes, np.stack(picture_of(clip))) for clip in smooth]
    profile, times = Profile(width=90, height=70), (0.25, 0.6)
    native = serve(OpenVINO(slots=1, planes="native"), BUNDLED, replace(profile, planes=planes), window, times)
    rgb = serve(OpenVINO(slots=1), BUNDLED, profile, [list(zimg_from_planes(planes, p)) for p in window], times)
    for ours, theirs in zip(native, rgb, strict=True):
        assert_near(planes, ours, zimg_to_planes(planes, np.stack(theirs)))
    assert np.abs(native[0][0].astype(int) - native[1][0].astype(int)).max() > 2  # the times do differ


@needs_shared
@pytest.mark.parametrize("form", [vs.YUV420P8, vs.YUV422P10])
def test_the_filter_in_planes_equals_the_filter_in_rgb(form: int) -> None:
    """The same node and time line: as many frames, source frames bit-exact, made frames within 1 code."""
    clip = flower(176, 100, form)
    native, rgb = (
        super_slomo(clip, factor=2, backend=OpenVINO(slots=2, planes=planes)) for planes in ("native", "rgb")
    )
    assert (native.num_frames, native.format.id, native.fps) == (rgb.num_frames, form, rgb.fps)
    for number in range(native.num_frames):
        for ours, theirs in zip(picture_of(native, number), picture_of(rgb, number), strict=True):
            assert np.abs(ours.astype(int) - theirs.astype(int)).max() <= (1 if number == 1 else 0)
    assert any((a != b).any() for a, b in zip(picture_of(native, 1), picture_of(native, 0), strict=True))


def test_what_cannot_be_composed_or_served_is_said() -> None:
    luma = replace(BUNDLED, spec=replace(BUNDLED.spec, window=Window(channels=1)))
    with pytest.raises(ModelFileError, match="RGB of RGB"):
        with_planes(luma, Profile(width=64, height=64, planes=YUV420P8))
    with pytest.raises(ArgumentError, match="65x64 has no whole chroma planes"):
        with_planes(BUNDLED, Profile(width=65, height=64, planes=YUV420P8))
    with pytest.raises(BackendError, match="planes='native'"):
        OpenVINO().open(BUNDLED, Profile(width=64, height=64, planes=YUV420P8))
    with pytest.raises(ArgumentError, match="colour needs 'fp32'"):
        OpenVINO(planes="native", precision="bf16")
    assert RGBS.dtype == np.float32 and not OpenVINO().native_planes and OpenVINO(planes="native").native_planes
