"""Nothing that a user runs may report to anyone."""

from __future__ import annotations

import subprocess
import sys

from tests.support import ROOT

SCRIPT = """
import os, sys

def refuse(*arguments):
    raise SystemExit("a process was forked")

os.fork = refuse
import trt_build.backends.openvino
import openvino
from openvino.tools import ovc
sent = [name for name in sys.modules if name.startswith("openvino_telemetry.")]
raise SystemExit(f"loaded: {sent}" if sent else 0)
"""


def test_openvino_is_imported_without_its_statistics() -> None:
    """`import openvino` sends an event from a forked process; through trt_build it does not, and leaves no child."""
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
