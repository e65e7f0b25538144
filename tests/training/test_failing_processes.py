"""A run of several processes ends soon, all of them, where one fails or is killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from tests.support import ROOT
from tests.training_data import frames, super_slomo_recipe

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1"]


@pytest.fixture
def two_processes(tmp_path: Path) -> Iterator[Callable[[dict[str, Any]], subprocess.Popen[str]]]:
    """Start two gloo processes on a recipe, as a person would."""

    def start(values: dict[str, Any]) -> subprocess.Popen[str]:
        (tmp_path / "recipe.toml").write_text(tomli_w.dumps(values))
        command = [*TORCHRUN, "--nproc-per-node", "2", "-m", "vs_interp", "train", str(tmp_path / "recipe.toml")]
        return subprocess.Popen(
            [*command, "-o", str(tmp_path / "run"), "--device", "cpu"], cwd=ROOT, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip

    yield start
    for process in of_the_run(tmp_path):
        os.kill(int(process.name), signal.SIGKILL)


def of_the_run(folder: Path) -> list[Path]:
    """Return the processes that work on the recipe in a folder, data workers among them."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if str(folder / "recipe.toml").encode() in (process / "cmdline").read_bytes():
                found.append(process)
    return found


def last_lines(running: subprocess.Popen[str], folder: Path) -> list[str]:
    """Return what was said in our name by processes that have all ended."""
    _, words = running.communicate(timeout=120)
    assert running.returncode != 0
    assert not of_the_run(folder)
    return [line for line in words.splitlines() if line.startswith("vs-interp: ")]


@pytest.mark.slow
def test_torchrun_ends_with_the_line_of_the_worker_that_failed(tmp_path: Path, two_processes: Any) -> None:
    folder = frames(tmp_path / "film" / "a", 8).parent
    for path in list(folder.rglob("*.png"))[1:]:
        path.write_bytes(path.read_bytes()[:60])
    values = super_slomo_recipe(tmp_path)
    values["data"] |= {"workers": 1, "source": [{"footage": f"frames:{folder}"}]}
    running = two_processes(values)
    said = last_lines(running, tmp_path)
    assert said and all(
        "windows in a row cannot be read" in line or "another process of this run died" in line for line in said
    )


@pytest.mark.slow
def test_torchrun_ends_where_one_of_its_processes_is_killed(tmp_path: Path, pictures: Path, two_processes: Any) -> None:
    """The other says so, soon, instead of waiting for it in a step."""
    values = super_slomo_recipe(pictures, steps=100_000)
    values["data"]["workers"] = 1
    running = two_processes(values)
    while not (log := tmp_path / "run" / "log.jsonl").exists() or not log.read_text():
        assert running.poll() is None
        time.sleep(0.2)
    second = next(p for p in of_the_run(tmp_path) if b"\0RANK=1\0" in b"\0" + (p / "environ").read_bytes())
    begun = time.monotonic()
    os.kill(int(second.name), signal.SIGKILL)
    assert last_lines(running, tmp_path) == [
        "vs-interp: process 0 stopped because another process of this run died: see its error"
    ]
    assert time.monotonic() - begun < 60
