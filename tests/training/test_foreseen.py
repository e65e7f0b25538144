"""Networks of frames to come, of labels and of slots, trained by the same loop on data whose truth is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.training_data import recipe, super_slomo_recipe, write_pictures
from vs_interp.datasets.readers import open_footage
from vs_interp.errors import ArgumentError, DatasetError
from vs_interp.flow_fields import sampled
from vs_interp.training.beginning import first_network
from vs_interp.training.loop import train
from vs_interp.training.losses import sequence
from vs_interp.training.recipe import Schedule
from vs_interp.training.report import Report
from vs_interp.training.schedules import share
from vs_interp.training.validation import Validator

UNCHANGED = {"colours": False, "reverse": False, "gamma": 0.0, "gain": 1.0, "offset": 0.0, "noise": 0.0}

CASES: dict[str, tuple[dict[str, Any], str, tuple[int, int], str]] = {
    "labels to come": (
        {"name": "simvp", "frames": 2, "width": 4, "inner": 8, "layers": 2, "channels": 14, "labels": True},
        "scene-labels:64x64", (64, 64), "mse",
    ),
    "labels": ({"name": "unet49", "width": 4}, "scenes:64x64", (64, 64), "cross-entropy"),
    "labels, as published": ({"name": "unet49", "width": 4}, "scenes:64x64", (64, 64), "bce"),
    "slots": (
        {"name": "slot-attention", "slots": 3, "width": 8, "hidden": 16, "output": "picture"},
        "scenes:64x64", (64, 64), "mse",
    ),
    "the middle of clouds to come": (
        {"name": "nowcast", "seen": 2, "made": 4, "width": 16}, "clouds:128x128", (128, 128), "ms-ssim",
    ),
}  # fmt: skip


def tables(network: dict[str, Any], footage: str, crop: tuple[int, int], loss: str) -> dict[str, Any]:
    """Return the tables of a recipe of a few steps."""
    return {
        "network": network,
        "data": {
            "batch": 2, "crop": list(crop), "workers": 0, "source": [{"footage": footage}], "variation": UNCHANGED,
        },
        "losses": {loss: 1.0},
        "schedule": {"kind": "constant", "warmup": 0},
        "training": {
            "steps": 12, "seed": 7, "learning_rate": 3e-3, "threads": 1, "precision": "fp32", "average": 0.5,
        },
        "validation": {"footage": footage, "windows": 1, "every": 12},
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_loss_falls_and_what_is_made_has_the_truth_s_size(
    tmp_path: Path, case: tuple[dict[str, Any], str, tuple[int, int], str]
) -> None:
    reports: list[Report] = []
    train(recipe(tables(*case)), tmp_path / "run", device="cpu", listener=reports.append)
    for report in reports:
        assert report.outcome.made.shape == report.batch.truth.shape
    losses = [sum(report.losses.values()) for report in reports]
    assert np.mean(losses[-3:]) < 0.98 * np.mean(losses[:3])
    assert reports[-1].validation is not None and np.isfinite(reports[-1].validation.psnr)


@pytest.mark.parametrize(
    "network",
    [CASES["slots"][0], {"name": "simvp", "frames": 2, "width": 4, "inner": 8, "layers": 2}],
    ids=["noise", "norms"],
)
def test_validation_runs_the_network_as_it_is_exported(network: dict[str, Any]) -> None:
    """With the slots' constant noise, and norms by their kept statistics, not by those of a window."""
    values = recipe(tables(network, "scenes:64x64", (64, 64), "mse"))
    trained = first_network(values)
    weights = {
        name: torch.ones_like(tensor) if "layer_scale" in name else tensor
        for name, tensor in trained.state_dict().items()
    }
    validator = Validator.open(values, trained)
    assert validator is not None
    random = torch.get_rng_state()
    found = validator.scores(weights)
    assert torch.equal(torch.get_rng_state(), random), "the run would go on with other random numbers"
    trained.load_state_dict(weights)
    count = 2 * len(trained.spec.window.offsets) if network["name"] == "simvp" else 1
    frames = open_footage("scenes:64x64", "validation").frames(0, range(count))
    pictures = torch.from_numpy(frames).movedim(3, 1)[:, None] / 255
    with torch.no_grad():
        made = trained.eval()(*pictures[: len(trained.spec.window.offsets)]).clamp(0, 1)
    errors = (made - pictures[-len(made) :, 0]).square().mean((1, 2, 3))
    assert found is not None and found.psnr == pytest.approx(float(-10 * errors.log10().mean()), abs=1e-3)


def raft(folder: Path) -> dict[str, Any]:
    """Return the tables of a recipe for two updates of RAFT on scenes of moving pictures."""
    values = super_slomo_recipe(folder)
    values["network"] = {"name": "raft", "updates": 2}
    values["data"] |= {"batch": 2, "crop": [128, 128], "variation": {"reverse": False, "noise": 0.0}}
    values["losses"] = {"sequence": 1.0}
    values["training"] |= {"steps": 8, "learning_rate": 1e-3, "average": 0.5}
    values["schedule"] = {"kind": "one-cycle", "warmup": 3}
    return values


