"""Models for vs-mlrt: one tensor in, one out, run by its own plugin where that is installed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import vapoursynth as vs
from click.testing import CliRunner
from numpy.typing import NDArray
from vs_interp.filters import super_slomo, upscale

from tests.colour import core, picture_of
from tests.support import ROOT, names
from trt_build.backends.openvino import OpenVINO
from trt_build.backends.signal_stack import signal_stack_kept
from trt_build.graphs.one_tensor import one_tensor
from trt_build.model_file import ModelFile
from vs_interp.cli.export import command
from vs_interp.weights.catalogue import catalogue, find

MODELS = ROOT / "vs_interp/models"

needs_plugin = pytest.mark.skipif(not hasattr(core, "ov"), reason="pip install vapoursynth-mlrt-ov")


def exact() -> dict[str, str]:
    """OpenVINO's properties, as the plugin asks for them: by itself it works in bfloat16 where it can."""
    return {"INFERENCE_PRECISION_HINT": "f32"}


def frames(width: int, height: int, form: int) -> vs.VideoNode:
    """Two frames of a smooth picture that moves to the right."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    pictures = [[0.5 + 0.4 * np.sin((x - shift) / (5 + plane) + y / 9) for plane in range(3)] for shift in (0.0, 4.0)]
    blank = core.std.BlankClip(format=form, width=width, height=height, length=2)

    def fill(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        frame = f.copy()
        for plane in range(frame.format.num_planes):
            np.asarray(frame[plane])[...] = pictures[n][plane]
        return frame

    return blank.std.ModifyFrame(blank, fill)


def exported(name: str, folder: Path) -> str:
    """Return the path of a bundled model written by ``vs-interp export --for vs-mlrt``."""
    path = folder / name
    result = CliRunner().invoke(command, [str(MODELS / name), "--for", "vs-mlrt", "-o", str(path)])
    assert result.exception is None, result.exception
    return str(path)


def by_plugin(clips: list[vs.VideoNode], path: str) -> list[NDArray[np.float32]]:
    """Return the planes of the first picture that the plugin makes."""
    with signal_stack_kept():
        return picture_of(core.ov.Model(clips, path, config=exact), 0)


@needs_plugin
@pytest.mark.published
def test_frames_between_frames_are_ours(tmp_path: Path) -> None:
    """Both frames and a plane with the time in; the plugin's picture is what our filter makes at that time."""
    clip = frames(128, 128, vs.RGBS)
    time = core.std.BlankClip(clip, format=vs.GRAYS, color=0.5)
    made = by_plugin([clip, clip[1:] + clip[1], time], exported("super-slomo-small.onnx", tmp_path))
    ours = super_slomo(clip, factor=2, backend=OpenVINO(threads=1), scene_threshold=None)
    assert np.abs(np.stack(made) - np.stack(picture_of(ours, 1))).max() < 1e-3


@needs_plugin
@pytest.mark.published
def test_enlarged_luma_is_ours(tmp_path: Path) -> None:
    clip = frames(64, 48, vs.GRAYS)
    made = by_plugin([clip], exported("fsrcnn-x2.onnx", tmp_path))
    ours = upscale(clip, scale=2, model=str(MODELS / "fsrcnn-x2.onnx"), backend=OpenVINO(threads=1))
    assert np.abs(made[0] - picture_of(ours, 0)[0]).max() < 1e-3


def test_a_window_with_several_pictures_leaves_as_their_channels() -> None:
    """FLAVR at 4 gives three pictures of four frames: 9 channels of 12."""
    graph = one_tensor(ModelFile.load(MODELS / "flavr-small-4x.onnx")).graph
    channels = [value.type.tensor_type.shape.dim[1].dim_value for value in (graph.input[0], graph.output[0])]
    assert channels == [12, 9]
    assert [value.name for value in (*graph.input, *graph.output)] == ["input", "output"]


def test_what_is_written_is_called_by_its_name_and_for_whom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The point of 4.25 begins no suffix, and a model file of ours is not overwritten by one for others."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(catalogue(), "tiny-4.25", find("fsrcnn-x2"))
    done = CliRunner().invoke(command, ["tiny-4.25", "--for", "vs-mlrt", "--json"])
    told = json.loads(done.stdout)
    assert (told["output"], told["network"], told["for"]) == ("tiny-4.25-vs-mlrt.onnx", "fsrcnn", "vs-mlrt")
    assert told["bytes"] == (tmp_path / told["output"]).stat().st_size
    CliRunner().invoke(command, [str(MODELS / "fsrcnn-x2.onnx"), "--for", "vs-mlrt"])
    assert names(tmp_path) == ["fsrcnn-x2-vs-mlrt.onnx", "tiny-4.25-vs-mlrt.onnx"]
