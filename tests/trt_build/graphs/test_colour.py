"""The colour graph against zimg (VapourSynth's ``resize.Bicubic``)."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import vapoursynth as vs
from onnx import helper

from tests.colour import (
    FAMILIES,
    MATRICES,
    SITINGS,
    SMALL,
    SUBSAMPLINGS,
    YUV420P8,
    as_model,
    assert_near,
    clip_of,
    core,
    film,
    from_planes,
    noise,
    picture_of,
    planes_in,
    run,
    to_planes,
    video_format,
    zimg_from_planes,
    zimg_to_planes,
)
from trt_build.graphs.colour.planes import with_planes
from trt_build.profile import PlaneFormat, Profile
from vs_interp.spec import NetworkSpec, Output

SAMPLES = ((8, False), (10, False), (12, False), (16, False), (16, True), (32, True))


@pytest.mark.parametrize(
    ("bits", "floating"), [pytest.param(*kind, marks=pytest.mark.slow if kind[0] == 12 else ()) for kind in SAMPLES]
)
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


@pytest.mark.parametrize("bits", [8, 10, 16])
def test_conversion_of_a_real_frame_is_that_of_zimg(bits: int) -> None:
    planes = replace(YUV420P8, bits=bits, matrix="601")
    profile = Profile(width=240, height=136)
    clip = film(240, 136, video_format(planes))
    rgb = np.stack(picture_of(core.resize.Bicubic(clip, format=vs.RGBS)))
    assert_near(planes, from_planes(planes, profile, picture_of(clip)), rgb, 2**bits - 1)
    back = core.resize.Bicubic(clip_of(rgb, vs.RGBS), format=video_format(planes), matrix=6)
    assert_near(planes, to_planes(planes, profile, rgb), picture_of(back))


def test_pictures_of_a_run_and_an_enlarging_scale_keep_their_order() -> None:
    """Two pictures at twice the size: the first frame's, then the second's, each as zimg converts it."""
    nodes = [
        helper.make_node("Concat", ["frame0", "frame1"], ["both"], name="/Concat_0", axis=0),
        helper.make_node("Concat", ["both", "both"], ["wide"], name="/Concat_1", axis=3),
        helper.make_node("Concat", ["wide", "wide"], ["output"], name="/Concat_2", axis=2),
    ]
    spec = NetworkSpec(name="pair", output=Output(times=(0.25, 0.75), scale=2), input_range="free")
    model = as_model(nodes, spec)
    planes = replace(YUV420P8, bits=10)
    pictures = [noise(planes, SMALL, seed) for seed in (1, 2)]
    graph = with_planes(model, replace(SMALL, planes=planes))
    made = run(graph.graph, planes_in(pictures[0], "frame0") | planes_in(pictures[1], "frame1"))
    for index, picture in enumerate(pictures):
        wanted = zimg_to_planes(planes, np.tile(zimg_from_planes(planes, picture), (1, 2, 2)))
        assert_near(planes, [plane.view(planes.dtype)[index, 0] for plane in made], wanted)
