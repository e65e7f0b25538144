"""Where a run is: what is handed out after every step, to a terminal, a log, a board."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from vs_interp.training.scenes.samples import Batch

from .objectives import Outcome

RECENT = 20.0
"""Seconds over which the speed is measured."""


class Scores(NamedTuple):
    """What a validation found: mean PSNR in decibels, and mean SSIM."""

    psnr: float
    ssim: float


@dataclass
class Report:
    """Where a run is after a step.

    What is measured stays on the training device until it is asked for, since asking waits for the step: ``error`` is
    the training's mean squared error, ``norm`` the gradient's, ``skips`` counts steps.

    images
        Samples of a step, in all processes together.
    seconds
        How long the run has trained.
    speed
        Images a second, lately.
    validation, latest
        What a validation after this step found, and the last one before it or now.
    best
        The PSNR of the best validation.
    memory
        The GPU's, in bytes.
    """

    step: int
    steps: int
    images: int
    batch: Batch
    outcome: Outcome
    error: Tensor
    norm: Tensor
    skips: Tensor
    learning_rate: float
    seconds: float
    speed: float
    unreadable: int = 0
    memory: int = 0
    validation: Scores | None = None
    latest: Scores | None = None
    best: float | None = None

    @property
    def losses(self) -> dict[str, float]:
        """The losses of the step."""
        return {name: float(value) for name, value in self.outcome.losses.items()}

    @property
    def psnr(self) -> float:
        """The PSNR of the last hundred steps, in decibels."""
        return -10 * math.log10(max(float(self.error), 1e-10))

    @property
    def skipped(self) -> int:
        """Steps that were skipped."""
        return int(self.skips)


Listener = Callable[[Report], None]


class Speed:
    """Images a second over the last :data:`RECENT` seconds; what takes time between two steps does not count."""

    def __init__(self) -> None:
        self._recent: deque[tuple[float, int]] = deque()
        self._seconds, self._images = 0.0, 0
        self._begun = time.monotonic()

    def begin(self) -> None:
        """Let the next step begin now."""
        self._begun = time.monotonic()

    def step(self, images: int) -> float:
        """Note that a step is over; return the seconds that it took."""
        seconds = time.monotonic() - self._begun
        self._recent.append((seconds, images))
        self._seconds, self._images = self._seconds + seconds, self._images + images
        while len(self._recent) > 1 and self._seconds > RECENT:
            taken, made = self._recent.popleft()
            self._seconds, self._images = self._seconds - taken, self._images - made
        self.begin()
        return seconds

    @property
    def images(self) -> float:
        """Images a second."""
        return self._images / self._seconds if self._recent else 0.0
