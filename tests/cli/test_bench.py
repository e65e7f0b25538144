"""``vs-interp bench``: both loops run here, and the report adds up."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from tests import foreseen
from trt_build.profile import Profile
from vs_interp.cli.bench import Report, _show, command
from vs_interp.cli.loops import SOURCES, Loop, endless_clip, feed, noise
from vs_interp.errors import ArgumentError
from vs_interp.size import Size


def test_a_benchmark_prints_and_writes_figures_that_add_up(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    small = ["--size", "64x64", "--factor", "3", "--seconds", "0.2", "--backend", "openvino:streams=2"]
    result = CliRunner().invoke(command, [*small, "--report", str(file)], catch_exceptions=False)
    assert result.exit_code == 0
    figures = json.loads(file.read_text())
    assert (figures["network"], figures["size"], figures["factor"], figures["streams"]) == (
        "super-slomo",
        "64x64",
        3,
        2,
    )
    assert figures["ratio"] == pytest.approx(figures["pipeline_fps"] / figures["bare_fps"])
    assert figures["moved_bytes"] == 64 * 64 * 3 * 4 * 3 // 2
    assert figures["host_mib"] > 50
    assert figures["device_mib"] is None
    assert f"{figures['bare_fps']:.2f} new frames per second" in result.output
    assert "64x64, factor 3, 2 streams" in result.output
    with pytest.raises(ArgumentError, match="exists: remove it"):
        CliRunner().invoke(command, [*small, "--report", str(file)], catch_exceptions=False)
    assert json.loads(file.read_text()) == figures


@pytest.mark.parametrize(("recorded", "lines"), [(False, 1), (True, 0), (None, 0)])
def test_work_that_could_not_be_recorded_shows(
    recorded: bool | None, lines: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """It costs the processor much more than it should, and the figures alone would not say why."""
    report = Report(
        network="super-slomo", model="m.onnx", backend="TensorRT()", precision=None, machine="a GPU", size="64x64",
        factor=2, streams=1, kmac=1, bare_fps=10, pipeline_fps=9, ratio=0.9, bare_host_ms=1, pipeline_host_ms=2,
        moved_bytes=1, host_mib=1, device_mib=1, recorded=recorded,
    )  # fmt: skip
    _show(report)
    assert capsys.readouterr().out.count("could not be captured, and takes more processor time") == lines


@pytest.mark.parametrize(
    "arguments", [["--size", "1920"], ["--size", "65x64"], ["--factor", "1"], ["--seconds", "0"], ["--seconds", "nan"]]
)
def test_what_cannot_be_measured_is_refused(arguments: list[str]) -> None:
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 2
    assert "Invalid value" in result.output


def test_every_session_works_on_windows_of_its_own() -> None:
    """Whichever is idle takes the next window, so that neighbours share frames; all pictures made count."""
    seen: list[list[int]] = [[], []]

    class Counting:
        def __init__(self, slot: int) -> None:
            self.slot = slot

        def run(self, window: object, keys: list[int], times: list[float], out: list[object]) -> None:
            assert times == [0.25, 0.5, 0.75]
            assert len(out) == 3
            seen[self.slot].append(keys[0])

    profile = Profile(width=32, height=16)
    planes = [(size, np.float32) for size in profile.plane_sizes]
    loop = feed([Counting(0), Counting(1)], (0, 1), profile, times=[0.25, 0.5, 0.75], planes=planes, seconds=0.05)
    assert all(seen) and all(numbers == sorted(numbers) for numbers in seen)
    assert sorted(seen[0] + seen[1]) == list(range(len(seen[0]) + len(seen[1])))
    assert loop.times(3).frames == 3 * (len(seen[0]) + len(seen[1]) - 2)
    assert loop.seconds >= 0.05


def test_the_clip_shows_another_picture_every_frame() -> None:
    """Else the filter would see a still and make nothing."""
    clip = endless_clip(Size(64, 32))
    shown = [bytes(memoryview(clip.get_frame(number)[0])) for number in range(SOURCES + 1)]
    assert len(set(shown)) == SOURCES
    assert shown[0] == shown[SOURCES]
    assert len(noise(Profile(width=8, height=8))) == SOURCES


def test_a_loop_counts_frames_a_second_and_processor_time_a_frame() -> None:
    loop = Loop(frames=50, seconds=2.0, processor=1.0)
    assert (loop.fps, loop.host) == (25.0, 20.0)


def bench(*arguments: str | Path, shown: str = "--json") -> str:
    small = ["--size", "64x48", "--seconds", "0.1", "--backend", "openvino:streams=1", shown]
    result = CliRunner().invoke(command, [*map(str, arguments), *small], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


@pytest.mark.parametrize(
    ("model", "moved"),
    [
        ("flavr-small-4x", 3 * 64 * 48 * 4 * 4 // 3),  # RGB in floats: a frame in and three out, for each of three
        ("fsrcnn-x2", 64 * 48 * 4 * (1 + 4)),  # luma in floats
        ("simvp-digits", 64 * 48 * 4 * (1 + 10)),
        ("leftward", 64 * 48 * 4 * (3 + 1) * 1),
        ("bright", 64 * 48 * 4 * (3 + 1)),
    ],
)
def test_networks_of_every_kind_are_measured(model: str, moved: int, tmp_path: Path) -> None:
    own = {"leftward": foreseen.leftward, "bright": foreseen.bright}
    name = own[model](tmp_path / f"{model}.onnx") if model in own else model
    figures = json.loads(bench(name))
    assert figures["factor"] == (4 if model == "flavr-small-4x" else 1)
    assert figures["ratio"] == pytest.approx(figures["pipeline_fps"] / figures["bare_fps"])
    assert figures["kmac"] > 0 or model in own
    assert figures["moved_bytes"] == moved + (64 * 48 * 4 if model == "leftward" else 0)


def test_several_models_are_one_table_and_a_script_is_played(tmp_path: Path) -> None:
    script = tmp_path / "script.vpy"
    script.write_text(
        "import vapoursynth as vs\nvs.core.std.BlankClip(width=64, height=48, length=30, keep=True).set_output()\n"
    )
    both = json.loads(bench(script, "fsrcnn-x2"))
    assert (both[0]["size"], both[0]["frames"]) == ("64x48", 29)
    assert both[0]["fps"] > 0 and both[0]["host_ms"] >= 0
    assert [each.get("script", each.get("model")) for each in both] == ["script.vpy", "fsrcnn-x2.onnx"]
    assert "all frames of scripts" in bench(script, "fsrcnn-x2", shown="--markdown")
    script.write_text("1 / 0\n")
    with pytest.raises(ArgumentError, match=r"^there is no script .*absent\.vpy$"):
        bench(tmp_path / "absent.vpy")
    with pytest.raises(ArgumentError, match=r"script\.vpy stops with ZeroDivisionError: division by zero"):
        bench(script)
    script.write_text("")
    with pytest.raises(ArgumentError, match="has no output: end it with"):
        bench(script)


def test_the_work_of_a_convolution_is_that_of_arithmetic() -> None:
    """FSRCNN ×2 with d = 56, s = 12, m = 4, on pictures with 8 more pixels at each side (which the graph repeats)."""
    from trt_build.backends.work import SIZE, work_per_pixel
    from trt_build.model_file import ModelFile
    from vs_interp.weights.catalogue import resolve

    weights = 25 * 56 + 56 * 12 + 4 * 9 * 12 * 12 + 12 * 56 + 81 * 56
    share = (SIZE.width + 16) * (SIZE.height + 16) / (SIZE.width * SIZE.height)
    model = ModelFile.load(resolve("fsrcnn-x2", network="fsrcnn"))
    assert work_per_pixel(model) == pytest.approx(weights * share / 1000)
