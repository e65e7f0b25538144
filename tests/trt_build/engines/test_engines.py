"""Engines of the GPU backends: built, verified, kept, refused, served; ONNX Runtime runs them on simulated GPUs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import onnx
import pytest

from tests.graphs import blending
from tests.onnx_executor import onnx_executors
from tests.simulated_device import SimulatedDevice
from trt_build.backends import TensorRTRTX, tensorrt
from trt_build.backends.loaded import PlanError
from trt_build.backends.slots import Executors
from trt_build.engines import targets
from trt_build.engines.build import BuildOptions, engine_graphs
from trt_build.engines.cache import EngineCache
from trt_build.engines.engine import Engine
from trt_build.engines.obtain import obtain_engine
from trt_build.engines.targets import EVERY, Gpu, Target, check_supported
from trt_build.model_file import ModelFile
from trt_build.profile import PlaneFormat, Profile
from trt_build.verify.verify import verify_session
from vs_interp.errors import ArgumentError, BackendError

P8 = PlaneFormat(family="yuv", bits=8, floating=False, subsampling=(1, 1), full_range=False)


class StandIn:
    """In the place of ``LoadedEngine``: checks what it is given, and runs the graphs with ONNX Runtime."""

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
        return onnx_executors(self.graphs, self.shapes)

    def kernels(self) -> dict[str, bytes]:
        return {"state": b"compiled", "synthesis": b"compiled too"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> ModelFile:
    """A small network with state: what is built, kept and served does not depend on how much it works out."""
    return ModelFile.load(blending(tmp_path_factory.mktemp("models") / "blending.onnx"))


@pytest.fixture
def rtx(model: ModelFile, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Profile]:
    """TensorRT-RTX that builds real engines for two simulated GPUs, which run their graphs with ONNX Runtime."""
    pytest.importorskip("tensorrt_rtx")
    profile = Profile(width=96, height=64, planes=P8)
    monkeypatch.setenv("VS_INTERP_CACHE", str(tmp_path))
    monkeypatch.setattr(StandIn, "graphs", engine_graphs(model, profile, BuildOptions(runtime="tensorrt-rtx")))
    monkeypatch.setattr(StandIn, "opened", [])
    monkeypatch.setattr(tensorrt, "LoadedEngine", StandIn)
    monkeypatch.setattr(tensorrt, "CudaDevice", lambda number: SimulatedDevice(index=number))
    monkeypatch.setattr(tensorrt, "missing_cuda", lambda: None)
    here = Gpu(0, "Simulated GPU", Target(8, 6), "13.0")
    gpus = [here, replace(here, index=1), Gpu(2, "Simulated H100", Target(9, 0), "13.0")]
    monkeypatch.setattr(targets, "present_gpus", lambda: gpus)
    yield profile


def test_an_engine_is_built_verified_kept_and_served(model: ModelFile, rtx: Profile, tmp_path: Path) -> None:
    """First a build, verified on a slot; then straight from the cache, with the kernels compiled before."""
    for _ in range(2):
        slots = TensorRTRTX(streams=2).open(model, rtx, verify_session)
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
    model: ModelFile, rtx: Profile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Windows of two GPUs in turn."""
    TensorRTRTX(streams=1).open(model, rtx)
    StandIn.refusals = 1
    slots = TensorRTRTX(streams=1, devices=[1, 0]).open(model, rtx)
    assert [slot.device.index for slot in slots] == [1, 0]  # type: ignore[attr-defined]
    said = capsys.readouterr().err
    assert said.count("is rebuilt: the engine cannot be read: for another GPU") == 1
    assert len(list(tmp_path.rglob("*.engine"))) == 1
    StandIn.refusals = 2
    with pytest.raises(BackendError, match="for another GPU"):
        TensorRTRTX(streams=1).open(model, rtx)


