"""``vs-interp build`` and ``vs-interp engines`` as people meet them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.simulated_device import SimulatedDevice
from trt_build.backends import cuda
from trt_build.engines import targets
from trt_build.engines.cache import EngineCache
from trt_build.engines.engine import Engine
from trt_build.engines.runtimes import missing
from trt_build.engines.targets import Gpu, Target
from trt_build.profile import PlaneFormat
from trt_build.verify import on_gpu
from vs_interp.cli.formats import parse_format
from vs_interp.cli.main import group
from vs_interp.errors import ArgumentError, BackendError
from vs_interp.size import Size

BUILD = ["build", "super-slomo-small", "--runtime", "tensorrt-rtx", "--size", "128x128", "--gpu"]


def run(*arguments: str) -> str:
    """What a command prints on standard output; what it raises is raised."""
    done = CliRunner().invoke(group, arguments, catch_exceptions=False, standalone_mode=False)
    return done.stdout


@pytest.mark.skipif(missing("tensorrt-rtx") is not None, reason="tensorrt-rtx is not installed")
@pytest.mark.slow
def test_engines_are_built_listed_shown_verified_and_cleared(tmp_path: Path) -> None:
    """Two GPUs, two engines; a damaged one is found, and only it is stale."""
    here, kept = ("--folder", str(tmp_path)), ("-o", str(tmp_path))
    built = json.loads(run(*BUILD, "RTX 4090,sm_86,ada", *kept, "--json"))
    assert [row["target"] for row in built] == ["sm_89", "sm_86"]
    assert all(min(row["psnr"].values()) > 60 for row in built)
    files = [Path(row["file"]) for row in built]
    listed = run("engines", "list", *here)
    assert all(f"{file.stem[:12]} " in listed for file in files)
    assert "128x128 YUV420P8   sm_89   tensorrt-rtx" in listed and "2 engines" in listed
    assert "key.profile.planes.matrix" in run("engines", "show", files[0].stem[:10], *here)
    assert run("engines", "verify", *here).count("undamaged") == 2
    assert json.loads(run("engines", "clear", "--stale", "--json", *here))["removed"] == []
    files[0].write_bytes(files[0].read_bytes()[:-7])
    with pytest.raises(BackendError, match="1 of 2 engines are damaged"):
        run("engines", "verify", *here)
    assert json.loads(run("engines", "clear", "--stale", "--json", *here))["removed"] == [files[0].stem]
    assert "removed 1 engines" in run("engines", "clear", *here)
    assert list(tmp_path.glob("*.engine")) == []


@pytest.mark.skipif(missing("tensorrt-rtx") is not None, reason="tensorrt-rtx is not installed")
def test_in_a_mixed_machine_all_is_done_on_the_gpu_that_the_engine_is_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is current while the engine is built, and it is the one that measures it, at the build and again later."""
    gpus = [Gpu(0, "Simulated 3060", Target(8, 6), "13.0"), Gpu(1, "Simulated 4060", Target(8, 9), "13.0")]
    current: list[int] = []
    measured: list[int] = []

    class Device(SimulatedDevice):
        def activate(self) -> None:
            current.append(self.index)

    def measure(engine: Engine, options: Any, model: Any, profile: Any, device: SimulatedDevice) -> dict[str, float]:
        measured.append(device.index)
        return {"film": 61.0}

    monkeypatch.setattr(targets, "present_gpus", lambda: gpus)
    monkeypatch.setattr(cuda, "CudaDevice", lambda number: Device(index=number))
    monkeypatch.setattr(on_gpu, "verify_engine", measure)
    run(*BUILD, "ada", "-o", str(tmp_path))
    assert (current, measured) == ([1], [1])
    (entry,) = EngineCache(tmp_path).entries()
    assert entry.about["verified_on"] == {"Simulated 4060, CUDA 13.0": {"film": 61.0}}
    monkeypatch.setattr(targets, "present_gpus", lambda: [gpus[0], replace(gpus[1], driver="13.1")])
    run("engines", "verify", entry.digest, "--model", "super-slomo-small", "--folder", str(tmp_path))
    assert measured == [1, 1]
    (entry,) = EngineCache(tmp_path).entries()
    assert set(entry.about["verified_on"]) == {"Simulated 4060, CUDA 13.0", "Simulated 4060, CUDA 13.1"}


@pytest.mark.parametrize(
    ("name", "planes"),
    [
        ("YUV420P8", PlaneFormat(family="yuv", bits=8, floating=False, subsampling=(1, 1), full_range=False)),
        ("yuv422p10", PlaneFormat(family="yuv", bits=10, floating=False, subsampling=(1, 0), full_range=False)),
        ("YUV444PS", PlaneFormat(family="yuv", bits=32, full_range=False)),
        ("GRAY16", PlaneFormat(family="gray", bits=16, floating=False, full_range=False)),
        ("GRAYH", PlaneFormat(family="gray", bits=16, full_range=False)),
        ("RGB24", PlaneFormat(family="rgb", bits=8, floating=False)),
        ("RGB48", PlaneFormat(family="rgb", bits=16, floating=False)),
        ("RGBS", PlaneFormat()),
    ],
)
def test_formats_have_vapoursynths_names(name: str, planes: PlaneFormat) -> None:
    assert parse_format(name, Size(1920, 1080)) == planes


def test_small_clips_are_bt601_unless_said_otherwise() -> None:
    assert parse_format("YUV420P8", Size(1024, 576)).matrix == "601"
    assert parse_format("YUV420P8", Size(1280, 720)).matrix == "709"
    assert parse_format("YUV420P8", Size(640, 360), matrix="2020", full_range=True).matrix == "2020"


@pytest.mark.parametrize("name", ["YUV411P8", "YUV420P7", "YUV420P17", "RGB25", "RGB21", "NV12", "YUV420P", ""])
def test_other_formats_are_refused_with_examples(name: str) -> None:
    with pytest.raises(ArgumentError, match="give one such as YUV420P8"):
        parse_format(name, Size(1920, 1080))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--gpu", "rtx9999", "--size", "128x128"], "no GPU is called 'rtx9999'"),
        (["--gpu", "sm_90", "--size", "128x128"], "builds no engines for sm_90"),
        (["--gpu", "ada", "--size", "129x128"], "129x128"),
        (["--gpu", "ada"], "one of --size and --dynamic"),
        (["--gpu", "ada", "--dynamic", "512x512", "256x256", "640x640", "--format", "RGBS"], "smallest size 512x512"),
    ],
)
def test_bad_input_to_build_is_one_clear_line(arguments: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=message) as raised:
        run("build", "super-slomo-small", "--runtime", "tensorrt-rtx", "-o", str(tmp_path), *arguments)
    assert "\n" not in str(raised.value)
