"""The reference of a check fits into memory: a part of the picture, with a margin, or none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support import ROOT
from trt_build.backends import OpenVINO
from trt_build.graphs.memory import GIB, working_memory
from trt_build.model_file import ModelFile
from trt_build.profile import PlaneFormat, Profile
from trt_build.verify import part
from trt_build.verify.part import part_that_fits
from trt_build.verify.probe import CONTENTS
from trt_build.verify.verify import verify_session

MODELS = ROOT / "vs_interp" / "models"
P8 = PlaneFormat(family="yuv", bits=8, floating=False, subsampling=(1, 1), full_range=False)
HD = Profile(width=1280, height=720, planes=P8)


def test_five_parallel_at_720p_is_checked_in_eight_gib(monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole picture was seen to take 27 GiB."""
    model = ModelFile.load(MODELS / "five-parallel-x4.onnx")
    monkeypatch.setattr(part, "free_memory", lambda: 256 * GIB)
    assert part_that_fits(model, HD) == (HD, 0)
    monkeypatch.setattr(part, "free_memory", lambda: 8 * GIB)
    found = part_that_fits(model, HD)
    assert found is not None
    small, margin = found
    assert 2.4 * working_memory(model, small.width, small.height) <= 8 * GIB
    assert 0 < margin < small.height < 720
    assert small.width % 2 == small.height % 2 == 0


def test_a_part_is_compared_as_the_whole_would_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """The session works on whole pictures; inside of the margin they are the part's reference, to rounding."""
    model = ModelFile.load(MODELS / "fsrcnn-x2.onnx")
    profile = Profile(width=320, height=240, planes=P8)
    backend = OpenVINO(streams=1, planes="native")
    whole = verify_session(*backend.open(model, profile), model, profile)
    free = int(2.4 * working_memory(model, 160, 120))
    monkeypatch.setattr(part, "free_memory", lambda: free)
    assert part_that_fits(model, profile) == (replace(profile, width=160, height=120), 8 + 8)
    scores = verify_session(*backend.open(model, profile), model, profile)
    assert list(scores) == list(whole) == list(CONTENTS)
    assert min(scores.values()) > 80


def test_networks_that_look_at_everything_are_tried_by_their_graph(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = ModelFile.load(MODELS / "flavr-small-2x.onnx")
    monkeypatch.setattr(part, "free_memory", lambda: GIB // 16)
    monkeypatch.setattr("trt_build.verify.verify.verify_graph", lambda model, profile: {"strip": 70.0})
    assert part_that_fits(model, HD) is None
    assert verify_session(None, model, HD) == {}  # type: ignore[arg-type]
    assert "flavr at 1280x720 is not compared with its FP32 graph" in capsys.readouterr().err