def test_one_engine_of_a_range_serves_clips_of_many_sizes(
    model: ModelFile, rtx: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sizes that the network does not take are padded; each slot has the clip's size; beyond the range is refused."""
    sizes = (128, 128), (256, 128), (384, 256)
    options = BuildOptions(runtime="tensorrt-rtx", dynamic=(sizes[0], sizes[2]))
    monkeypatch.setattr(StandIn, "graphs", engine_graphs(model, replace(rtx, width=256, height=128), options))
    backend = TensorRTRTX(streams=1, dynamic=sizes)
    for width, height in ((128, 128), (380, 200)):
        profile = replace(rtx, width=width, height=height)
        (slot,) = backend.open(model, profile)
        shading = np.linspace(60, 180, width).astype(np.uint8)
        luma, *chroma = profile.plane_sizes
        frame = [np.broadcast_to(shading, luma), *(np.full(size, 128, np.uint8) for size in chroma)]
        out = [np.zeros(size, np.uint8) for size in profile.plane_sizes]
        slot.run([frame, frame], [0, 0], [0.5], [out])
        assert np.abs(out[0].astype(int) - frame[0]).max() <= 3, "two equal frames have themselves between them"
        assert np.abs(out[1].astype(int) - 128).max() <= 1
    assert len(list(tmp_path.rglob("*.engine"))) == 1
    with pytest.raises(ArgumentError, match="clip's size 400x128 is outside the engine's range, 128x128 to 384x256"):
        backend.open(model, replace(rtx, width=400, height=128))


def test_a_gpu_that_the_runtime_does_not_serve_is_passed_over_not_chosen(
    model: ModelFile, rtx: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mixed machine: TensorRT-RTX has no 9.0; the default is the first GPU that it serves."""
    h100, ada = Gpu(0, "Simulated H100", Target(9, 0), "13.0"), Gpu(1, "Simulated Ada", Target(8, 9), "13.0")
    monkeypatch.setattr(targets, "present_gpus", lambda: [h100, ada])
    assert TensorRTRTX.missing() is None
    (slot,) = TensorRTRTX(streams=1).open(model, rtx)
    assert slot.device.index == 1  # type: ignore[attr-defined]
    with pytest.raises(BackendError, match=r"GPU 0: TensorRT-RTX does not support the Simulated H100 \(sm_90"):
        TensorRTRTX(device=0).open(model, rtx)
    monkeypatch.setattr(targets, "present_gpus", lambda: [h100])
    assert "does not support the Simulated H100" in str(TensorRTRTX.missing())


def test_an_engine_built_elsewhere_is_measured_once_on_the_gpu_that_serves_it(
    model: ModelFile, rtx: Profile, tmp_path: Path
) -> None:
    """Built without a GPU, its graph was tried on a CPU; then each kind of GPU measures it the first time."""
    checked: list[str] = []

    def check(session: Any, checked_model: ModelFile, profile: Profile) -> dict[str, float]:
        checked.append("measured")
        return {"film": 61.0}

    options = TensorRTRTX().build_options()
    obtain_engine(model, rtx, options, Target(8, 6), verify=lambda engine: {"film": 70.0})
    for _ in range(3):
        TensorRTRTX().open(model, rtx, check)
    assert checked == ["measured"]
    (sidecar,) = [json.loads(path.read_text()) for path in tmp_path.rglob("*.json")]
    assert sidecar["psnr"] == {"film": 70.0}
    assert sidecar["verified_on"] == {"Simulated GPU, CUDA 13.0": {"film": 61.0}}


def test_an_engine_that_cannot_be_stored_is_verified_once(model: ModelFile, rtx: Profile, tmp_path: Path) -> None:
    """The scores are not stored either; a second run of the FP32 graph would only take time and memory."""
    (tmp_path / "file").touch()
    checked: list[Engine] = []

    def check(engine: Engine) -> dict[str, float]:
        checked.append(engine)
        return {"film": 61.0}

    options, cache = TensorRTRTX().build_options(), EngineCache(tmp_path / "file" / "engines")
    gpu = Gpu(0, "Simulated GPU", Target(8, 6), "13.0")
    engine = obtain_engine(model, rtx, options, gpu.target, device=gpu, cache=cache, verify=check)
    assert checked == [engine]


def test_a_log_is_named_only_where_there_is_one(model: ModelFile, rtx: Profile, tmp_path: Path) -> None:
    """torch-tensorrt builds without our log."""

    def fail() -> Engine:
        raise BackendError("torch-tensorrt cannot convert the network")

    with pytest.raises(BackendError, match=r"cannot convert the network$"):
        obtain_engine(model, rtx, TensorRTRTX().build_options(), Target(8, 6), construct=fail)
    assert not list(tmp_path.rglob("*.log"))


def test_an_engine_that_fails_where_it_serves_is_not_served(model: ModelFile, rtx: Profile) -> None:
    def check(session: Any, checked_model: ModelFile, profile: Profile) -> dict[str, float]:
        raise BackendError("12.0 dB on film")

    obtain_engine(model, rtx, TensorRTRTX().build_options(), Target(8, 6))
    for _ in range(2):
        with pytest.raises(BackendError, match=r"12\.0 dB"):
            TensorRTRTX().open(model, rtx, check)


def test_one_file_for_every_card_is_found_by_each(
    model: ModelFile, rtx: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Built with ``--gpu any``; Turing is too old for it, and has its own."""
    obtain_engine(model, rtx, TensorRTRTX().build_options(), EVERY)
    for target in ((8, 0), (8, 6), (8, 9), (12, 0), (12, 1)):
        gpu = Gpu(0, f"Simulated {target}", Target(*target), "13.0")
        monkeypatch.setattr(targets, "present_gpus", lambda gpu=gpu: [gpu])
        TensorRTRTX().open(model, rtx)
        assert len(list(tmp_path.rglob("*.engine"))) == 1
    (sidecar,) = [json.loads(path.read_text()) for path in tmp_path.rglob("*.json")]
    assert sidecar["key"]["target"] == "any"
    monkeypatch.setattr(targets, "present_gpus", lambda: [Gpu(0, "Simulated T4", Target(7, 5), "13.0")])
    TensorRTRTX().open(model, rtx)
    assert len(list(tmp_path.rglob("*.engine"))) == 2
    with pytest.raises(ArgumentError, match="not for any"):
        check_supported(EVERY, "tensorrt")
