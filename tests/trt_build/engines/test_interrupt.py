"""Ctrl-C while an engine is built, in a process of its own: should the runtime crash, the tests go on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

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


PLAYER = """
#include <Python.h>
#include <signal.h>
static void own(int number) {}
int main(int count, char **words) {
    PyConfig config;
    struct sigaction action;
    signal(SIGINT, own);
    PyConfig_InitPythonConfig(&config);
    config.install_signal_handlers = 0;
    PyConfig_SetBytesString(&config, &config.program_name, words[1]);
    Py_InitializeFromConfig(&config);
    if (PyRun_SimpleString(words[2])) return 2;
    sigaction(SIGINT, 0, &action);
    return action.sa_handler != own;
}
"""


def test_a_program_that_handles_ctrl_c_itself_goes_on_doing_so(tmp_path: Path) -> None:
    """A program in C that runs scripts, as mpv and ffmpeg do: Python could not give its handler back to it."""
    (tmp_path / "player.c").write_text(PLAYER)
    player, folder = tmp_path / "player", sysconfig.get_config_var("LIBDIR")
    library = f"-lpython{sysconfig.get_config_var('LDVERSION')}"
    compiler = shutil.which("cc")
    command = [compiler or "", str(tmp_path / "player.c"), f"-I{sysconfig.get_path('include')}", f"-L{folder}", library,
               f"-Wl,-rpath,{folder}", "-o", str(player)]  # fmt: skip
    if compiler is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("there is no C compiler, or no Python to link with")
    script = "from trt_build.engines.progress import deferred_interrupts\nwith deferred_interrupts(): pass"
    path = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([player, sys.executable, script], env=path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