def test_raft_learns_the_flow_of_scenes(tmp_path: Path) -> None:
    """The truth is the flow from frame 0 to frame 1: frame 1 sampled along it is frame 0 where nothing is hidden."""
    write_pictures(tmp_path)
    reports: list[Report] = []
    train(recipe(raft(tmp_path)), tmp_path / "run", device="cpu", listener=reports.append)
    for report in reports:
        frame0, frame1 = (frame.numpy() for frame in report.batch.frames)
        right, down = report.batch.truth.view(2, 2, 128, 128).unbind(1)
        assert report.outcome.made.shape == report.batch.truth.shape and np.isfinite(report.losses["sequence"])
        for at in range(2):
            again = sampled(frame1[at, 1], right[at].numpy(), down[at].numpy())
            assert np.median(np.abs(again - frame0[at, 1])) < 0.25 * np.median(np.abs(frame1[at, 1] - frame0[at, 1]))
    rates = [report.learning_rate for report in reports]
    assert max(rates) == pytest.approx(1e-3) and rates[0] < rates[1] and rates[-1] < rates[-2]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"losses": {"l1": 1.0}}, ArgumentError, "cannot have the loss 'l1': choose sequence"),
        ({"validation": {"footage": "scenes:128x128"}}, ArgumentError, "the true flow of film is unknown"),
        ({"data": {"variation": {}}}, ArgumentError, "set reverse = false"),
        ({"data": {"source": [{"footage": "scenes:128x128"}]}}, DatasetError, "the true flow of .* is unknown"),
    ],
)
def test_what_raft_cannot_learn_from_is_said(
    tmp_path: Path, change: dict[str, Any], error: type[Exception], message: str
) -> None:
    write_pictures(tmp_path)
    values = raft(tmp_path)
    for name, table in change.items():
        values[name] = {**values[name], **table} if name == "data" else table
    with pytest.raises(error, match=message):
        train(recipe(values), tmp_path / "run", device="cpu")


@pytest.mark.parametrize(
    ("case", "change", "message"),
    [
        ("labels", {"variation": {}}, "set colours = false, gamma = 0.0, gain = 1.0, offset = 0.0 in .data.variation."),
        ("labels to come", {"variation": UNCHANGED | {"noise": 4.0}}, "labels of simvp mean: set noise = 0.0 in"),
        ("the middle of clouds to come", {"variation": {}}, "nowcast learns one direction of time: set reverse = fals"),
        ("labels", {"source": [{"footage": "scenes:128x128", "shrinks": {"1": 0.5, "2": 0.5}}]}, "omit shrinks"),
        ("labels", {"source": [{"photos": "photos", "sprites": "sprites"}]}, "have no labels for unet49"),
    ],
)
def test_data_that_would_teach_something_wrong_is_refused(
    tmp_path: Path, case: str, change: dict[str, Any], message: str
) -> None:
    """The defaults suit frames between frames: they brighten labels, and reverse what is to be predicted."""
    write_pictures(tmp_path)
    values = tables(*CASES[case])
    values["data"] |= {
        key: [{name: str(tmp_path / text) if name in text else text for name, text in one.items()} for one in value]
        if key == "source" else value
        for key, value in change.items()
    }  # fmt: skip
    with pytest.raises(ArgumentError, match=message):
        train(recipe(values), tmp_path / "run", device="cpu")


@pytest.mark.parametrize(
    ("network", "loss", "message"),
    [
        (
            {"name": "unet49", "width": 4},
            "ms-ssim",
            "unet49 cannot have the loss 'ms-ssim': choose mse, bce, cross-ent",
        ),
        (CASES["slots"][0] | {"output": "labels"}, "mse", "network.output = 'picture'"),
        (CASES["slots"][0] | {"output": "soft"}, "mse", "network.output = 'picture'"),
        ({"name": "perceiver-flow", "size": [64, 64], "layers": 1}, "sequence", "perceiver-flow cannot be trained"),
    ],
)
def test_a_network_that_a_loss_cannot_train_is_refused(
    tmp_path: Path, network: dict[str, Any], loss: str, message: str
) -> None:
    with pytest.raises(ArgumentError, match=message):
        train(recipe(tables(network, "scenes:64x64", (64, 64), loss)), tmp_path / "run", device="cpu")


def test_one_cycle_is_pytorch_s() -> None:
    """OneCycleLR in lines: 5 of 100 steps up, and down to 1/10,000 of what it began with."""
    by = Schedule(kind="one-cycle", warmup=5, floor=4e-6)
    optimiser = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, 1.0, total_steps=100, pct_start=0.05, cycle_momentum=False, anneal_strategy="linear"
    )
    for step in range(100):
        assert share(by, step, 100) == pytest.approx(optimiser.param_groups[0]["lr"], rel=1e-6, abs=1e-9)
        optimiser.step()
        if step < 99:
            theirs.step()


def test_the_sequence_loss_is_the_paper_s() -> None:
    """Σ 0.8^(n − i − 1) · mean |flow_i − truth|, without what moves 400 pixels and more."""
    truth = torch.zeros(1, 2, 4, 4)
    truth[:, 0, 0] = 400
    flows = [truth + 3, truth - 2, truth + 1]
    assert float(sequence(flows, truth)) == pytest.approx((0.64 * 3 + 0.8 * 2 + 1) * 12 / 16)


def test_a_crop_that_a_network_of_one_size_cannot_take_is_refused(tmp_path: Path) -> None:
    case = CASES["the middle of clouds to come"]
    with pytest.raises(ArgumentError, match="nowcast works at 128x128 only"):
        train(recipe(tables(case[0], "clouds:192x192", (192, 192), "ms-ssim")), tmp_path / "run", device="cpu")
