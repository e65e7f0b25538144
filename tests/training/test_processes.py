"""Processes that share a batch, started by torchrun, take the step that one process would."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import tomli_w
import torch
from safetensors.torch import load_file

from tests.gradients import gradients
from tests.support import ROOT
from tests.training_data import super_slomo_recipe
from vs_interp.training.processes import Processes
from vs_interp.training.recipe_file import read_recipe

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1"]
"""By address: what ``localhost`` or this machine's name stands for is no matter of this test."""


@pytest.mark.slow
@pytest.mark.timeout(600)  # three interpreters import PyTorch: 20 s, and ten times that on a machine with other work
def test_two_processes_give_the_gradients_of_one(pictures: Path, tmp_path: Path) -> None:
    """gloo on the CPU, against the whole batch in this process."""
    file, output = tmp_path / "recipe.toml", tmp_path / "gradients.safetensors"
    file.write_text(tomli_w.dumps(super_slomo_recipe(pictures)))
    command = [*TORCHRUN, "--nproc-per-node", "2", "-m", "tests.gradients", str(file), str(output)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    finished = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    two, one = load_file(output), gradients(read_recipe(file), Processes(0, 1, torch.device("cpu")))
    assert two.keys() == one.keys()
    for name, gradient in one.items():
        torch.testing.assert_close(two[name], gradient, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_whole_group_stops_a_run_with_a_checkpoint(
    pictures: Path, tmp_path: Path, number: signal.Signals
) -> None:
    """As systemd, Slurm and a terminal send it: to the data's workers too, on whose batches the last step may wait."""
    values = super_slomo_recipe(pictures, steps=100_000, save_every=100_000)
    values["data"]["workers"] = 2
    file, folder = tmp_path / "recipe.toml", tmp_path / "run"
    file.write_text(tomli_w.dumps(values))
    command = [sys.executable, "-m", "vs_interp", "train", str(file), "-o", str(folder), "--device", "cpu"]
    running = subprocess.Popen(command, cwd=ROOT, start_new_session=True, stderr=subprocess.PIPE, text=True)
    assert running.stderr is not None
    while "/100000" not in running.stderr.readline():
        assert running.poll() is None
    os.killpg(running.pid, number)
    _, words = running.communicate(timeout=120)
    assert running.returncode == 128 + number, words
    assert len(list(folder.glob("step-*.state"))) == 1
