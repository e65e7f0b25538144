"""The engine cache under several processes, killed ones, and folders that take nothing."""

from __future__ import annotations

import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from tests.engine_cache import KEY, PLANS, Recorder, engine_path
from tests.support import ROOT
from trt_build.engines.cache import EngineCache

WORKER = """
import os, sys, time
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.engine_cache import KEY, PLANS
from trt_build.engines.cache import Built, EngineCache
from trt_build.engines.engine import Engine
folder = Path(sys.argv[1])
def build():
    with (folder / "builds").open("a") as file:
        file.write("x")
    {body}
    return Built(Engine(PLANS))
print(len(EngineCache(folder).get_or_build(KEY, build).plans))
"""


def worker(folder: Path, body: str = "pass", **options: Any) -> subprocess.Popen[str]:
    """A process that asks the cache for KEY and builds it in its own way."""
    script = WORKER.format(root=str(ROOT), body=body)
    return subprocess.Popen(
        [sys.executable, "-c", script, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        **options,
    )


def run_script(script: str, folder: Path) -> tuple[str, str]:
    """What a Python script prints on standard output and error."""
    command = [sys.executable, "-c", script, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    return done.stdout, done.stderr


def test_two_processes_that_start_together_build_once(tmp_path: Path) -> None:
    processes = [worker(tmp_path, "time.sleep(1)") for _ in range(2)]
    outputs = [process.communicate(timeout=60) for process in processes]
    assert [output for output, _ in outputs] == ["2\n", "2\n"]
    assert (tmp_path / "builds").read_text() == "x"
    assert sorted(error for _, error in outputs)[-1].count("another process is building this engine") == 1


@pytest.mark.parametrize(
    "body",
    [
        "(folder / 'begun').touch(); time.sleep(60)",
        "import os; from vs_interp import files; stop = lambda *_: ((folder / 'begun').touch(), time.sleep(60));"
        " files.os.fsync = stop",
    ],
    ids=["while building", "while writing"],
)
def test_a_killed_build_leaves_nothing_in_the_way(tmp_path: Path, body: str) -> None:
    """Killed with -9 inside the build, and between writing and renaming: the next start builds and sweeps."""
    process = worker(tmp_path, body)
    while not (tmp_path / "begun").exists():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not engine_path(tmp_path).exists()
    again = Recorder(tmp_path)
    assert again.get().plans == PLANS
    assert again.builds == 1
    assert again.lines == []
    assert list(tmp_path.glob("*.partial")) + list(tmp_path.glob(".*.partial")) == []


def test_sweeping_removes_what_the_dead_left_and_spares_the_living(tmp_path: Path) -> None:
    left = tmp_path / f".{'a' * 64}.engine.99.partial"
    left.touch()
    process = worker(tmp_path, "(folder / ('.' + KEY.digest + '.engine.1.partial')).touch(); time.sleep(60)")
    try:
        living = tmp_path / f".{KEY.digest}.engine.1.partial"
        while not living.exists():
            assert process.poll() is None
            time.sleep(0.02)
        assert EngineCache(tmp_path).sweep() == 1
        assert living.exists() and not left.exists()
    finally:
        process.kill()
        process.communicate()
    assert EngineCache(tmp_path).sweep() == 1


def test_a_read_only_folder_serves_what_it_has_and_keeps_nothing_new(tmp_path: Path) -> None:
    """As another user than root, for whom no folder is read-only."""
    folder = Path(tempfile.mkdtemp())  # pytest's own folders are closed to other users
    try:
        Recorder(folder).get()
        folder.chmod(0o555)
        script = WORKER.format(root=str(ROOT), body="pass").replace('folder / "builds"', "Path(os.devnull)")
        start, end = script.split("print(")
        user = "if os.getuid() == 0: os.setgid(65534); os.setuid(65534)\n"
        other = "import dataclasses; KEY = dataclasses.replace(KEY, target='sm_75')\n"
        outputs = [run_script(f"{start}{user}{change}print({end}", folder) for change in ("", other)]
        assert [output for output, _ in outputs] == ["2\n", "2\n"]
        assert outputs[0][1] == ""
        assert outputs[1][1].count("\n") == 1 and "cannot store engines in" in outputs[1][1]
    finally:
        shutil.rmtree(folder)


def test_a_full_disk_costs_only_the_keeping(tmp_path: Path) -> None:
    """Files may not grow beyond 8 KiB: the engine is whole in memory, and no piece of it is left on disk."""
    limit = (8192, resource.RLIM_INFINITY)
    process = worker(tmp_path, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit))
    output, error = process.communicate(timeout=60)
    assert output == "2\n"
    assert error.count("\n") == 1 and "the engine could not be stored in" in error
    assert list(tmp_path.glob("*.engine")) + list(tmp_path.glob(".*.partial")) == []
