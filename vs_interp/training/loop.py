"""The training loop, for any network: one file to read from top to bottom."""

from __future__ import annotations

import gc
import math
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from vs_interp.errors import CheckpointError
from vs_interp.training.scenes.samples import Batch

from .batches import Batches
from .beginning import settled
from .checkpoints import Checkpoints
from .failures import told_plainly
from .log import Log
from .objectives import Outcome
from .pause import Pause
from .processes import Processes
from .recipe import Recipe
from .report import Listener, Report, Scores, Speed
from .resuming import check_resumed
from .run_folder import held, note, write
from .trainer import Trainer
from .validation import Judge


def train(
    recipe: Recipe, folder: Path, *, resume: bool = False, device: str | None = None, listener: Listener | None = None
) -> Path | int:
    """Train by a recipe and leave checkpoints in ``folder``.

    Return the best weights, where there were validations, else the last; or the signal that stopped the run.

    ``resume`` goes on from the last whole checkpoint, to the very weights that an unbroken run would find (bit for
    bit on a CPU).  Started by ``torchrun``, its processes share every batch.  Raises :class:`DatasetError` for data
    that is missing, :class:`CheckpointError` for a folder that holds another run, or that cannot be written to,
    :class:`ArgumentError` where another process trains there, :class:`BackendError` for memory that is full.
    """
    with Processes.join(device) as processes, held(folder, processes), Pause(folder) as pause:

        def going(resume: bool) -> Path | int | None:
            # In one expression: what has a name here would live on in a pause, and keep the processes' group for ever.
            return Run.begin(recipe, folder, processes, pause, resume=resume, listener=listener).go()

        ended = going(resume)
        while ended is None:  # a pause, in which nothing of the run is left but its checkpoint
            free()
            pause.wait(processes)
            ended = pause.stopped or going(resume=True)
        return ended


def free() -> None:
    """Give back the memory of what is no longer used, a GPU's too."""
    gc.collect()  # networks and the wrappers of data-parallel runs hold themselves
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


@dataclass
class Run:
    """A trainer on its way: batches in, checkpoints, validations and reports out."""

    trainer: Trainer
    batches: Batches
    checkpoints: Checkpoints
    judge: Judge | None
    pause: Pause
    listeners: list[Listener]
    speed: Speed = field(default_factory=Speed)
    latest: Scores | None = None
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
        if found is None:
            trainer = Trainer(settled(recipe), processes)
        else:
            trainer = Trainer(settled(recipe.beginning_with(None), found.values["network"]), processes)
        batches = Batches(trainer.recipe, trainer.network.spec, processes)
        if found is not None:
            last = checkpoints.path(found.values["step"])
            check_resumed(found, recipe, batches.fingerprints, last, say=processes.leads)
            trainer.restore(found)
        if not processes.leads:
            return cls(trainer, batches, checkpoints, None, pause, [])
        judge = Judge.open(trainer.recipe, trainer.network, batches.drafts.reels.values())
        note(folder, recipe, processes.device)
        listeners: list[Listener] = [Log(folder, trainer.step), *([listener] if listener else [])]
        return cls(trainer, batches, checkpoints, judge, pause, listeners)

    def go(self) -> Path | int | None:
        """Train to the last step, a signal, or until validation has long not become better, as ``train`` tells.

        Return ``None`` for a pause.
        """
        self.pause.listen()
        with told_plainly(self.trainer, self.checkpoints):
            return self._go()

    def _go(self) -> Path | int | None:
        trainer, recipe = self.trainer, self.trainer.recipe
        if recipe.validation and recipe.training.start is not None and trainer.step == 0:
            self.latest = self._validate()  # what does not become better than its beginning is not recommended
        running = torch.zeros((), device=trainer.device)
        self.speed.begin()
        for number, batch in enumerate(self.batches.since(trainer.step), 1):
            self.unreadable.update(batch.unreadable)
            rate = trainer.learning_rate
            outcome = trainer.train(batch)
            trainer.seconds += self.speed.step(recipe.data.batch)
            error = (outcome.made.detach().clamp(0, 1) - batch.truth).square().mean()
            running = torch.lerp(running, error, 1 / min(number, 100))
            due = recipe.validation and (trainer.step % recipe.validation.every == 0 or trainer.finished)
            report = self._report(batch, outcome, running, rate, self._validate() if due else None)
            for listener in self.listeners:
                listener(report)
            resting, stopping = trainer.processes.agree(self.pause.wanted, self._stopped())
            ending = stopping or self._given_up() or trainer.finished
            if resting or ending or trainer.step % recipe.training.save_every == 0:
                self._save()
            if ending:
                return self.pause.stopped or self._found()
            if resting:
                self.pause.announce(trainer.step)
                return None
            self.speed.begin()
        return self._found()

    def _found(self) -> Path:
        """Return the weights that the run recommends."""
        validated = self.trainer.recipe.validation and self.checkpoints.best.exists()
        return self.checkpoints.best if validated else self.checkpoints.path(self.trainer.step)

    def _report(
        self, batch: Batch, outcome: Outcome, running: Tensor, rate: float, validation: Scores | None
    ) -> Report:
        trainer = self.trainer
        self.latest = validation or self.latest
        return Report(
            trainer.step, trainer.recipe.training.steps, trainer.recipe.data.batch, batch, outcome.detached(), running,
            trainer.norm, trainer.skips.total, rate, trainer.seconds, self.speed.images, len(self.unreadable),
            memory=torch.cuda.max_memory_allocated() if trainer.device.type == "cuda" else 0,
            validation=validation, latest=self.latest, best=None if trainer.best == -math.inf else trainer.best,
        )  # fmt: skip

    def _validate(self) -> Scores | None:
        """Judge the averaged weights; every process learns the result.  ``None`` where a signal asked to stop."""
        trainer = self.trainer
        found = self.judge.scores(trainer.average, self._stopped) if self.judge is not None else None
        psnr, ssim = trainer.processes.told(found or Scores(math.nan, math.nan))
        if math.isnan(psnr):
            return None
        if trainer.judged(psnr) and trainer.processes.leads:
            self.checkpoints.write_best(trainer.average, trainer.about())
        return Scores(psnr, ssim)

    def _stopped(self) -> bool:
        return self.pause.stopped is not None

    def _given_up(self) -> bool:
        validation = self.trainer.recipe.validation
        return bool(validation and validation.patience and self.trainer.since_best >= validation.patience)

    def _save(self) -> None:
        if not self.trainer.processes.leads:
            return
        state = self.trainer.state()
        state.values["data"] = self.batches.fingerprints
        self.checkpoints.write(self.trainer.step, state, self.trainer.average, self.trainer.about())
        if self.unreadable:
            write(self.checkpoints.folder / "unreadable.txt", "\n".join(sorted(self.unreadable)) + "\n")
