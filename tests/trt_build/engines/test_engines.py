"""Engines of the GPU backends: built, verified, kept, refused, served; OpenVINO runs them on simulated GPUs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import onnx
import pytest

from tests.openvino_executor import openvino_executors
from tests.simulated_device import SimulatedDevice
from tests.support import ROOT
from trt_build.backends import TensorRTRTX, tensorrt
from trt_build.backends.loaded import PlanError
from trt_build.backends.slots import Executors
from trt_build.engines.build import BuildOptions, engine_graphs
from trt_build.engines.cache import EngineCache
from trt_build.engines.targets import Gpu, Target
from trt_build.model_file import ModelFile
from trt_build.profile import PlaneFormat, Profile
from trt_build.verify.verify import verify_session
from vs_interp.errors import ArgumentError, BackendError

P8 = PlaneFormat(family="yuv", bits=8, floating=False, subsampling=(1, 1), full_range=False)
BUNDLED = ModelFile.load(ROOT / "vs_interp/models/super-slomo-small.onnx")


class StandIn:
    """In the place of ``LoadedEngine``: checks what it is given, and runs the graphs with OpenVINO."""

    graphs: ClassVar[dict[str, onnx.ModelProto]] = {}
    opened: ClassVar[list[dict[str, bytes]]] = []
    refusals: ClassVar[int] = 0

    def __init__(
        self,
        trt: Any,
        plans: dict[str, bytes],
        shapes: dict[str, Any],
        kernels: dict[str, bytes] | None = None,
        *,
        device: SimulatedDevice,
    ) -> None:
        assert plans.keys() == self.graphs.keys()
        self.shapes = shapes
        if StandIn.refusals:
            StandIn.refusals -= 1
            raise PlanError("the engine cannot be read: for another GPU")
        StandIn.opened.append(dict(kernels or {}))

    def executors(self) -> Executors:
        return openvino_executors(self.graphs, self.shapes)

    def kernels(self) -> dict[str, bytes]:
        return {"state": b"compiled", "synthesis": b"compiled too"}


@pytest.fixture
def rtx(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Profile]:
    """TensorRT-RTX that builds real engines for two simulated GPUs, which run their graphs with OpenVINO."""
    pytest.importorskip("tensorrt_rtx")
    profile = Profile(width=96, height=64, planes=P8)
    monkeypatch.setenv("VS_INTERP_CACHE", str(tmp_path))
    monkeypatch.setattr(StandIn, "graphs", engine_graphs(BUNDLED, profile, BuildOptions(runtime="tensorrt-rtx")))
    monkeypatch.setattr(StandIn, "opened", [])
    monkeypatch.setattr(tensorrt, "LoadedEngine", StandIn)
    monkeypatch.setattr(tensorrt, "CudaDevice", lambda number: SimulatedDevice(index=number))
    monkeypatch.setattr(tensorrt, "missing_cuda", lambda: None)
    here = Gpu(0, "Simulated GPU", Target(8, 6), "13.0")
    monkeypatch.setattr(tensorrt, "current_gpu", lambda index=0: replace(here, index=index))
    yield profile


def test_an_engine_is_built_verified_kept_and_served(rtx: Profile, tmp_path: Path) -> None:
    """First a build, verified on a slot; then straight from the cache, with the kernels compiled before."""
    for _ in range(2):
        slots = TensorRTRTX(streams=2).open(BUNDLED, rtx, verify_session)
        assert len(slots) == 2
        frames = [[np.full(size, value, np.uint8) for size in rtx.plane_sizes] for value in (100, 110)]
        out = [[np.zeros(size, np.uint8) for size in rtx.plane_sizes]]
        slots[1].run(frames, [0, 1], [0.5], out)
        assert 95 < out[0][0].mean() < 115
    assert len(list(tmp_path.rglob("*.engine"))) == 1
    sidecar = json.loads(next(tmp_path.rglob("*.json")).read_text())
    assert min(sidecar["psnr"].values()) >= 50
    kernels = {"state": b"compiled", "synthesis": b"compiled too"}
    assert StandIn.opened == [{}, kernels, kernels], "verified; served, nothing compiled twice; and served again"
    assert len(list(tmp_path.rglob("*.kernels"))) == 2
    (entry,) = EngineCache().entries()
    EngineCache().remove(entry)
    assert {path.suffix for path in tmp_path.rglob("*.*")} <= {".lock"}


def test_an_engine_that_the_gpu_refuses_is_built_again_once(
    rtx: Profile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Windows of two GPUs in turn."""
    TensorRTRTX(streams=1).open(BUNDLED, rtx)
    StandIn.refusals = 1
    slots = TensorRTRTX(streams=1, devices=[1, 0]).open(BUNDLED, rtx)
    assert [slot.device.index for slot in slots] == [1, 0]  # type: ignore[attr-defined]
    said = capsys.readouterr().err
    assert said.count("is built again: the engine cannot be read: for another GPU") == 1
    assert len(list(tmp_path.rglob("*.engine"))) == 1
    StandIn.refusals = 2
    with pytest.raises(BackendError, match="for another GPU"):
        TensorRTRTX(streams=1).open(BUNDLED, rtx)


def test_one_engine_of_a_range_serves_clips_of_many_sizes(
    rtx: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sizes that the network does not take are padded; each slot has the clip's size; beyond the range is refused."""
    sizes = (128, 128), (256, 128), (384, 256)
    options = BuildOptions(runtime="tensorrt-rtx", dynamic=(sizes[0], sizes[2]))
    monkeypatch.setattr(StandIn, "graphs", engine_graphs(BUNDLED, replace(rtx, width=256, height=128), options))
    backend = TensorRTRTX(streams=1, dynamic=sizes)
    for width, height in ((128, 128), (380, 200)):
        profile = replace(rtx, width=width, height=height)
        (slot,) = backend.open(BUNDLED, profile)
        shading = np.linspace(60, 180, width).astype(np.uint8)
        luma, *chroma = profile.plane_sizes
        frame = [np.broadcast_to(shading, luma), *(np.full(size, 128, np.uint8) for size in chroma)]
        out = [np.zeros(size, np.uint8) for size in profile.plane_sizes]
        slot.run([frame, frame], [0, 0], [0.5], [out])
        assert np.abs(out[0].astype(int) - frame[0]).max() <= 3, "two equal frames have themselves between them"
        assert np.abs(out[1].astype(int) - 128).max() <= 1
    assert len(list(tmp_path.rglob("*.engine"))) == 1
    with pytest.raises(ArgumentError, match="clip's size 400x128 is outside of the engine's range, 128x128 to 384x256"):
        backend.open(BUNDLED, replace(rtx, width=400, height=128))
