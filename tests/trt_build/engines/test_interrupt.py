"""Ctrl-C while an engine is built, in a process of its own: should the runtime crash, the tests go on."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support import ROOT
from trt_build.engines.runtimes import missing

SCRIPT = """
import os, signal, sys
sys.path.insert(0, {root!r})
from tests.trt_build.engines.test_build import ADA, BUNDLED, RTX, SMALL
from trt_build.engines.build import build_engine

caught, handler = [], signal.getsignal(signal.SIGINT)
for wanted in (1, 3, 20, 100):
    calls = 0
    def interrupt(name, done):
        global calls
        calls += 1
        if calls == wanted:
            os.kill(os.getpid(), signal.SIGINT)
    try:
        build_engine(BUNDLED, SMALL, RTX, ADA, progress=interrupt)
    except KeyboardInterrupt as error:
        caught.append(error)  # with all that its frames hold, as a program does that shows it
    assert calls <= wanted + 5, "the build ends at its next step"
    assert signal.getsignal(signal.SIGINT) is handler
print(len(caught), len(build_engine(BUNDLED, SMALL, RTX, ADA).plans))
"""


@pytest.mark.skipif(missing("tensorrt-rtx") is not None, reason="tensorrt-rtx is not installed")
@pytest.mark.slow
def test_ctrl_c_stops_a_build_and_the_process_goes_on() -> None:
    """Early, late and in the second plan; what was interrupted is freed, and the next build is whole."""
    script = SCRIPT.format(root=str(ROOT))
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "4 2\n"), done.stderr
