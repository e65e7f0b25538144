"""A process that ends while windows are worked on ends with its own exit code, at once and without a word."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support import ROOT

SCRIPT = """
import sys, time
sys.path.insert(0, {root!r})
import vapoursynth as vs
from tests.clips import moving
from tests.filters import test_serve
from vs_interp.filters import super_slomo

blend = test_serve.Blending.run
def slowly(*arguments):
    time.sleep(0.3)
    blend(*arguments)
test_serve.Blending.run = slowly

clip = super_slomo(moving(vs.YUV420P8, range(40)), factor=2, backend=test_serve.Blender(streams=3))
asked = [clip.get_frame_async(number) for number in range(1, 16, 2)]
asked[0].result()
{end}
"""


@pytest.mark.parametrize(("end", "code"), [("", 0), ("sys.exit(3)", 3), ("raise SystemExit(4)", 4), ("1 / 0", 1)])
def test_the_interpreter_ends_in_the_middle_of_a_window(end: str, code: int) -> None:
    script = SCRIPT.format(root=str(ROOT), end=end)
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == code, done.stderr
    assert "Exception ignored" not in done.stderr and "Fatal" not in done.stderr
    assert (done.stderr == "") == (code != 1)
