"""What super_slomo cannot work on is refused when the script is read, in one line that says what to do."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import vapoursynth as vs
from vs_interp.filters import flavr, super_slomo, upscale

from tests.clips import lasting, moving, with_props
from tests.support import ROOT
from trt_build.backends import OpenVINO
from trt_build.model_file import ModelFile, with_spec, write
from vs_interp.spec import NetworkSpec, Output, Window

core = vs.core

BUNDLED = ROOT / "vs_interp/models/super-slomo-small.onnx"


@pytest.fixture(scope="module")
def bundled() -> ModelFile:
    return ModelFile.load(BUNDLED)


def reason(clip: Any, **arguments: Any) -> str:
    """Return what super_slomo says to these arguments, without its name."""
    with pytest.raises(vs.Error) as caught:
        super_slomo(clip, **{"backend": OpenVINO(threads=2), **arguments})
    name, _, words = str(caught.value).partition(": ")
    assert name == "super_slomo"
    assert "\n" not in words
    return words


def film(form: int = vs.YUV420P8) -> vs.VideoNode:
    return moving(form, (0, 1))


def blank(**arguments: Any) -> vs.VideoNode:
    return core.std.BlankClip(**{"width": 96, "height": 64, "format": vs.YUV420P8, "length": 2, **arguments})


def spliced(**arguments: Any) -> vs.VideoNode:
    return core.std.Splice([blank(), blank(**arguments)], mismatch=True)


def marked(**props: int) -> vs.VideoNode:
    return with_props(film(), lambda n: props)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: marked(_FieldBased=2), "frame 0 is interlaced .* deinterlace the clip first"),
        (lambda: blank(length=1), "the clip has one frame only, and super-slomo looks at 2: give"),
        (lambda: blank(length=2**30), "the clip has 1073741824 frames, more than VapourSynth can lay out: cut it"),
        (lambda: blank(width=8, height=8), "the clip is 8x8: it must be at least 16x16"),
        (lambda: blank(width=96, height=14), "the clip is 96x14: it must be at least 16x16"),
        (lambda: spliced(width=64), "format or size varies: make it constant first"),
        (lambda: spliced(format=vs.RGB24), "format or size varies: make it constant first"),
        (lambda: blank(format=vs.YUV410P8), "the format YUV410P8 is not supported: convert to"),
        (lambda: blank(format=vs.YUV440P8), "the format YUV440P8 is not supported: convert to"),
        (lambda: blank(format=vs.GRAY32), "the format Gray32 is not supported: convert to"),
        (lambda: marked(_Matrix=10), r"the matrix \(_Matrix\) is 10, .* convert to BT.709"),
        (lambda: marked(_Matrix=3), r"the matrix \(_Matrix\) is 3, .* convert to BT.709"),
        (lambda: "film.mkv", "the first argument is str, not a clip"),
    ],
)
def test_a_clip_that_cannot_be_worked_on(make: Callable[[], Any], words: str) -> None:
    assert re.search(words, reason(make()))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"factor": 2, "fps": 60}, "factor=2 and fps=60 are both given: give one of them"),
        ({"factor": 1}, "factor is 1: it must be above 1"),
        ({"factor": Fraction(1, 2)}, "factor is 1/2: it must be above 1"),
        ({"factor": 1000}, "factor is 1000: it must be above 1, and at most 128"),
        ({"factor": 2.0001}, "factor is 2.0001: it is not a simple ratio"),
        ({"factor": float("nan")}, "factor is nan: it must be a number"),
        ({"factor": "2"}, "factor is '2': it must be a number"),
        ({"factor": True}, "factor is True: it must be a number"),
        ({"fps": "60"}, "fps is '60': it must be a number"),
        ({"fps": (60000.0, 1001)}, "a pair must be two whole numbers"),
        ({"scene_threshold": "off"}, "scene_threshold is 'off': it must lie in"),
        ({"scene_threshold": True}, "scene_threshold is True: it must lie in"),
        ({"backend": OpenVINO}, r"backend is the class OpenVINO: give OpenVINO\(\), with its brackets"),
        ({"backend": 1}, "backend is 1: give"),
        ({"backend": "openvino:streams=few"}, "cannot take 'streams=few': give streams=NUMBER or auto"),
        ({"model": 3}, "model is 3: give a path, or a name"),
        ({"hold": True}, "hold is True: it must be 1 or more, or None"),
        ({"fps": 23.976}, "fps is 23.976, and the clip already has 24: ask for more"),
        ({"fps": 24}, "fps is 24, and the clip already has 24: ask for more"),
        ({"fps": 3073}, "fps is 3073, more than 128 times the 24 of the clip: ask for less"),
        ({"fps": 0}, "fps is 0: it must be above 0"),
        ({"fps": (60, 0)}, r"fps is \(60, 0\): a pair must be two whole numbers"),
        ({"fps": float("inf")}, "fps is inf: it must be a number"),
        ({"scene_threshold": 2}, r"scene_threshold is 2: it must lie in \(0, 1\], such as 0.1, or be None"),
        ({"scene_threshold": 0}, r"scene_threshold is 0: it must lie in \(0, 1\], such as 0.1, or be None"),
        ({"backend": "gpu"}, "no backend is called 'gpu': known are tensorrt, tensorrt-rtx, openvino"),
        ({"model": "absent.onnx"}, "there is no model file absent.onnx: give a file, or a name"),
    ],
)
def test_an_argument_that_cannot_be_used(arguments: dict[str, Any], words: str) -> None:
    assert re.search(words, reason(film(), **arguments))


def test_a_rate_below_the_mean_rate_of_variable_frames() -> None:
    """Two frames of 1/10 and 1/40 s are 16 a second."""
    clip = lasting(film(), [Fraction(1, 10), Fraction(1, 40)])
    assert "fps is 16, and the clip already has 16" in reason(clip, fps=16)


def test_frames_without_a_duration_and_a_rate_asked_for() -> None:
    clip = core.std.RemoveFrameProps(blank(fpsnum=0, fpsden=1), ["_DurationNum", "_DurationDen"])
    assert "frame 0 has no duration, so" in reason(clip, fps=60)


@pytest.mark.parametrize("content", [b"", b"This is no model.", "half"])
def test_a_file_that_is_no_model_or_a_truncated_one(tmp_path: Path, content: bytes | str) -> None:
    path = tmp_path / "model.onnx"
    whole = BUNDLED.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if isinstance(content, str) else content)
    words = reason(film(), model=path)
    assert words.startswith(f"{path}: ")
    assert "export or fetch it again" in words or "make it with `vs-interp export" in words


def test_a_model_without_a_spec(tmp_path: Path, bundled: ModelFile) -> None:
    graph = with_spec(bundled.graph, bundled.spec)
    del graph.metadata_props[:]
    write(graph, tmp_path / "model.onnx")
    assert "this ONNX file has no vs-interp spec: make it with" in reason(film(), model=tmp_path / "model.onnx")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"window": Window(offsets=(-1, 0, 1))}, "its inputs are .* where its window needs .*: export the model again"),
        ({"window": Window(offsets=(0, 2))}, r"looks at the frames \(0, 2\), with gaps between: choose another"),
        (
            {"window": Window(offsets=(-1, 0))},
            r"looks at the frames \(-1, 0\) in 3 channels, where 0 and 1 in 3 are needed",
        ),
        ({"window": Window(offsets=(1, 0))}, r"its window has the offsets \(1, 0\): they must be"),
        ({"window": Window(offsets=(0, 0.5))}, r"its window has the offsets \(0, 0.5\): they must be"),  # type: ignore[arg-type]
        ({"window": Window(edge="beyond")}, "its window has the edge 'beyond': it must be 'repeat' or 'mirror'"),  # type: ignore[arg-type]
        ({"window": Window(channels=1)}, "which makes no frames of frames: choose another"),
        ({"output": Output(kind="flow")}, "which makes no frames of frames: choose another"),
        ({"multiple_of": 0}, "its spec has multiple_of = 0: it must be a whole number"),
        ({"state": ("nowhere",)}, "its inner tensors nowhere are not in the graph"),
    ],
)
def test_a_model_whose_spec_does_not_fit(
    tmp_path: Path, bundled: ModelFile, changes: dict[str, Any], words: str
) -> None:
    spec: NetworkSpec = replace(bundled.spec, **changes)
    write(with_spec(bundled.graph, spec), tmp_path / "model.onnx")
    assert re.search(words, reason(film(), model=tmp_path / "model.onnx"))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: super_slomo(blank(length=9), model="flavr-small-2x"), r"is flavr, not super-slomo: call flavr\(\)"),
        (lambda: super_slomo(blank(length=9), model="flavr"), r"call flavr\(\), or name weights of super-slomo"),
        (lambda: flavr(film(), scale=0.01), "scale is 0.01, which leaves .* of the clip: the network needs 16x16"),
        (lambda: flavr(film(), scale="0.5"), r"scale is '0.5': it must lie in \(0, 1\]"),
        (lambda: flavr(film(), model="super-slomo-small"), r"is super-slomo, not flavr: call super_slomo\(\)"),
        (lambda: flavr(film(), factor=3), "no weights of flavr with factor 3 are known"),
        (lambda: upscale(film(), tile=64.0), "tile is 64.0: it must be a whole number from 1 up, such as 512"),
        (lambda: upscale(film(), tile=True), "tile is True: it must be a whole number"),
        (lambda: upscale(film(), tile=64, overlap="8"), "overlap is '8': it must be a whole number from 0 up"),
        (lambda: upscale(film(), scale=2.0), "scale is 2.0: it must be a whole number from 1 up, such as 2, 3 or 4"),
        (lambda: super_slomo(blank(length=2**31 - 1), factor=64), "the clip has 2147483647 frames, more than"),
    ],
)
def test_other_filters_take_the_same_care(call: Callable[[], vs.VideoNode], words: str) -> None:
    with pytest.raises(vs.Error, match=words) as caught:
        call()
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
