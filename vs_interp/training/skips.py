"""Steps skipped because their gradient is not finite, counted on the training device."""

from __future__ import annotations

import torch
from torch import Tensor

from vs_interp.errors import CheckpointError

MOST_SKIPPED = 100
"""This many skipped steps in a row end a run."""


class Skips:
    """Counts skipped steps without waiting for the device: ``total``, and ``in_a_row`` up to the last step."""

    def __init__(self, device: torch.device, total: int = 0) -> None:
        self.total = torch.tensor(total, device=device)
        self.in_a_row = torch.tensor(0, device=device)

    def note(self, good: Tensor) -> None:
        """Count a step, which was skipped unless ``good`` (a boolean scalar on the device)."""
        bad = (~good).long()
        self.total, self.in_a_row = self.total + bad, (self.in_a_row + 1) * bad

    def check(self, step: int) -> None:
        """Wait for the count.  Raises :class:`CheckpointError` if too many steps in a row were skipped."""
        if int(self.in_a_row) >= MOST_SKIPPED:
            raise CheckpointError(
                f"{MOST_SKIPPED} steps in a row up to step {step} had no finite gradient: resume with a lower learning "
                "rate, or without half precision"
            )
