"""ONNX Runtime against OpenVINO: every filter within one code, and what is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import vapoursynth as vs
from vs_interp.filters import flavr, masks, nowcast, optical_flow, predict, rife, super_slomo, upscale

from tests import foreseen
from tests.clips import moving, pictures, same
from tests.filters.test_flow import clip_of, texture
from tests.published import published_model
from tests.support import ROOT
from trt_build import backends
from trt_build.backends import OnnxRuntime, OpenVINO, choose, gpus
from trt_build.model_file import ModelFile
from trt_build.profile import Profile
from vs_interp.errors import ArgumentError, BackendError

pytest.importorskip("onnxruntime")

BUNDLED = ModelFile.load(ROOT / "vs_interp/models/super-slomo-small.onnx")
THERE = OnnxRuntime(threads=2)
CPU = OpenVINO(threads=2)


@pytest.mark.parametrize(
    "serve",
    [
        lambda clip, backend: super_slomo(clip, factor=3, backend=backend),
        lambda clip, backend: flavr(clip, factor=4, backend=backend),
        lambda clip, backend: upscale(clip, backend=backend),
        lambda clip, backend: upscale(clip, tile=64, backend=backend),
    ],
    ids=["super_slomo", "flavr", "upscale", "tiles"],
)
def test_every_filter_gives_what_openvino_gives(serve: Callable[..., vs.VideoNode]) -> None:
    clip = moving(vs.YUV420P8, range(4), 90, 70)
    ours, theirs = (pictures(serve(clip, backend)) for backend in (THERE, CPU))
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        assert max(np.abs(p.astype(int) - q).max() for p, q in zip(a, b, strict=True)) <= 1


def other_kinds(folder: Path) -> dict[str, Callable[[Any], list[vs.VideoNode]]]:
    """The filters that make flow, labels and frames to come, by networks that are here."""
    gray = clip_of(lambda n: np.roll(texture((3.0 * n, 0.0))[0, :64, :64], 0), 10, vs.GRAYS)
    footage = moving(vs.YUV420P8, range(3), 128, 64)
    bright = foreseen.bright(folder / "bright.onnx")

    def flow(model: str | Path, backend: Any) -> list[vs.VideoNode]:
        found = optical_flow(footage, model=model, backend=backend)
        return [found.right, found.down]

    return {
        "optical_flow": lambda backend: flow("super-slomo-small", backend),
        "predict": lambda backend: [predict(gray, model="simvp-digits", backend=backend)],
        "masks": lambda backend: [masks(footage, model=bright, backend=backend)],
        "nowcast": lambda backend: [nowcast(footage, frames=2, flow_model="super-slomo-small", backend=backend)],
    }


def test_the_other_kinds_of_filters_give_what_openvino_gives(tmp_path: Path) -> None:
    """Pictures and labels within a code; flow within a hundredth of a pixel.  Random weights are not for bf16."""
    exact = replace(THERE, precision="fp32"), replace(CPU, precision="fp32")
    for name, serve in other_kinds(tmp_path).items():
        for ours, theirs in zip(*(serve(backend) for backend in exact), strict=True):
            assert len(ours) == len(theirs)
            limit = 0.01 if name == "optical_flow" else 1 / 255 if ours.format.sample_type == vs.FLOAT else 1
            for a, b in zip(pictures(ours), pictures(theirs), strict=True):
                off = max(np.abs(p.astype(float) - q).max() for p, q in zip(a, b, strict=True))
                assert off <= limit, f"{name}: {off}"


@pytest.mark.published
@pytest.mark.parametrize("name", ["rife-4.0", "rife-4.6", "rife-4.25"])
def test_rife_s_versions_give_what_openvino_gives(name: str) -> None:
    model, clip = published_model(name), moving(vs.YUV420P8, range(3), 128, 64)
    ours, theirs = (pictures(rife(clip, model=model, backend=replace(at, precision="fp32"))) for at in (THERE, CPU))
    for a, b in zip(ours, theirs, strict=True):
        assert max(np.abs(p.astype(int) - q).max() for p, q in zip(a, b, strict=True)) <= 1


def test_it_reports_to_nobody(tmp_path: Path) -> None:
    """Its telemetry, on by default, begins with a file in the temporary folder when it is imported."""
    code = "from trt_build.backends.onnx_runtime import available; print(*available())"
    folders = dict.fromkeys(("TMPDIR", "TMP", "TEMP", "HOME", "XDG_CACHE_HOME"), str(tmp_path))
    environment = {key: value for key, value in os.environ.items() if key != "ORT_DISABLE_TELEMETRY"} | folders
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert "cpu" in done.stdout.split(), done.stderr
    assert not list(tmp_path.iterdir())


def test_streams_and_any_order_change_nothing() -> None:
    clip = moving(vs.RGB24, range(5))
    one, three = (pictures(super_slomo(clip, backend=replace(THERE, streams=count))) for count in (1, 3))
    assert all(map(same, one, three))


def test_a_provider_that_is_not_there_is_refused_with_its_package() -> None:
    with pytest.raises(BackendError, match=r"has no provider migraphx, only .* pip install onnxruntime-migraphx"):
        OnnxRuntime(provider="migraphx").open(BUNDLED, Profile(width=64, height=64))
    with pytest.raises(ArgumentError, match="provider is 'vulkan': it must be 'cpu' or 'cuda'"):
        OnnxRuntime(provider="vulkan")  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="precision is 'fp16': it must be 'auto' or 'fp32'"):
        OnnxRuntime(precision="fp16")
    assert choose("onnxruntime:provider=cpu,streams=3") == OnnxRuntime(streams=3)


def test_a_device_that_openvino_does_not_see_is_refused() -> None:
    with pytest.raises(BackendError, match="OpenVINO finds no device NPU here, only CPU"):
        OpenVINO(device="NPU").open(BUNDLED, Profile(width=64, height=64))
    with pytest.raises(ArgumentError, match=r"device is 'TPU': it must be 'CPU', 'GPU', 'GPU.1', 'NPU' or 'AUTO'"):
        OpenVINO(device="TPU")
    with pytest.raises(ArgumentError, match="precision is 'bf16'"):
        OpenVINO(device="GPU", precision="bf16")


def test_auto_is_left_to_openvino() -> None:
    """The pictures are those of the CPU where that is all there is."""
    clip = moving(vs.GRAY8, range(3))
    ours, theirs = (pictures(super_slomo(clip, backend=OpenVINO(threads=2, device=name))) for name in ("AUTO", "CPU"))
    assert all(np.abs(a[0].astype(int) - b[0]).max() <= 1 for a, b in zip(ours, theirs, strict=True))


def test_a_gpu_is_preferred_where_it_makes_what_the_cpu_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    """ONNX Runtime's CPU provider stands in for a GPU here: right once, and once with a network of its own."""
    monkeypatch.setattr(gpus, "devices", lambda: ["CPU"])
    monkeypatch.setattr(gpus, "available", lambda: ["cuda", "cpu"])
    monkeypatch.setattr(backends.TensorRT, "missing", classmethod(lambda cls: "no GPU"))
    monkeypatch.setattr(backends.TensorRTRTX, "missing", classmethod(lambda cls: "no GPU"))

    def chosen() -> Any:
        backends._best.cache_clear()
        return choose(None)

    try:
        assert chosen() == OpenVINO()  # "cuda" is not really there: passed over
        monkeypatch.setattr(OnnxRuntime, "open", lambda self, model, profile: THERE._compile(model, profile, "fp32", 1))
        assert chosen() == OnnxRuntime(provider="cuda")
        monkeypatch.setattr(gpus, "TOLERANCE", -1.0)
        assert "off by 0 8-bit codes" in str(gpus.what_is_wrong(OnnxRuntime(provider="cuda")))
        assert chosen() == OpenVINO()
    finally:
        backends._best.cache_clear()
