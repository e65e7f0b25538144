"""predict, masks, label_picture and nowcast on models whose arithmetic is known, and on motion that is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import vapoursynth as vs
from vs_interp.filters import label_picture, masks, nowcast, predict

from tests import foreseen
from tests.filters.test_flow import clip_of, texture
from trt_build.model_file import with_spec, write
from trt_build.pytorch.export import to_graph
from vs_interp import OpenVINO
from vs_interp.networks.nowcast import Nowcast, NowcastConfig

core = vs.core
ONE = OpenVINO(streams=1)


def ramp(length: int, *, kind: int = vs.RGBS, step: float = 0.02) -> vs.VideoNode:
    """Frames of one grey each, brighter by ``step`` from one to the next."""
    shape = (24, 40) if kind == vs.GRAYS else (3, 24, 40)
    return clip_of(lambda n: np.full(shape, 0.1 + step * n, np.float32), length, kind)


def levels(clip: vs.VideoNode) -> list[float]:
    return [float(np.asarray(frame[0]).mean()) for frame in clip.frames(close=True)]


def made(clip: vs.VideoNode) -> list[int]:
    return [frame.props["VsInterpPredicted"] for frame in clip.frames(close=True)]


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_a_clip_is_extended_block_by_block(tmp_path: Path, frames: int) -> None:
    """Two frames a block: five take three blocks, each from what the one before it made."""
    model = foreseen.drifting(tmp_path / "drift.onnx")
    clip = core.std.SetFrameProps(ramp(4), _DurationNum=1001, _DurationDen=30000, _AbsoluteTime=0.1)
    longer = predict(clip, model=model, frames=frames, backend=ONE)
    assert len(longer) == 4 + frames
    assert np.allclose(levels(longer), 0.1 + 0.02 * np.arange(4 + frames), atol=1e-5)
    assert made(longer) == [0] * 4 + [1] * frames
    with longer.get_frame(3 + frames) as frame:
        assert (frame.props["_DurationNum"], frame.props["_DurationDen"]) == (1001, 30000)
        assert "_AbsoluteTime" not in frame.props, "that of the last frame"


def test_without_frames_a_whole_block_is_made_and_formats_stay(tmp_path: Path) -> None:
    model = foreseen.drifting(tmp_path / "drift.onnx")
    clip = core.resize.Bicubic(ramp(3), format=vs.YUV420P8, matrix=1)
    longer = predict(clip, model=model, backend=ONE)
    assert len(longer) == 5 and longer.format.id == vs.YUV420P8
    native = predict(clip, model=model, backend=OpenVINO(streams=1, planes="native"))
    for a, b in zip(longer.frames(close=True), native.frames(close=True), strict=True):
        assert np.abs(np.asarray(a[0]).astype(int) - np.asarray(b[0])).max() <= 1


@pytest.mark.parametrize("horizon", [1, 2])
def test_aligned_frames_are_those_foreseen_so_long_before(tmp_path: Path, horizon: int) -> None:
    """On a ramp all are foreseen rightly; where the ramp breaks, the break is seen only afterwards."""
    model = foreseen.drifting(tmp_path / "drift.onnx")
    clip = ramp(6) + core.std.BlankClip(ramp(1), color=[0.5] * 3)
    aligned = predict(clip, model=model, mode="aligned", horizon=horizon, scene_threshold=None, backend=ONE)
    assert len(aligned) == 7
    assert made(aligned) == [0] * (2 + horizon) + [1] * (5 - horizon)
    assert np.allclose(levels(aligned), 0.1 + 0.02 * np.arange(7), atol=1e-5)


def test_a_window_never_reaches_across_a_cut(tmp_path: Path) -> None:
    """The change at the cut would drift on; what lies beyond it is replaced by the frame on the near side."""
    model = foreseen.drifting(tmp_path / "drift.onnx")
    clip = core.std.BlankClip(ramp(1), length=3, color=[0.9] * 3) + ramp(1)
    assert levels(predict(clip, model=model, backend=ONE))[-1] == pytest.approx(0.1, abs=1e-5)


def test_labels_go_in_and_come_out_as_whole_numbers(tmp_path: Path) -> None:
    model = foreseen.drifting(tmp_path / "labels.onnx", channels=1, labels=True)
    blank = core.std.BlankClip(format=vs.GRAY8, width=24, height=16, length=1)
    clip = core.std.Splice([core.std.BlankClip(blank, color=number) for number in (7, 9, 11)])
    longer = predict(clip, model=model, frames=3, backend=ONE)
    assert longer.format.id == vs.GRAY8
    assert levels(longer) == [7, 9, 11, 13, 15, 17]
    with pytest.raises(vs.Error, match="labels are GRAY8"):
        predict(core.resize.Point(clip, format=vs.GRAY16), model=model)


def test_masks_are_labels_or_shares_and_labels_have_colours(tmp_path: Path) -> None:
    clip = clip_of(lambda n: texture((0, 0)), 1)
    labels = masks(clip, model=foreseen.bright(tmp_path / "bright.onnx"), backend=ONE)
    assert isinstance(labels, vs.VideoNode)
    with labels.get_frame(0) as frame:
        assert (np.asarray(frame[0]) == np.where(texture((0, 0))[1] > 0.5, 7, 0)).all()
    with label_picture(labels).get_frame(0) as frame:
        colours = {tuple(np.asarray(frame[plane])[y, x] for plane in range(3)) for y in range(96) for x in range(160)}
    assert colours == {(20, 20, 24), (160, 70, 200)}  # background, and 7: a purple metal cube
    green, rest = masks(clip, model=foreseen.bright(tmp_path / "soft.onnx", soft=True), backend=ONE)
    with green.get_frame(0) as first, rest.get_frame(0) as second:
        assert np.allclose(np.asarray(first[0]) + np.asarray(second[0]), 1, atol=1e-6)


def drifting_clouds(length: int) -> vs.VideoNode:
    """A texture that moves by (2, 1) pixels a picture, in one plane."""
    return clip_of(lambda n: texture((2.0 * n, 1.0 * n))[1], length, vs.GRAYS)


def test_a_nowcast_by_flow_moves_the_last_picture_on() -> None:
    """The bundled flow is coarse; one step ahead it is still nearer to the truth than the last picture again."""
    clip, truth = drifting_clouds(6), drifting_clouds(8)
    cast = nowcast(clip, frames=2, flow_model="super-slomo-small", backend=ONE)
    assert len(cast) == 8 and made(cast) == [0] * 6 + [1] * 2
    for number in (6, 7):
        with cast.get_frame(number) as got, truth.get_frame(number) as wanted, clip.get_frame(5) as last:
            inner = slice(24, -24), slice(24, -24)
            moved, still = (np.abs(np.asarray(f[0])[inner] - np.asarray(wanted[0])[inner]).mean() for f in (got, last))
            assert moved < 0.6 * still
    soft = nowcast(clip, frames=1, flow_model="super-slomo-small", blur=3, backend=ONE)
    with soft.get_frame(6) as got:
        assert np.asarray(got[0]).std() < 0.9 * texture((0, 0))[1].std()


def test_a_nowcast_by_the_network_works_in_parts_that_lie_side_by_side(tmp_path: Path) -> None:
    torch.manual_seed(2)
    network = Nowcast(NowcastConfig(seen=2, made=3, width=4, statistics="running")).eval()
    write(with_spec(to_graph(network), network.spec), tmp_path / "cast.onnx")
    pictures = np.random.default_rng(3).random((2, 128, 192), np.float32)
    clip = clip_of(lambda n: pictures[min(n, 1)], 2, vs.GRAYS)
    cast = nowcast(clip, frames=3, method="network", model=tmp_path / "cast.onnx", backend=ONE)
    assert (cast.width, cast.height, len(cast)) == (128, 64, 5)
    with cast.get_frame(0) as known:
        assert np.array_equal(np.asarray(known[0]), pictures[0, 32:96, 32:160])
    with torch.no_grad():
        for place in (0, 64):
            window = torch.from_numpy(pictures[:, None, None, :, place : place + 128])
            wanted = network(*window).numpy()
            for number in range(3):
                with cast.get_frame(2 + number) as got:
                    assert np.abs(np.asarray(got[0])[:, place : place + 64] - wanted[number, 0]).max() < 1e-4
    for right, message in ((8, "crop it, to 128x128 say"), (72, "enlarge it")):
        with pytest.raises(vs.Error, match=f"parts of 128x128.*{message}"):
            nowcast(core.std.Crop(clip, right=right), method="network", frames=1, model=tmp_path / "cast.onnx")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda clip, model: predict(clip[:2], model=model), "looks at 3"),
        (lambda clip, model: predict(clip, model=model, mode="later"), "mode is 'later'"),
        (lambda clip, model: predict(clip, model=model, mode="aligned", horizon=3), "horizon is 3: it must be a whole"),
        (lambda clip, model: predict(clip, model=model, frames=0), "frames is 0"),
        (lambda clip, model: predict(clip, model="fsrcnn-x2"), "makes no frames"),
        (lambda clip, model: predict(clip, model="super-slomo-small"), "makes no frames to come"),
        (lambda clip, model: masks(clip, model=model), "makes frames, not labels or masks"),
        (lambda clip, model: label_picture(clip), "labels are GRAY8"),
        (lambda clip, model: nowcast(clip[0], flow_model="super-slomo-small"), "one picture only"),
        (lambda clip, model: predict(clip * 3, model="simvp-digits"), "RGBS, and the model simvp-digits foresees grey"),
        (lambda clip, model: nowcast(clip, method="network"), "no weights of the network"),
        (lambda clip, model: nowcast(clip, flow_model=model), "^nowcast: the model .* makes frames, not flow"),
        (lambda clip, model: nowcast(clip, blur=-1), "blur is -1"),
        (lambda clip, model: nowcast(clip, method="guess"), "method is 'guess'"),
        (lambda clip, model: predict(clip, model=model, mode="aligned", frames=3), "frames is 3, .* leave it out"),
        (lambda clip, model: predict(clip, model=model, horizon=1), "horizon is 1, which is for mode='aligned'"),
        (lambda clip, model: nowcast(clip, model=model), "model is .*drift.onnx, and method='flow' has none"),
        (lambda clip, model: nowcast(clip, method="network", model=model, flow_model=model), "finds no flow: leave it"),
        (lambda clip, model: nowcast(clip, blur=float("nan")), "blur is nan"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, call: Callable[..., object], message: str) -> None:
    model = foreseen.drifting(tmp_path / "drift.onnx")
    with pytest.raises(vs.Error, match=message):
        call(ramp(4), model)
