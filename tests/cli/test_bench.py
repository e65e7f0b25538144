"""``vs-interp bench``: both loops run here, and the report adds up."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from trt_build.profile import Profile
from vs_interp.cli.bench import Report, _show, command
from vs_interp.cli.loops import SOURCES, Loop, endless_clip, feed, noise
from vs_interp.errors import ArgumentError
from vs_interp.size import Size


def test_a_benchmark_prints_and_writes_figures_that_add_up(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    small = ["--size", "64x64", "--factor", "3", "--seconds", "0.5", "--backend", "openvino:streams=2"]
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
    assert f"{figures['bare_fps']:.2f} frames made a second" in result.output
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
        factor=2, streams=1, bare_fps=10, pipeline_fps=9, ratio=0.9, bare_host_ms=1, pipeline_host_ms=2,
        moved_bytes=1, host_mib=1, device_mib=1, recorded=recorded,
    )  # fmt: skip
    _show(report)
    assert capsys.readouterr().out.count("could not be recorded, and costs the processor more") == lines


@pytest.mark.parametrize("arguments", [["--size", "1920"], ["--size", "65x64"], ["--factor", "1"], ["--seconds", "0"]])
def test_what_cannot_be_measured_is_refused(arguments: list[str]) -> None:
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 2
    assert "Invalid value" in result.output


def test_every_session_works_on_windows_of_its_own() -> None:
    """Session r takes the windows r, r + R, …, each once; all pictures made count."""
    seen: list[list[int]] = [[], []]

    class Counting:
        def __init__(self, slot: int) -> None:
            self.slot = slot

        def run(self, window: object, keys: list[int], times: list[float], out: list[object]) -> None:
            assert times == [0.25, 0.5, 0.75]
            assert len(out) == 3
            seen[self.slot].append(keys[0])

    loop = feed([Counting(0), Counting(1)], (0, 1), Profile(width=32, height=16), 4, 0.05)
    assert seen[0] == list(range(0, 2 * len(seen[0]), 2))
    assert seen[1] == list(range(1, 2 * len(seen[1]), 2))
    assert loop.frames == 3 * (len(seen[0]) + len(seen[1]) - 2)
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
