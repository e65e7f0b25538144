"""A signal after models were compiled and dropped is handled; OpenVINO left a signal stack without memory."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support import ROOT

PROGRAM = """
import gc, os, signal, sys
from trt_build.backends.openvino import OpenVINO
from trt_build.model_file import ModelFile
from trt_build.profile import GRAYS, Profile
from trt_build.backends.signal_stack import signal_stack
from pathlib import Path

handled = []
signal.signal(signal.SIGTERM, lambda number, frame: handled.append(number))
before = signal_stack()
model, profile = ModelFile.load(Path(sys.argv[1])), Profile(width=64, height=64, planes=GRAYS)
first = OpenVINO().open(model, profile)
second = OpenVINO().open(model, profile)
del first  # in this order: each puts back what it found, and the second found the first's
gc.collect()
del second
gc.collect()
after = signal_stack()
assert (after.pointer, after.size) == (before.pointer, before.size), (after.pointer, after.size)
os.kill(os.getpid(), signal.SIGTERM)
assert handled == [signal.SIGTERM]
"""


@pytest.mark.skipif(sys.platform != "linux", reason="sigaltstack is looked at as Linux has it")
def test_a_signal_after_compiling_is_handled() -> None:
    """In a process of its own, with faulthandler's stack, which is the one to come back to."""
    model = ROOT / "vs_interp" / "models" / "fsrcnn-x2.onnx"
    command = [sys.executable, "-X", "faulthandler", "-c", PROGRAM, str(model)]
    finished = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert finished.returncode == 0, (finished.returncode, finished.stderr)
