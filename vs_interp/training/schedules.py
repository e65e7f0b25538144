"""Schedules of the learning rate, as a share of the full rate."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau

from .recipe import Schedule

COUNTED = ("best", "num_bad_epochs", "cooldown_counter", "last_epoch")
"""The attributes of PyTorch's plateau schedule that are state; the others are settings of the recipe."""


FIRST = 1 / 25
"""The share of the full rate with which one-cycle starts."""


def share(by: Schedule, step: int, steps: int, passed: float = 0.0) -> float:
    """Return the share of the full rate for step number ``step``, from 0, of ``steps``.

    ``passed`` is the share of the run's time limit that has passed, 0 if it has none.  The schedule follows the steps
    or the time, whichever is further.
    """
    if by.kind == "one-cycle":
        peak = max(by.warmup - 1, 1)
        if step <= peak:
            return FIRST + (1 - FIRST) * step / peak
        progress = max((step - peak) / max(1, steps - 1 - peak), passed)
        return 1 - (1 - by.floor) * min(progress, 1)
    if step < by.warmup:
        return (step + 1) / by.warmup
    if by.kind == "cosine":
        progress = max((step - by.warmup) / max(1, steps - by.warmup), passed)
        return by.floor + (1 - by.floor) * 0.5 * (1 + math.cos(math.pi * min(progress, 1)))
    milestones = sum(step >= milestone for milestone in by.milestones) if by.kind == "multi-step" else 0
    return float(by.factor**milestones)


class Plateau:
    """A share of the full rate that falls when validations no longer improve, by PyTorch's ``ReduceLROnPlateau``."""

    def __init__(self, by: Schedule, rate: float) -> None:
        self._rate = rate
        self._optimiser = torch.optim.SGD([torch.zeros(1)], lr=rate)
        self._rule = ReduceLROnPlateau(
            self._optimiser, "max", factor=by.factor, patience=by.patience, cooldown=by.cooldown, min_lr=by.minimum
        )

    @property
    def share(self) -> float:
        """The current share of the full rate."""
        return float(self._optimiser.param_groups[0]["lr"]) / self._rate

    def note_validation(self, psnr: float) -> None:
        """Take a validation's PSNR in dB into account."""
        self._rule.step(psnr)

    def state(self) -> dict[str, Any]:
        """Return the state to save with the run, as JSON values."""
        return {"share": self.share, **{name: getattr(self._rule, name) for name in COUNTED}}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a saved state, with the recipe's settings and full rate."""
        self._optimiser.param_groups[0]["lr"] = state["share"] * self._rate
        for name in COUNTED:
            setattr(self._rule, name, state[name])
