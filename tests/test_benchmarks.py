"""The benchmarks run; what they measure depends on the machine and is no matter of tests."""

from __future__ import annotations

import re
import subprocess
import sys

from .support import ROOT


def test_serving_is_compared_in_both_ways() -> None:
    small = ["--size", "64x64", "--threads", "2", "--rounds", "2", "--windows", "4"]
    done = subprocess.run(
        [sys.executable, "-W", "error", ROOT / "benchmarks" / "serve.py", *small],
        cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    head, *ratios = done.stdout.splitlines()
    assert head == "64x64, OpenVINO on 2 threads, 2 slots, 2 rounds of 4 pairs"
    figures = r": \d+\.\d{3} \(\d+\.\d{3} to \d+\.\d{3}\); \d+\.\d\d against \d+\.\d\d pairs of frames a second"
    assert re.fullmatch("pipeline over bare loop, factor 2" + figures, ratios[0])
    assert re.fullmatch("shared state in the pipeline at factor 8 over eight whole runs a pair" + figures, ratios[1])
