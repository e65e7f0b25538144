"""The benchmarks run; what they measure depends on the machine and is no matter of tests."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from trt_build.backends.cuda import missing_cuda
from trt_build.backends.openvino import has_bfloat

from .support import ROOT

pytestmark = pytest.mark.slow


def test_serving_is_compared_in_both_ways() -> None:
    small = ["--size", "64x64", "--threads", "2", "--rounds", "2", "--windows", "4"]
    done = subprocess.run(
        [sys.executable, "-W", "error", ROOT / "benchmarks" / "serve.py", *small],
        cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    head, *ratios = done.stdout.splitlines()
    assert head == "64x64, OpenVINO on 2 threads, 2 streams, 2 rounds of 4 pairs"
    ratio = r"\d+\.\d{3} \(\d+\.\d{3} to \d+\.\d{3}\)"
    figures = rf": {ratio}; \d+\.\d\d against \d+\.\d\d pairs of frames a second; processor time {ratio}"
    assert re.fullmatch("pipeline over bare loop, factor 2" + figures, ratios[0])
    assert re.fullmatch("shared state in the pipeline at factor 8 over eight whole runs a pair" + figures, ratios[1])


def test_the_host_is_called_once_a_window_and_copies_no_picture_twice() -> None:
    """Each source frame is copied to the device, each picture from it; source frames are passed on without Python."""
    small = ["--sizes", "256x256", "--formats", "YUV420P8", "--factors", "2,8", "--sessions", "1", "--seconds", "0.2"]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "benchmarks.host", *small],
        cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    _, _, double, eightfold = ([cell.strip() for cell in line.split("|")] for line in done.stdout.splitlines())
    assert double[1:5] == ["256x256", "YUV420P8", "2", "1"]
    assert double[-4:-1] == ["1.00", "1.00", "0.2"]  # callbacks, frames allocated, MiB copied: in once, out once
    assert eightfold[-4:-1] == ["0.14", "1.00", "0.1"]


@pytest.mark.skipif(missing_cuda() is None, reason="there is a GPU")
def test_the_benchmark_of_gpus_is_rehearsed_without_one(tmp_path: Path) -> None:
    """A bare machine with a GPU is lent for minutes: what it runs there must not be new to it."""
    path = tmp_path / "gpu.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu", "--no-tests", "--seconds", "0.1", "--rows", "1", "--json", path],
        cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(path.read_text())["rows"]
    assert row["network"] == "super-slomo small" and row["size"] == "64x64"
    assert 0 < row["pipeline"] < 10 * row["bare"]  # more would mean that frames are repeated, not made
    assert row["floor"] > row["eager"] > 0


@pytest.mark.skipif(not has_bfloat(), reason="the processor has no bfloat16")
def test_bfloat_is_compared_with_float() -> None:
    clip = ROOT / "vs_interp" / "clips" / "bbb_360p24.mp4"
    done = subprocess.run(
        [sys.executable, "-W", "error", ROOT / "benchmarks" / "bfloat.py", "super-slomo-small", "fsrcnn-x2",
         "--clips", clip, "--sizes", "128x64", "--rounds", "1"],
        cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    row = r"\| \S+ \| 128x64 \| \d+\.\d dB \| \d+\.\d \| \d+\.\d \| \d+ \| \d+ \| \d+\.\d\d \|"
    _, _, *rows = done.stdout.splitlines()
    assert [bool(re.fullmatch(row, each)) for each in rows] == [True, True], done.stdout
