"""Resident memory stays where it is, however many frames are made, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT
from tests.video import make_video
from vs_interp import memory
from vs_interp.memory import VARIABLE

SCRIPT = """
import sys
sys.path.insert(0, {root!r})
from tests.filters.test_serve import Blender
from vs_interp.filters import super_slomo
from vs_interp.films.source import open_source
from vs_interp.host import resident_memory

film = open_source({film!r}).stream.clip
clip = super_slomo(film, factor=2, backend=Blender())
for number, frame in enumerate(clip.frames(close=True)):
    if number in (500, 3900):
        print(resident_memory() >> 20)
"""


BEGUN_AGAIN = """
import os, sys
sys.path.insert(0, {root!r})
from vs_interp.memory import VARIABLE, restart_with_tuned_malloc

print(os.getpid(), os.environ.get(VARIABLE), *sys.argv[1:], flush=True)
restart_with_tuned_malloc()
"""


@pytest.mark.parametrize("chosen", [None, "", "glibc.malloc.check=0"])
def test_the_command_begins_again_once_where_glibc_is_old(chosen: str | None) -> None:
    """As the same process, with the same words; a heap that somebody chose stays, and nothing chooses none."""
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    with subprocess.Popen(
        [sys.executable, "-c", BEGUN_AGAIN.format(root=str(ROOT)), "a b", "c"], stdout=subprocess.PIPE, text=True,
        env=environment if chosen is None else {**environment, VARIABLE: chosen},
    ) as process:  # fmt: skip
        said, _ = process.communicate()
    again = not chosen and memory._glibc() < memory.FIXED_IN
    heaps = [chosen, *[memory.TUNABLES][:again]]
    assert said == "".join(f"{process.pid} {heap} a b c\n" for heap in heaps)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="glibc's")
@pytest.mark.parametrize(("heap", "growth"), [("", 24), (memory.TUNABLES, 8)])
def test_memory_stays_flat(tmp_path: Path, heap: str, growth: int) -> None:
    """To what few bytes give up in scripts, and to 5 % where the command line has begun again."""
    film = make_video(tmp_path / "in.mp4", frames=2000, size="320x180")
    script = SCRIPT.format(root=str(ROOT), film=film).replace("PosixPath", "__import__('pathlib').Path")
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, VARIABLE: heap},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    early, late = map(int, done.stdout.split())
    assert late < early + growth, "it is 250 MB more where glibc keeps what frames leave"
