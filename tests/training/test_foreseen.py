"""Networks of frames to come, of labels and of slots, trained by the same loop on data whose truth is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training_data import recipe
from vs_interp.errors import ArgumentError
from vs_interp.training.loop import train
from vs_interp.training.report import Report

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


def test_a_crop_that_a_network_of_one_size_cannot_take_is_refused(tmp_path: Path) -> None:
    case = CASES["the middle of clouds to come"]
    with pytest.raises(ArgumentError, match="nowcast works at 128x128 only"):
        train(recipe(tables(case[0], "clouds:192x192", (192, 192), "ms-ssim")), tmp_path / "run", device="cpu")
