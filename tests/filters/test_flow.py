"""optical_flow, flow_picture and warp on pictures whose motion is known."""

from __future__ import annotations

from collections.abc import Callable

import av
import numpy as np
import pytest
import vapoursynth as vs
from numpy.typing import NDArray
from vs_interp.filters import Flow, flow_picture, optical_flow, warp

from tests.published import published_model
from tests.support import ROOT
from vs_interp import OpenVINO
from vs_interp.flow_fields import coloured, endpoint_error, sampled

core = vs.core

HEIGHT, WIDTH = 96, 160


def texture(shift: tuple[float, float]) -> NDArray[np.float32]:
    """Waves of several lengths as RGB, 3×H×W, moved right and down."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    x, y = x - shift[0], y - shift[1]
    waves = [np.sin(x / 7 + y / 11), np.sin(x / 13 - y / 5), np.sin(x / 5) * np.sin(y / 6)]
    return np.stack([0.5 + 0.2 * (waves[k] + waves[k - 1]) for k in range(3)]).astype(np.float32)


def clip_of(make: Callable[[int], NDArray[np.float32]], length: int, kind: int = vs.RGBS) -> vs.VideoNode:
    planes = 1 if kind == vs.GRAYS else 3
    height, width = make(0).shape[-2:]
    blank = core.std.BlankClip(format=kind, width=width, height=height, length=length, keep=True)

    def fill(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        frame = f.copy()
        for plane in range(planes):
            np.copyto(np.asarray(frame[plane]), make(n).reshape(planes, height, width)[plane])
        return frame

    return core.std.ModifyFrame(blank, blank, fill)


def fields(flow: Flow, number: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    with flow.right.get_frame(number) as right, flow.down.get_frame(number) as down:
        return np.asarray(right[0]).copy(), np.asarray(down[0]).copy()


def known(right: float, down: float, length: int = 2) -> Flow:
    made = [clip_of(lambda n, v=value: np.full((HEIGHT, WIDTH), v, np.float32), length, vs.GRAYS)  # type: ignore[misc]
            for value in (right, down)]  # fmt: skip
    return Flow(*made)


def test_the_bundled_flow_sees_which_way_things_move_and_nothing_at_the_end() -> None:
    """Super-SloMo's own flow: coarse, but its directions, its scale and its last frame are right."""
    clip = clip_of(lambda n: texture((4.0 * n, -2.0 * n)), 2)
    flow = optical_flow(clip, model="super-slomo-small", backend=OpenVINO(streams=1))
    right, down = fields(flow, 0)
    assert abs(right[20:-20, 20:-20].mean() - 4) < 1.5
    assert abs(down[20:-20, 20:-20].mean() + 2) < 1
    assert not any(field.any() for field in fields(flow, 1))
    half = optical_flow(clip, model="super-slomo-small", scale=0.5, backend=OpenVINO(streams=1))
    assert (half.right.width, half.right.height) == (WIDTH, HEIGHT)
    assert abs(fields(half, 0)[0][20:-20, 20:-20].mean() - 4) < 1.5


def test_nothing_moves_before_a_cut_nor_between_frames_that_are_the_same() -> None:
    """Super-SloMo sees a fifth of a pixel even there."""
    same, other = clip_of(lambda n: texture((0, 0)), 2), core.std.Invert(clip_of(lambda n: texture((0, 0)), 1))
    flow = optical_flow(same + other, model="super-slomo-small", scene_threshold=0.1, backend=OpenVINO(streams=1))
    assert not any(field.any() for number in range(3) for field in fields(flow, number))
    uncut = optical_flow(same + other, model="super-slomo-small", scene_threshold=None, backend=OpenVINO(streams=1))
    assert [any(field.any() for field in fields(uncut, number)) for number in range(3)] == [False, True, False]


@pytest.mark.published
def test_raft_s_published_weights_find_a_shift_in_a_picture_smaller_than_they_take() -> None:
    raft = published_model("raft-small")
    clip = clip_of(lambda n: texture((5.0 * n, 3.0 * n)), 2)
    flow = optical_flow(clip, model=raft, updates=8, backend=OpenVINO(streams=1), scene_threshold=None)
    inner = slice(12, -12), slice(12, -12)
    right, down = (field[inner] for field in fields(flow, 0))
    assert endpoint_error((right, down), (np.float32(5), np.float32(3))) < 0.5  # type: ignore[arg-type]
    still = optical_flow(core.std.BlankClip(format=vs.RGB24, width=64, height=64, length=2), model=raft, updates=2)
    assert all(np.isfinite(field).all() for field in fields(still, 0))
    with pytest.raises(vs.Error, match="updates is 33, and the model refines its output 1 to 20 times"):
        optical_flow(clip, model=raft, updates=33)


