"""The training loop, for any network: one file to read from top to bottom."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from vs_interp.errors import CheckpointError
from vs_interp.training.scenes.samples import Batch

from .batches import Batches
from .checkpoints import Checkpoints
from .objectives import Outcome
from .pause import Pause
from .processes import Processes
from .recipe import Recipe
from .trainer import Trainer
from .validation import Judge


@dataclass
class Report:
    """Where a run is: handed out after every step.

    What is measured stays on the training device until it is asked for, since asking waits for the step: ``error`` is
    the training's mean squared error, ``skips`` counts steps.  ``memory`` is the GPU's, in bytes.
    """

    step: int
    steps: int
    images: int
    error: Tensor
    skips: Tensor
    learning_rate: float = 0.0
    unreadable: int = 0
    validation: float | None = None
    best: float | None = None
    memory: int = 0
    outcome: tuple[Batch, Outcome] | None = None

    @property
    def losses(self) -> dict[str, float]:
        """The losses of the step."""
        return {name: float(value) for name, value in self.outcome[1].losses.items()} if self.outcome else {}

    @property
    def psnr(self) -> float:
        """The PSNR of the last hundred steps, in decibels."""
        return -10 * math.log10(max(float(self.error), 1e-10))

    @property
    def skipped(self) -> int:
        """Steps that were skipped."""
        return int(self.skips)


Listener = Callable[[Report], None]


def train(
    recipe: Recipe, folder: Path, *, resume: bool = False, device: str | None = None, listener: Listener | None = None
) -> Path | int:
    """Train by a recipe and leave checkpoints in ``folder``; return the last weights, or the signal that stopped it.

    ``resume`` goes on from the last whole checkpoint, to the very weights that an unbroken run would find (bit for
    bit on a CPU).  Started by ``torchrun``, its processes share every batch.  Raises :class:`DatasetError` for data
    that is missing, :class:`CheckpointError` for a folder that holds another run, or that cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with Processes.join(device) as processes, Pause(folder) as pause:
        # In one expression: what has a name here would keep the processes' group beyond its end.
        return Run.begin(recipe, folder, processes, pause, resume=resume, listener=listener).go()


@dataclass
class Run:
    """A trainer on its way: batches in, checkpoints, validations and reports out."""

    trainer: Trainer
    checkpoints: Checkpoints
    judge: Judge | None
    pause: Pause
    listener: Listener | None
    unreadable: set[str] = field(default_factory=set)

    @classmethod
    def begin(
        cls,
        recipe: Recipe,
        folder: Path,
        processes: Processes,
        pause: Pause,
        *,
        resume: bool,
        listener: Listener | None,
    ) -> Run:
        """Stand at a recipe's beginning or, to resume, after the last whole checkpoint; raise as ``train`` does."""
        checkpoints = Checkpoints(folder, recipe.training.keep)
        found = checkpoints.read_last()
        if found is not None and not resume:
            raise CheckpointError(f"{folder} holds a run at step {found.values['step']}: resume it, or name another")
        trainer = Trainer(recipe if found is None else recipe.beginning_with(None), processes)
        if found is not None:
            trainer.restore(found)
        leads = processes.leads
        judge = Judge.open(recipe, trainer.network) if leads else None
        return cls(trainer, checkpoints, judge, pause, listener if leads else None)

    def go(self) -> Path | int:
        """Train to the last step, to a signal, or until validation has long not become better: see ``train``."""
        trainer, recipe = self.trainer, self.trainer.recipe
        running, before = torch.zeros((), device=trainer.device), time.monotonic()
        batches = Batches(recipe, trainer.network.spec, trainer.processes)
        for number, batch in enumerate(batches.since(trainer.step), 1):
            self.unreadable.update(batch.unreadable)
            outcome = trainer.train(batch)
            trainer.seconds += time.monotonic() - before
            before = time.monotonic()
            error = (outcome.made.detach().clamp(0, 1) - batch.truth).square().mean()
            running = torch.lerp(running, error, 1 / min(number, 100))
            report = self._report(batch, outcome, running)
            if recipe.validation and (trainer.step % recipe.validation.every == 0 or trainer.finished):
                report.validation = self._validate()
            report.best = None if trainer.best == -math.inf else trainer.best
            if self.listener is not None:
                self.listener(report)
            resting, stopping = trainer.processes.agree(self.pause.wanted, self.pause.stopped is not None)
            ending = stopping or self._given_up() or trainer.finished
            if resting or ending or trainer.step % recipe.training.save_every == 0:
                self._save()
            if resting and not ending:
                trainer.rest()
                self.pause.wait()
                if self.pause.stopped is not None:
                    break  # the rest began with a checkpoint, and another may have the GPU
                trainer.wake()
                before = time.monotonic()
            if ending:
                break
        return self.checkpoints.path(trainer.step) if self.pause.stopped is None else self.pause.stopped

    def _report(self, batch: Batch, outcome: Outcome, running: Tensor) -> Report:
        trainer = self.trainer
        memory = torch.cuda.max_memory_allocated() if trainer.device.type == "cuda" else 0
        seen = outcome._replace(
            made=outcome.made.detach(), losses={name: value.detach() for name, value in outcome.losses.items()},
            total=outcome.total.detach(), flow=None if outcome.flow is None else outcome.flow.detach(),
        )  # fmt: skip
        return Report(
            trainer.step, trainer.recipe.training.steps, trainer.recipe.data.batch, running, trainer.skips.total,
            learning_rate=trainer.optimiser.param_groups[0]["lr"], unreadable=len(self.unreadable), memory=memory,
            outcome=(batch, seen),
        )  # fmt: skip

    def _validate(self) -> float:
        """Judge the averaged weights; every process learns the result."""
        trainer = self.trainer
        psnr = self.judge.psnr(trainer.average) if self.judge is not None else 0.0
        psnr = trainer.processes.told(psnr)
        if trainer.judged(psnr) and trainer.processes.leads:
            about = trainer.about()
            about["record"]["validation"] = round(psnr, 4)
            self.checkpoints.write_best(trainer.average, about)
        return psnr

    def _given_up(self) -> bool:
        validation = self.trainer.recipe.validation
        return bool(validation and validation.patience and self.trainer.since_best >= validation.patience)

    def _save(self) -> None:
        if self.trainer.processes.leads:
            self.checkpoints.write(self.trainer.step, self.trainer.state(), self.trainer.average, self.trainer.about())
            if self.unreadable:
                (self.checkpoints.folder / "unreadable.txt").write_text(
                    "\n".join(sorted(self.unreadable)) + "\n", encoding="utf-8"
                )
