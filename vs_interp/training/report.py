"""Reports on a run's progress after every step, for a terminal, a log or TensorBoard."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from vs_interp.metrics import decibels
from vs_interp.training.scenes.samples import Batch

from .objectives import Outcome

RECENT = 20.0
"""Seconds over which the speed is measured."""


class Scores(NamedTuple):
    """The result of a validation: mean PSNR in dB, and mean SSIM, which labels and small pictures do not have."""

    psnr: float
    ssim: float | None


@dataclass
class Report:
    """A run's progress after a step.

    error, norm, skips
        Running mean squared error of the training, norm of the gradient, and number of skipped steps.  They stay on the
        training device until they are needed, since fetching one waits for the step.
    step, steps
        The step, from 1, and how many the run will have; a time limit may end it before the recipe's number.
    images
        Samples of a step, in all processes together.
    seconds
        How long the run has trained.
    speed
        Recent images per second.
    unreadable
        Number of files that could not be read.
    memory
        Peak memory of the GPU, in bytes.
    validation, latest
        Scores of the validation after this step, if any, and of the last validation.
    best
        PSNR in dB of the best validation; ``None`` before the first above 0 dB.
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
        """The PSNR of about the last hundred steps, in dB."""
        return decibels(max(float(self.error), 1e-10))

    @property
    def skipped(self) -> int:
        """The number of skipped steps."""
        return int(self.skips)


Listener = Callable[[Report], None]
"""Called with the report of every step."""


class Speed:
    """Images per second over the last :data:`RECENT` seconds, without the time from :meth:`step` to :meth:`begin`."""

    def __init__(self) -> None:
        self._recent: deque[tuple[float, int]] = deque()
        self._seconds, self._images = 0.0, 0
        self._begun = time.monotonic()

    def begin(self) -> None:
        """Begin the next step."""
        self._begun = time.monotonic()

    def step(self, images: int) -> float:
        """End a step, and return the seconds that it took."""
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
        """The images per second."""
        return self._images / self._seconds if self._recent else 0.0
