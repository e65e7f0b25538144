"""Learning-rate schedules by name, as a share of the full rate."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau

from .recipe import Schedule

COUNTED = ("best", "num_bad_epochs", "cooldown_counter", "last_epoch")
"""What PyTorch's plateau schedule has seen so far; all else is the recipe's."""


FIRST = 1 / 25
"""Of the full rate, what one-cycle begins with."""


def share(by: Schedule, step: int, steps: int, passed: float = 0.0) -> float:
    """Return what share of the full rate the step with number ``step`` (from 0) of ``steps`` is taken with.

    ``passed`` is how much of the run's time is over, 0 where it has no end: what is further decides.
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
    """A share of the full rate that falls when validations no longer get better, by PyTorch's own rules."""

    def __init__(self, by: Schedule, rate: float) -> None:
        self._rate = rate
        self._optimiser = torch.optim.SGD([torch.zeros(1)], lr=rate)
        self._rule = ReduceLROnPlateau(
            self._optimiser, "max", factor=by.factor, patience=by.patience, cooldown=by.cooldown, min_lr=by.minimum
        )

    @property
    def share(self) -> float:
        """The share of the full rate that is taken now."""
        return float(self._optimiser.param_groups[0]["lr"]) / self._rate

    def judged(self, psnr: float) -> None:
        """Take note of a validation."""
        self._rule.step(psnr)

    def state(self) -> dict[str, Any]:
        """Return what goes on with the run, as JSON values."""
        return {"share": self.share, **{name: getattr(self._rule, name) for name in COUNTED}}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from such a state, by the recipe's rules and full rate."""
        self._optimiser.param_groups[0]["lr"] = state["share"] * self._rate
        for name in COUNTED:
            setattr(self._rule, name, state[name])
