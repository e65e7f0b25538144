"""Steps that are skipped since their gradient is not finite, counted where the gradient is."""

from __future__ import annotations

import torch
from torch import Tensor

from vs_interp.errors import CheckpointError

MOST_SKIPPED = 100
"""Steps in a row whose gradient is not finite, after which a run is lost."""


class Skips:
    """Counts on a device, without waiting for it: ``total`` steps were skipped, ``in_a_row`` of them the last."""

    def __init__(self, device: torch.device, total: int = 0) -> None:
        self.total = torch.tensor(total, device=device)
        self.in_a_row = torch.tensor(0, device=device)

    def note(self, good: Tensor) -> None:
        """Count a step."""
        bad = (~good).long()
        self.total, self.in_a_row = self.total + bad, (self.in_a_row + 1) * bad

    def check(self, step: int) -> None:
        """Wait for the count.  Raises :class:`CheckpointError` where too many in a row were skipped."""
        if int(self.in_a_row) >= MOST_SKIPPED:
            raise CheckpointError(
                f"{MOST_SKIPPED} steps in a row to step {step} had no finite gradient: resume with a smaller learning "
                "rate, or without half precision"
            )