@pytest.mark.published
def test_rife_s_own_flow_finds_a_shift_of_film() -> None:
    """Two crops of one frame: what lies at (x, y) in the first lies at (x − 6, y + 3) in the second."""
    with av.open(str(ROOT / "vs_interp" / "clips" / "bbb_360p24.mp4")) as film:
        picture = next(film.decode(video=0)).to_ndarray(format="rgb24").astype(np.float32) / 255
    crops = [np.moveaxis(picture[100 - 3 * n : 260 - 3 * n, 200 + 6 * n : 456 + 6 * n], 2, 0) for n in (0, 1)]
    flow = optical_flow(
        clip_of(lambda n: crops[n], 2), model=published_model("rife-4.25"), backend=OpenVINO(streams=1),
        scene_threshold=None,
    )  # fmt: skip
    right, down = fields(flow, 0)
    inner = slice(16, -16), slice(16, -16)
    assert endpoint_error((right[inner], down[inner]), (np.float32(-6), np.float32(3))) < 1  # type: ignore[arg-type]


def test_a_frame_warped_along_a_known_flow_is_the_one_before() -> None:
    """Frame 1 is frame 0 moved by (3, 2): sampled there, it is frame 0 but for what comes from beyond the edge."""
    clip = clip_of(lambda n: texture((3.0 * n, 2.0 * n)), 2)
    back = warp(clip[1:] + clip[-1], known(3, 2))
    with back.get_frame(0) as made:
        assert np.abs(np.asarray(made[0])[:-2, :-3] - texture((0, 0))[0][:-2, :-3]).max() < 1e-5
    subsampled = core.resize.Bicubic(clip, format=vs.YUV420P8, matrix=1)
    made420 = core.resize.Bicubic(warp(subsampled, known(2, 4)), format=vs.RGBS, matrix_in=1)
    with made420.get_frame(0) as frame:
        assert np.abs(np.asarray(frame[1])[:-8, :-8] - texture((-2, -4))[1][:-8, :-8]).mean() < 0.02


def test_sampling_between_pixels_is_bilinear_and_repeats_the_edges() -> None:
    plane = np.arange(12, dtype=np.float32).reshape(3, 4)
    half, none = np.full((3, 4), 0.5, np.float32), np.zeros((3, 4), np.float32)
    assert np.allclose(sampled(plane, half, none)[0], [0.5, 1.5, 2.5, 3.0])
    assert np.allclose(sampled(plane, none, half)[:, 0], [2, 6, 8])
    assert sampled(plane.astype(np.uint8), half, none).dtype == np.uint8
    unknown = np.where(half > 0, np.float32(np.nan), half)
    assert np.array_equal(sampled(plane, unknown, none), plane)
    assert sampled(np.ones((1, 1), np.float32), np.ones((1, 1), np.float32), np.zeros((1, 1), np.float32)) == 1


def test_the_colours_are_the_usual_wheel_s() -> None:
    """To the right is red, down is yellow, to the left is cyan; white does not move (Middlebury's colour coding)."""
    right, down = np.array([[1, -1, 0, 0, 0]], np.float32), np.array([[0, 0, 1, -1, 0]], np.float32)
    red, cyan, yellow, violet, white = coloured(right, down)[0].astype(int).tolist()
    assert red[0] == 255 and max(red[1:]) < 60
    assert cyan[0] < 60 and min(cyan[1:]) > 150
    assert yellow[2] < 60 and min(yellow[:2]) > 150
    assert violet[2] == 255 and violet[1] < 60
    assert white == [255, 255, 255]
    assert coloured(np.full((1, 1), np.nan, np.float32), np.zeros((1, 1), np.float32)).max() == 0
    with flow_picture(known(2, 0)).get_frame(0) as frame:
        assert np.asarray(frame[0]).min() == 255 and np.asarray(frame[1]).max() < 60


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda clip: optical_flow(clip, model="fsrcnn-x2"), "makes frames, not flow"),
        (lambda clip: optical_flow(clip, model="flavr-small-2x"), "computes no flow between two frames"),
        (lambda clip: optical_flow(clip, model="super-slomo-small", updates=3), "refines nothing: omit updates"),
        (lambda clip: optical_flow(clip, model="super-slomo-small", scale=2), "scale is 2"),
        (lambda clip: optical_flow(clip, model="super-slomo-small", scale=0.001), "scale is 0.001, which leaves 0x0"),
        (lambda clip: optical_flow(clip[0], model="super-slomo-small"), "one frame only"),
        (lambda clip: warp(clip, known(1, 1, 3)), "make both alike"),
        (lambda clip: warp(clip, (clip, clip)), "not both GRAYS"),
        (flow_picture, "give what optical_flow returns"),
        (lambda clip: flow_picture(known(1, 1), largest=0), "largest is 0"),
    ],
)
def test_what_cannot_be_is_refused(call: Callable[[vs.VideoNode], object], message: str) -> None:
    clip = clip_of(lambda n: texture((n, 0)), 2)
    with pytest.raises(vs.Error, match=message):
        call(clip)
