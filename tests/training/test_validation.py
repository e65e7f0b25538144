"""Validation while a run goes on: when it ends the run, and what a signal or a broken network makes of it."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import tomli_w
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from tests.command_line import run
from tests.training_data import fsrcnn_recipe, recipe, texture
from vs_interp.training.beginning import first_network
from vs_interp.training.checkpoints import Checkpoints
from vs_interp.training.loop import train
from vs_interp.training.processes import Processes
from vs_interp.training.report import Report, Scores
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
    lines = (tmp_path / "run" / "log.jsonl").read_text().splitlines()
    begun, line = (json.loads(line, parse_constant=pytest.fail) for line in lines)
    assert begun == {"step": 0, "validation": {"psnr": 0, "ssim": 0}}
    assert line["losses"] == {"charbonnier": None} and line["gradient_norm"] is None
    assert str(line["psnr"]) == "0.0" and line["ssim"] == 0 and line["validation"] == {"psnr": 0, "ssim": 0}


def test_a_validation_by_pictures_too_small_for_ssim_has_none(pictures: Path, tmp_path: Path) -> None:
    """Neither in the log, where a training's has none either, nor in the summary."""
    values = fsrcnn_recipe(pictures, steps=1)
    values["network"] = {"name": "single-frame"}
    values["data"] |= {"crop": [8, 8], "margin": 0, "source": [{"footage": f"pictures:{pictures / 'photos'}"}]}
    for number in range(2):
        path = tmp_path / "small" / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(texture(number, 8, 8)).save(path)
    values["validation"] = {"footage": f"pictures:{tmp_path / 'small'}", "every": 1}
    reports: list[Report] = []
    train(recipe(values), tmp_path / "run", device="cpu", listener=reports.append)
    line = json.loads((tmp_path / "run" / "log.jsonl").read_text())
    assert line["validation"]["psnr"] > 0 and line["validation"]["ssim"] is None
    assert reports[0].validation is not None and reports[0].validation.ssim is None


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


@pytest.mark.parametrize("at", [0, 2, 6])
def test_a_validation_that_a_signal_ended_is_made_up_for_on_resuming(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """Of the weights that the run begins with, in the middle, and at its end: all is as if no signal had come."""
    begun = train(recipe(fsrcnn_recipe(pictures, steps=1)), tmp_path / "begun", device="cpu")
    values = fsrcnn_recipe(pictures, steps=6, start=begun)
    values["data"]["source"][0]["part"] = [0.0, 0.5]
    values["validation"] = {"footage": f"pictures:{pictures / 'photos'}", "part": [0.5, 1.0], "windows": 2, "every": 2}
    values["schedule"] = {"kind": "plateau", "patience": 0}
    train(recipe(values), tmp_path / "whole", device="cpu")
    scores = Validator.scores

    def interrupted(self: Validator, weights: dict[str, Tensor], stopped: Callable[[], bool]) -> Scores | None:
        if len(validated) * 2 == at:
            os.kill(os.getpid(), signal.SIGTERM)
        validated.append(at)
        return scores(self, weights, stopped)

    validated: list[int] = []
    monkeypatch.setattr(Validator, "scores", interrupted)
    assert train(recipe(values), tmp_path / "run", device="cpu") == signal.SIGTERM
    assert Checkpoints(tmp_path / "run", 3).steps()[-1] == at
    train(recipe(values), tmp_path / "run", device="cpu", resume=True)
    assert len(validated) == 5
    found, wanted = (validations(tmp_path / name) for name in ("run", "whole"))
    assert found == wanted and [step for step, _ in found] == [0, 2, 4, 6]
    for name in ("best.safetensors", "step-00000006.safetensors", "step-00000006.state"):
        whole, resumed = (load_file(tmp_path / folder / name) for folder in ("whole", "run"))
        assert all(torch.equal(tensor, resumed[key]) for key, tensor in whole.items()), name
    whole, resumed = (Checkpoints(tmp_path / folder, 3).read_last() for folder in ("whole", "run"))
    assert whole is not None and resumed is not None
    assert all(whole.values[key] == resumed.values[key] for key in ("best", "since_best", "plateau"))


def validations(folder: Path) -> list[tuple[int, dict[str, float]]]:
    """Return the steps and scores of the validations in a run's log."""
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [(line["step"], line["validation"]) for line in lines if "validation" in line]


def test_a_validation_that_was_made_up_for_ends_a_run_out_of_patience(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """At once, as the uninterrupted run ended; and its summary has the figures, although no step was taken."""
    values = fsrcnn_recipe(pictures, steps=50, learning_rate=1e-30)
    values["data"]["source"][0]["part"] = [0.0, 0.5]
    values["validation"] = {
        "footage": f"pictures:{pictures / 'photos'}", "part": [0.5, 1.0], "windows": 1, "every": 2, "patience": 1,
    }  # fmt: skip
    (tmp_path / "recipe.toml").write_text(tomli_w.dumps(values))
    command = "train", tmp_path / "recipe.toml", "--device", "cpu", "--quiet", "--json", "-o"
    assert run(*command, tmp_path / "whole") == 0
    wanted = json.loads(capsys.readouterr().out)
    scores, validated = Validator.scores, 0

    def interrupted(self: Validator, weights: dict[str, Tensor], stopped: Callable[[], bool]) -> Scores | None:
        nonlocal validated
        validated += 1
        if validated == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return scores(self, weights, stopped)

    monkeypatch.setattr(Validator, "scores", interrupted)
    assert run(*command, tmp_path / "run") == 143
    capsys.readouterr()
    assert run(*command, tmp_path / "run", "--resume") == 0
    assert Checkpoints(tmp_path / "run", 3).steps() == Checkpoints(tmp_path / "whole", 3).steps() == [4]
    found = json.loads(capsys.readouterr().out)
    assert found.keys() == wanted.keys()
    for key in ("step", "best", "skipped", "validation"):
        assert found[key] == pytest.approx(wanted[key], abs=1e-9), key
    assert run(*command, tmp_path / "run", "--resume") == 0  # nothing is left to do, which is no reason for silence
    assert json.loads(capsys.readouterr().out) == found
    assert Checkpoints(tmp_path / "run", 3).steps() == [4]
