"""Saturated film, whose RGB lies far outside of [0, 1] where chroma was resampled: networks are given it clamped."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import vapoursynth as vs
from numpy.typing import NDArray
from vs_interp.filters.planes import check_clip, from_rgb, to_rgb
from vs_interp.filters.routes import find_route

from tests.colour import YUV420P8, assert_near, clip_of, core, identity, noise, picture_of
from tests.exported import exported
from trt_build.backends.openvino import OpenVINO
from trt_build.graphs.colour.planes import with_planes
from trt_build.model_file import ModelFile
from trt_build.profile import Profile
from vs_interp.errors import ModelFileError
from vs_interp.networks.base import Network
from vs_interp.spec import NetworkSpec

NAMES = (
    "super-slomo", "rife", "flavr", "fsrcnn", "compact", "span", "upcunet", "upconv7", "anime4k",
    "single-frame", "delta", "five-parallel", "fsrcnn+single-frame", "fsrcnn+delta", "fsrcnn+five-parallel",
)  # fmt: skip
"""The networks that filters serve.  Those with a guide are the same graphs with one input more in training."""


def saturated(width: int, height: int, frames: int) -> vs.VideoNode:
    """Frames of noise over all codes of 4:2:0, eight pixels wide, which networks take for a picture."""
    profile = Profile(width=width // 8, height=height // 8, planes=YUV420P8)
    pictures = [clip_of(noise(YUV420P8, profile, seed=seed), vs.YUV420P8) for seed in range(frames)]
    return core.resize.Point(core.std.Splice(pictures), width, height)


def test_saturated_film_leaves_the_rgb_cube() -> None:
    """Or else the tests below would pass whatever is done."""
    clip = saturated(64, 48, 1)
    values = np.stack(picture_of(to_rgb(clip, check_clip(clip))))
    assert values.min() < -0.4
    assert values.max() > 1.4


LIGHT = ("fsrcnn", "compact", "single-frame")
"""Those whose export takes a second or two."""


@pytest.mark.parametrize("planes", ["rgb", "native"])
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in LIGHT else pytest.mark.slow) for name in NAMES]
)
def test_served_is_the_network_on_clamped_input(name: str, planes: str) -> None:
    """Both ways to a network, through ``resize`` and through the colour graph, keep its input in [0, 1]."""
    network, model = exported(name)
    spec = model.spec
    size = max(64, spec.minimum)
    clip = saturated(size, size, len(spec.window.offsets))
    colour = check_clip(clip)
    backend = OpenVINO(slots=1, threads=1, planes=planes)  # type: ignore[arg-type]
    route = find_route(clip, colour, backend, spec)
    profile = Profile(width=size, height=size, planes=route.planes)
    large = Profile(width=size * spec.output.scale, height=size * spec.output.scale, planes=route.planes)
    out = [[np.empty(shape, profile.planes.dtype) for shape in large.plane_sizes] for _ in range(spec.pictures)]
    window = [picture_of(route.served, number) for number in range(len(clip))]
    backend.open(model, profile)[0].run(window, range(len(window)), [0.5], out)

    frames = find_route(clip, colour, OpenVINO(), spec).served
    wanted = reference(network, [np.stack(picture_of(frames, number)) for number in range(len(clip))])
    if planes == "rgb":
        assert np.abs(np.stack(out) - wanted).max() < 2e-3
    else:
        for made, picture in zip(out, wanted, strict=True):
            if spec.window.channels == 1:
                luma = core.resize.Point(clip_of(list(picture), vs.GRAYS), format=vs.GRAY8, matrix=6, range=0)
                assert_near(YUV420P8, made[:1], picture_of(luma))
            else:
                assert_near(YUV420P8, made, picture_of(from_rgb(clip_of(list(picture), vs.RGBS), clip, colour)))


def reference(network: Network, frames: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return what the PyTorch network makes of frames clamped to [0, 1]."""
    inputs = [torch.from_numpy(frame)[None].clamp(0, 1) for frame in frames]
    times = [torch.full((1, 1, 1, 1), 0.5)] if network.spec.takes_time else []
    with torch.no_grad():
        made: NDArray[np.float32] = network(*inputs, *times).numpy()
    return made


def test_a_network_may_take_values_as_they_are() -> None:
    """``input_range="free"``: what leaves the cube goes in and comes out again."""
    free = identity()
    values = np.array([-0.3, 1.4], np.float32).reshape(1, 2).repeat(3, 0).repeat(16, 1)
    window = [list(np.broadcast_to(values[:, None], (3, 16, 32)).copy())]
    out = [[np.empty((16, 32), np.float32) for _ in range(3)]]
    OpenVINO(slots=1).open(free, Profile(width=32, height=16))[0].run(window, [0], [0.5], out)
    assert (out[0][0].min(), out[0][0].max()) == (np.float32(-0.3), np.float32(1.4))


def test_a_model_file_of_before_is_clamped() -> None:
    """Files written before there was the field have networks that were trained on [0, 1] as all others."""
    spec = NetworkSpec(name="old")
    old = spec.to_json().replace(', "input_range": "clamped"', "").replace('"input_range": "clamped", ', "")
    assert "input_range" not in old
    assert NetworkSpec.from_json(old).input_range == "clamped"
    with pytest.raises(ModelFileError, match="input_range = 'wide': it must be 'clamped' or 'free'"):
        NetworkSpec.from_json(spec.to_json().replace('"clamped"', '"wide"'))


@pytest.mark.slow
def test_the_colour_graph_clamps_once_a_window() -> None:
    """The part that runs for every time is given frames that are clamped already."""
    _, model = exported("super-slomo")
    state, synthesis = with_planes(model, Profile(width=64, height=64, planes=YUV420P8)).split()
    assert state is not None
    assert isinstance(model, ModelFile)
    clips = [
        [node for node in graph.graph.node if node.name.startswith("/colour/in/Clip")] for graph in (state, synthesis)
    ]
    assert [len(nodes) for nodes in clips] == [2, 0]
