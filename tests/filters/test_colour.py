"""The network inside the colour graph: padded and cut, split, built, and serving through it against serving in RGB."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import vapoursynth as vs
from vs_interp.filters import super_slomo

from tests import rtx
from tests.colour import (
    BUNDLED,
    SMALL,
    YUV420P8,
    assert_near,
    clip_of,
    core,
    film,
    from_planes,
    identity,
    noise,
    picture_of,
    serve,
    zimg_from_planes,
    zimg_to_planes,
)
from trt_build.backends.openvino import OpenVINO
from trt_build.graphs.colour.planes import with_planes
from trt_build.graphs.precision import to_half
from trt_build.profile import RGBS, Profile
from vs_interp.errors import ArgumentError, BackendError, ModelFileError
from vs_interp.spec import Window


def test_frames_are_padded_by_repetition_and_pictures_cut() -> None:
    """A network that takes multiples of 32 sees the last row and column again; the planes have the clip's size."""
    picture = noise(YUV420P8, SMALL, seed=1)
    exact, padded = (from_planes(YUV420P8, SMALL, picture, multiple_of=size) for size in (1, 32))
    np.testing.assert_array_equal(padded, np.pad(exact, ((0, 0), (0, 28), (0, 16)), mode="edge"))
    made = serve(OpenVINO(streams=1, planes="native"), identity(32), replace(SMALL, planes=YUV420P8), [picture], [0.5])
    assert [plane.shape for plane in made[0]] == [(36, 48), (18, 24), (18, 24)]


def test_the_split_converts_each_frame_once_a_window() -> None:
    """The graph that is run for every time takes RGB and the network's state, no planes."""
    state, synthesis = with_planes(BUNDLED, Profile(width=64, height=64, planes=YUV420P8)).split()
    assert state is not None
    assert [value.name for value in state.graph.input] == [f"frame{f}_plane{p}" for f in (0, 1) for p in (0, 1, 2)]
    assert [value.name for value in state.graph.output] == ["frame0", "frame1", *BUNDLED.spec.state]
    assert [value.name for value in synthesis.graph.input] == ["time", "frame0", "frame1", *BUNDLED.spec.state]
    assert [value.name for value in synthesis.graph.output] == ["output_plane0", "output_plane1", "output_plane2"]


@pytest.mark.parametrize("bits", [8, 10])
def test_tensorrt_rtx_builds_the_half_network_with_planes(bits: int) -> None:
    """Static, strongly typed, for SM86 on a machine without a GPU; planes are uint8 tensors, padded within."""
    profile = Profile(width=1920, height=1080, planes=replace(YUV420P8, bits=bits))
    types: dict[str, str] = {}
    for graph in filter(None, with_planes(to_half(BUNDLED), profile).split()):
        types |= rtx.build(graph)
    assert [types[f"frame1_plane{index}"] for index in range(3)] == ["UINT8"] * 3
    assert [types[f"output_plane{index}"] for index in range(3)] == ["UINT8"] * 3


@pytest.mark.parametrize("bits", [8, 16])
def test_a_session_in_planes_equals_one_in_rgb(bits: int) -> None:
    """Within 1 code at 8 bits and 2 at 16, at a size that needs padding, two times of one window."""
    planes = replace(YUV420P8, bits=bits)
    coarse = [np.random.default_rng(seed).random((3, 8, 12)).astype(np.float32) for seed in (1, 2)]
    smooth = [core.resize.Bicubic(clip_of(rgb, vs.RGBS), 90, 70) for rgb in coarse]
    window = [zimg_to_planes(planes, np.stack(picture_of(clip))) for clip in smooth]
    profile, times = Profile(width=90, height=70), (0.25, 0.6)
    native = serve(OpenVINO(streams=1, planes="native"), BUNDLED, replace(profile, planes=planes), window, times)
    rgb = serve(OpenVINO(streams=1), BUNDLED, profile, [list(zimg_from_planes(planes, p)) for p in window], times)
    for ours, theirs in zip(native, rgb, strict=True):
        assert_near(planes, ours, zimg_to_planes(planes, np.stack(theirs)))
    assert np.abs(native[0][0].astype(int) - native[1][0].astype(int)).max() > 2  # the times do differ


@pytest.mark.parametrize("form", [vs.YUV420P8, vs.YUV422P10])
def test_the_filter_in_planes_equals_the_filter_in_rgb(form: int) -> None:
    """The same node and time line: as many frames, source frames bit-exact, made frames within 1 code."""
    clip = film(176, 100, form)
    native, rgb = (
        super_slomo(clip, factor=2, backend=OpenVINO(streams=2, planes=planes)) for planes in ("native", "rgb")
    )
    assert (native.num_frames, native.format.id, native.fps) == (rgb.num_frames, form, rgb.fps)
    for number in range(native.num_frames):
        for ours, theirs in zip(picture_of(native, number), picture_of(rgb, number), strict=True):
            assert np.abs(ours.astype(int) - theirs.astype(int)).max() <= (1 if number == 1 else 0)
    assert any((a != b).any() for a, b in zip(picture_of(native, 1), picture_of(native, 0), strict=True))


def test_what_cannot_be_composed_or_served_is_said() -> None:
    mixed = replace(BUNDLED, spec=replace(BUNDLED.spec, window=Window(channels=1)))
    with pytest.raises(ModelFileError, match="makes 3 channels from 1: only RGB from RGB, luma from luma"):
        with_planes(mixed, Profile(width=64, height=64, planes=YUV420P8))
    with pytest.raises(ArgumentError, match="65x64 is not a multiple of the chroma subsampling 2x2"):
        with_planes(BUNDLED, Profile(width=65, height=64, planes=YUV420P8))
    with pytest.raises(BackendError, match="planes='native'"):
        OpenVINO().open(BUNDLED, Profile(width=64, height=64, planes=YUV420P8))
    with pytest.raises(ArgumentError, match="use precision='fp32'"):
        OpenVINO(planes="native", precision="bf16")
    assert RGBS.dtype == np.float32 and not OpenVINO().native_planes and OpenVINO(planes="native").native_planes
