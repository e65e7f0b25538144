"""Validation while a run goes on: when it ends the run, and what a signal or a broken network makes of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from tests.training_data import fsrcnn_recipe, recipe
from vs_interp.training.beginning import first_network
from vs_interp.training.checkpoints import Checkpoints
from vs_interp.training.loop import train
from vs_interp.training.processes import Processes
from vs_interp.training.report import Report
from vs_interp.training.trainer import Trainer
from vs_interp.training.validation import Validator


def test_validation_that_does_not_get_better_ends_the_run(pictures: Path, tmp_path: Path) -> None:
    """With a learning rate of nothing no validation is better than the first."""
    values = fsrcnn_recipe(pictures, steps=50, learning_rate=1e-30)
    values["data"]["source"][0]["part"] = [0.0, 0.5]
    values["validation"] = {
        "footage": f"pictures:{pictures / 'photos'}", "part": [0.5, 1.0], "windows": 1, "every": 1, "patience": 3,
    }  # fmt: skip
    steps: list[int] = []
    train(recipe(values), tmp_path / "run", device="cpu", listener=lambda report: steps.append(report.step))
    assert steps[-1] == 4


def test_a_network_that_overflows_is_validated_and_the_log_stays_json(pictures: Path, tmp_path: Path) -> None:
    """It gets the worst scores, is not taken for one that a signal ended, and its weights are never the best."""
    values = fsrcnn_recipe(pictures, steps=2)
    values["data"]["source"][0]["part"] = [0.0, 0.5]
    values["validation"] = {
        "footage": f"pictures:{pictures / 'photos'}", "part": [0.5, 1.0], "windows": 1, "every": 1, "patience": 1,
    }  # fmt: skip
    trainer = Trainer(recipe(values), Processes(0, 1, torch.device("cpu")))
    huge = {name: tensor * 1e30 for name, tensor in trainer.average.items()}
    start = Checkpoints(tmp_path, 1).write(0, trainer.state(), huge, trainer.about())
    values["training"]["start"] = str(start)
    reports: list[Report] = []
    recommended = train(recipe(values), tmp_path / "run", device="cpu", listener=reports.append)
    assert [report.step for report in reports] == [1] and reports[0].skipped == 1
    assert reports[0].validation == (0, 0) and reports[0].best is None and reports[0].psnr == 0
    assert recommended == tmp_path / "run" / "step-00000001.safetensors"
    assert not (tmp_path / "run" / "best.safetensors").exists()
    line = json.loads((tmp_path / "run" / "log.jsonl").read_text(), parse_constant=pytest.fail)
    assert line["losses"] == {"charbonnier": None} and line["gradient_norm"] is None
    assert str(line["psnr"]) == "0.0" and line["ssim"] == 0 and line["validation"] == {"psnr": 0, "ssim": 0}


def test_a_signal_ends_a_validation_between_two_windows(pictures: Path) -> None:
    """Slurm kills what has not ended half a minute after it asked."""
    values = fsrcnn_recipe(pictures)
    values["validation"] = {"footage": f"pictures:{pictures / 'photos'}", "windows": 3}
    network = first_network(recipe(values))
    validator = Validator.open(recipe(values), network)
    assert validator is not None
    looks: list[int] = []

    def stopped() -> bool:
        looks.append(len(looks))
        return len(looks) == 2

    assert validator.scores(network.state_dict(), stopped) is None and len(looks) == 2
