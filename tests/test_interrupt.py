"""Signals end a process whatever it is at, undo what is half-written, and leave its own handlers be."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

STUBBORN = """
import contextlib, sys, time
from pathlib import Path
from vs_interp.interrupt import ending_on_signals, on_forced_exit

half = Path(sys.argv[1])
with ending_on_signals(), on_forced_exit(half.unlink):
    half.touch()
    while True:
        with contextlib.suppress(KeyboardInterrupt, SystemExit):  # as a library's callback does
            time.sleep(60)
"""

OWN = """
import signal, sys
from pathlib import Path
from vs_interp.interrupt import ending_on_signals, interrupted

with ending_on_signals():
    caught = []
    signal.signal(signal.SIGINT, lambda number, frame: caught.append(number))
    Path(sys.argv[1]).touch()
    while len(caught) < 5:
        signal.pause()
    print(len(caught), interrupted())
"""

STARTING = """
import os, signal, threading
from vs_interp.interrupt import ending_on_signals

begin = threading.Thread.start

def start(thread):
    begin(thread)
    signal.raise_signal(signal.SIGINT)

threading.Thread.start = start
signal.signal(signal.SIGINT, lambda *_: os._exit(130))  # as the command line does until its own handlers are there
with ending_on_signals():
    pass
"""

SWALLOWED = """
import signal, sys
from fractions import Fraction
from pathlib import Path
import av
from vs_interp.films.unfinished import finished_as
from vs_interp.interrupt import ending_on_signals

class Pipe:
    def __init__(self, file):
        self.file = file
    def write(self, content):
        signal.raise_signal(int(sys.argv[2]))
        self.file.write(content)

with ending_on_signals(), finished_as(Path(sys.argv[1]), overwrite=False) as unfinished, unfinished.open("wb") as file:
    with av.open(Pipe(file), "w", format="nut") as container:
        stream = container.add_stream("rawvideo", rate=25)
        stream.width, stream.height, stream.pix_fmt = 16, 16, "gray"
        packet = av.Packet(256)
        packet.stream, packet.pts, packet.dts, packet.time_base = stream, 0, 0, Fraction(1, 25)
        container.mux(packet)
"""

STEPS = """
import sys, signal, time
from vs_interp.interrupt import ending_on_signals, on_forced_exit, uninterrupted

with ending_on_signals():
    with uninterrupted():
        for _ in range(int(sys.argv[1])):
            signal.raise_signal(signal.SIGINT)
        time.sleep(0.3)
        print("first", flush=True)
        undo = on_forced_exit(lambda: print("undone", flush=True))
        undo.__enter__()
    print("not reached")
"""


def started(script: str, mark: Path) -> subprocess.Popen[str]:
    """Start a script, and wait until it has made its mark."""
    process = subprocess.Popen([sys.executable, "-c", script, mark], text=True, stdout=-1, stderr=-1)
    while not mark.exists():
        assert process.poll() is None
        time.sleep(0.01)
    return process


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("presses", [1, 3])
def test_a_process_that_does_not_end_by_itself_is_ended(
    tmp_path: Path, number: signal.Signals, code: int, presses: int
) -> None:
    mark = tmp_path / "half-written"
    with started(STUBBORN, mark) as process:
        begin = time.monotonic()
        for _ in range(presses):
            process.send_signal(number)
            time.sleep(0.05)
        out, said = process.communicate(timeout=60)
    assert (process.returncode, out) == (code, "")
    assert said == "vs-interp: stopping …\nvs-interp: interrupted, nothing was written\n"
    assert not mark.exists()
    assert presses > 1 or time.monotonic() - begin >= 0.9, "it had its time to end by itself"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_file_is_not_taken_for_whole_after_a_library_swallowed_the_signal(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    """PyAV cannot hand on what a callback raises, and what it was about to write is missing."""
    command = [sys.executable, "-c", SWALLOWED, tmp_path / "out.nut", str(int(number))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr == "vs-interp: stopping …\nvs-interp: interrupted, nothing was written\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("presses", [1, 3])
def test_no_signal_comes_between_the_steps_of_a_block(presses: int) -> None:
    """Neither its exception nor the forced exit after the third; it comes as soon as the block ends."""
    command = [sys.executable, "-c", STEPS, str(presses)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (130, "first\nundone\n")
    assert done.stderr == "vs-interp: stopping …\nvs-interp: interrupted, nothing was written\n"


@pytest.mark.skipif(sys.platform == "win32", reason="there signals do not wake a process")
def test_code_with_a_handler_of_its_own_has_its_way(tmp_path: Path) -> None:
    with started(OWN, tmp_path / "mark") as process:
        for _ in range(5):
            process.send_signal(signal.SIGINT)
            time.sleep(0.3)
        out, said = process.communicate(timeout=60)
    assert (process.returncode, out, said) == (0, "5 False\n", "")


def test_a_signal_during_the_set_up_ends_the_process_without_a_traceback() -> None:
    done = subprocess.run([sys.executable, "-c", STARTING], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "")


def test_the_command_line_handles_signals_before_it_imports_the_rest() -> None:
    code = "import sys, vs_interp.cli.start\nprint({'vs_interp.memory', 'ctypes', 'click'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
