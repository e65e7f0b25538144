"""Luma networks in the colour graph: luma goes through the network, chroma is enlarged as ``core.resize`` does it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest
import vapoursynth as vs
from numpy.typing import NDArray
from onnx import helper

from tests import rtx
from tests.colour import (
    SITINGS,
    SMALL,
    YUV420P8,
    as_model,
    assert_near,
    clip_of,
    core,
    noise,
    picture_of,
    planes_in,
    run,
    video_format,
)
from trt_build.engines.build import BuildOptions, build_engine, engine_graphs
from trt_build.engines.targets import Target
from trt_build.graphs.colour.planes import with_planes
from trt_build.model_file import ModelFile
from trt_build.profile import PlaneFormat, Profile
from vs_interp.errors import ModelFileError
from vs_interp.spec import NetworkSpec, Output, Window
from vs_interp.weights.catalogue import catalogue

FORMATS = {"420": (1, 1), "422": (1, 0), "444": (0, 0)}
ADA = Target(8, 9)
LUMA = Window(offsets=(0,), channels=1)


def repeating(scale: int, multiple_of: int = 1) -> ModelFile:
    """A luma network that makes ``scale`` times ``scale`` equal pixels of each."""
    kernel = onnx.numpy_helper.from_array(np.ones((1, 1, scale, scale), np.float32))
    nodes = [
        helper.make_node("Constant", [], ["kernel"], value=kernel, name="/Constant_0"),
        helper.make_node("ConvTranspose", ["frame0", "kernel"], ["output"], strides=[scale] * 2, name="/Repeat_1"),
    ]
    output = Output(channels=1, times=(0.0,), scale=scale)
    spec = NetworkSpec(name="luma", window=LUMA, output=output, multiple_of=multiple_of, input_range="free")
    return as_model(nodes, spec)


def enlarged(model: ModelFile, planes: PlaneFormat, picture: list[NDArray[Any]]) -> list[NDArray[Any]]:
    """Return the picture that the graph makes of the planes."""
    made = run(with_planes(model, replace(SMALL, planes=planes)).graph, planes_in(picture))
    return [plane.view(planes.dtype)[0, 0] for plane in made]


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("layout", FORMATS)
@pytest.mark.parametrize(("bits", "floating"), [(8, False), (10, False), (16, False), (32, True)])
def test_chroma_is_enlarged_as_zimg_does_it(layout: str, bits: int, floating: bool, scale: int) -> None:
    """Noise, edges included, every siting; luma comes from the network, at a size that it must pad.

    zimg works in float here: in integers it clips what overshoots between its two passes, and its weights have 14 bits.
    """
    model = repeating(scale, multiple_of=32)
    for siting, code in SITINGS.items() if layout != "444" else [("left", 0)]:
        planes = PlaneFormat(
            family="yuv", bits=bits, floating=floating, subsampling=FORMATS[layout], full_range=False, siting=siting
        )  # fmt: skip
        picture = list(noise(planes, SMALL, seed=bits))
        located = {"chromaloc_in": code, "chromaloc": code} if layout != "444" else {}
        colour = {"matrix_in": 1, "range_in": 0, "matrix": 1, "range": 0, **located}
        real = core.query_video_format(vs.YUV, vs.FLOAT, 32, *planes.subsampling).id
        source = core.resize.Bicubic(clip_of(picture, video_format(planes)), format=real, **colour)
        larger = core.resize.Bicubic(source, SMALL.width * scale, SMALL.height * scale, **colour)
        chroma = picture_of(core.resize.Bicubic(larger, format=video_format(planes), **colour))[1:]
        made = enlarged(model, planes, picture)
        if not floating:
            np.testing.assert_array_equal(made[0], picture[0].repeat(scale, 0).repeat(scale, 1))
        assert_near(planes, made[1:], chroma)


@pytest.mark.parametrize("family", ["rgb", "gray"])
@pytest.mark.parametrize("bits", [8, 16])
def test_rgb_is_taken_apart_and_gray_is_luma(family: Any, bits: int) -> None:
    """RGB's luma by its matrix (BT.709), its colour differences enlarged as those of 4:4:4: in float64 and by zimg."""
    planes = PlaneFormat(family=family, bits=bits, floating=False)
    picture = list(noise(planes, SMALL, seed=3))
    made = enlarged(repeating(2), planes, picture)
    if family == "gray":
        np.testing.assert_array_equal(made[0], picture[0].repeat(2, 0).repeat(2, 1))
        return
    r, g, b = (plane.astype(np.float64) for plane in picture)
    luma = 0.2126 * r + 0.7152 * g + 0.0722 * b
    differences = [luma, b - luma, r - luma]
    clip = clip_of([plane.astype(np.float32) for plane in differences], vs.YUV444PS)
    _, blue, red = (plane.astype(np.float64) for plane in picture_of(core.resize.Bicubic(clip, 96, 72)))
    luma = luma.repeat(2, 0).repeat(2, 1)
    r, b = red + luma, blue + luma
    g = (luma - 0.2126 * r - 0.0722 * b) / 0.7152
    assert_near(planes, made, [np.clip(np.rint(plane), 0, 2**bits - 1) for plane in (r, g, b)])


@pytest.mark.parametrize("bits", [8, 10])
def test_the_bundled_network_builds_in_half(bits: int) -> None:
    """Strongly typed, for SM86 on a machine without a GPU; chroma enters and leaves as bytes."""
    model = ModelFile.load(catalogue()["fsrcnn-x2"].model_file)
    profile = Profile(width=448, height=256, planes=replace(YUV420P8, bits=bits))
    graphs = engine_graphs(model, profile, BuildOptions(runtime="tensorrt-rtx"))
    assert graphs.keys() == {"synthesis"}
    types = dict(rtx.build(graphs["synthesis"]))
    assert types == {f"{name}_plane{index}": "UINT8" for name in ("frame0", "output") for index in range(3)}


def test_what_enlarges_chroma_does_not_grow_with_the_picture() -> None:
    """TensorRT-RTX writes tables as large as the picture for a transposed convolution: 28 MiB at this size."""
    pytest.importorskip("tensorrt_rtx")
    model = ModelFile.load(catalogue()["fsrcnn-x2"].model_file)
    sizes = [
        build_engine(
            model, Profile(width=1920, height=1088, planes=planes), BuildOptions(runtime="tensorrt-rtx"), ADA
        ).size
        for planes in (YUV420P8, PlaneFormat(family="gray", bits=8, floating=False))
    ]
    assert sizes[0] < sizes[1] + 2**20


def test_a_luma_network_cannot_make_the_chroma_of_other_times() -> None:
    spec = repeating(2).spec
    for output in (replace(spec.output, times=None), replace(spec.output, times=(0.25, 0.75))):
        model = replace(repeating(2), spec=replace(spec, output=output))
        with pytest.raises(ModelFileError, match="whose chroma is unknown"):
            with_planes(model, replace(SMALL, planes=YUV420P8))
