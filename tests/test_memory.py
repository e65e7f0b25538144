"""Resident memory stays where it is, however many frames are made, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT
from tests.video import make_video

SCRIPT = """
import sys
sys.path.insert(0, {root!r})
from tests.filters.test_serve import Blender
from vs_interp.filters import super_slomo
from vs_interp.films.source import open_source
from vs_interp.host import resident_memory
import vapoursynth as vs

film = open_source({film!r}).stream.clip
clip = super_slomo(vs.core.std.Loop(film, 10), factor=2, backend=Blender())
for number, frame in enumerate(clip.frames(close=True)):
    if number in (500, 3900):
        print(resident_memory() >> 20)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's")
def test_memory_stays_flat(tmp_path: Path) -> None:
    film = make_video(tmp_path / "in.mp4", frames=200, size="320x180")
    script = SCRIPT.format(root=str(ROOT), film=film).replace("PosixPath", "__import__('pathlib').Path")
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    early, late = map(int, done.stdout.split())
    assert late < early + 60, "it is 250 MB more where glibc keeps what frames leave"
