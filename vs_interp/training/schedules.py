"""Learning-rate schedules by name, all PyTorch's own."""

from __future__ import annotations

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, ReduceLROnPlateau

from .recipe import Schedule


def schedule(optimiser: Optimizer, by: Schedule, steps: int) -> LRScheduler:
    """Return the schedule of a run of ``steps`` steps; a plateau's is stepped with the validation's PSNR."""
    if by.kind == "plateau":
        return ReduceLROnPlateau(
            optimiser, "max", factor=by.factor, patience=by.patience, cooldown=by.cooldown, min_lr=by.minimum
        )

    def rate(step: int) -> float:
        if step < by.warmup:
            return (step + 1) / by.warmup
        if by.kind == "cosine":
            progress = (step - by.warmup) / max(1, steps - by.warmup)
            return by.floor + (1 - by.floor) * 0.5 * (1 + math.cos(math.pi * min(progress, 1)))
        passed = sum(step >= milestone for milestone in by.milestones) if by.kind == "multi-step" else 0
        return float(by.factor**passed)

    return LambdaLR(optimiser, rate)
