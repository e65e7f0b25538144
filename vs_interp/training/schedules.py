"""Learning-rate schedules by name, all PyTorch's own."""

from __future__ import annotations

import math
from collections.abc import Callable

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, ReduceLROnPlateau

from .recipe import Schedule


def schedule(optimiser: Optimizer, by: Schedule, steps: int, passed: Callable[[], float]) -> LRScheduler:
    """Return the schedule of a run of ``steps`` steps; a plateau's is stepped with the validation's PSNR.

    ``passed`` gives how much of the run's time is over, 0 where it has no end: what is further decides.
    """
    if by.kind == "plateau":
        return ReduceLROnPlateau(
            optimiser, "max", factor=by.factor, patience=by.patience, cooldown=by.cooldown, min_lr=by.minimum
        )

    def rate(step: int) -> float:
        if step < by.warmup:
            return (step + 1) / by.warmup
        if by.kind == "cosine":
            progress = max((step - by.warmup) / max(1, steps - by.warmup), passed())
            return by.floor + (1 - by.floor) * 0.5 * (1 + math.cos(math.pi * min(progress, 1)))
        milestones = sum(step >= milestone for milestone in by.milestones) if by.kind == "multi-step" else 0
        return float(by.factor**milestones)

    return LambdaLR(optimiser, rate)
