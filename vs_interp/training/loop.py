"""The training loop, for any network."""

from __future__ import annotations

import gc
from contextlib import nullcontext
from dataclasses import dataclass, field
from math import isnan, nan
from pathlib import Path

import torch
from torch import Tensor

from vs_interp.errors import CheckpointError
from vs_interp.training.scenes.samples import Batch

from .batches import Batches
from .beginning import resolved
from .checkpoints import Checkpoints
from .failures import explained_failures
from .log import Log
from .losses import judged, mse
from .objectives import Outcome
from .parts import threads_kept
from .pause import Pause
from .processes import Processes
from .recipe import Recipe
from .report import Listener, Report, Scores, Speed
from .resuming import check_resumed
from .run_folder import locked, write, write_conditions
from .trainer import Trainer
from .validation import Validator


def train(
    recipe: Recipe, folder: Path, *, resume: bool = False, device: str | None = None, listener: Listener | None = None
) -> Path | int:
    """Train by a recipe, writing checkpoints to ``folder``.

    Return the path of the best weights if there were validations, otherwise of the last; or, if a signal stopped the
    run, its number.

    ``resume`` continues from the last readable checkpoint, and finds the same weights as an uninterrupted run (bit for
    bit on a CPU with as many threads).  Processes started by ``torchrun`` share every batch.  Raises
    :class:`DatasetError` for missing data, :class:`CheckpointError` for a folder that holds another run or cannot be
    written, :class:`ArgumentError` if another process is training there, and :class:`BackendError` if memory runs out.
    """
    with Processes.join(device) as processes, locked(folder, processes), Pause(folder) as pause:

        def run(resume: bool) -> Path | int | None:
            # In one expression: a name for the run would keep it, and the group of processes, alive during a pause.
            with threads_kept():
                return Run.begin(recipe, folder, processes, pause, resume=resume, listener=listener).go()

        result = run(resume)
        while result is None:  # a pause, in which nothing of the run is left but its checkpoint
            free_memory()
            pause.wait(processes)
            result = pause.stopped or run(resume=True)
        return result


def free_memory() -> None:
    """Free the memory of unreachable objects, including that of a GPU."""
    gc.collect()  # networks and the wrappers of data-parallel runs are in reference cycles
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


@dataclass
class Run:
    """A run: a trainer that takes batches, and the checkpoints, validations and reports of its progress."""

    trainer: Trainer
    batches: Batches
    checkpoints: Checkpoints
    validator: Validator | None
    pause: Pause
    log: Log | None
    listener: Listener | None
    owed: bool
    """Whether the current weights are still to be validated: a signal ended that, or the run begins with them."""
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
        """Open a run at its start or, to resume, at the last readable checkpoint; raises what :func:`train` does."""
        checkpoints = Checkpoints(folder, recipe.training.keep)
        found = checkpoints.read_last()
        if found is not None and not resume:
            raise CheckpointError(f"{folder} holds a run at step {found.values['step']}: resume it, or name another")
        if found is None:
            trainer = Trainer(resolved(recipe), processes)
        else:
            trainer = Trainer(resolved(recipe.with_start(None), found.values["network"]), processes)
        batches = Batches(trainer.recipe, trainer.network.spec, processes)
        if found is not None:
            last = checkpoints.path(found.values["step"])
            check_resumed(found, recipe, batches.fingerprints, last, say=processes.leads)
            trainer.restore(found)
        begins = found is None and recipe.training.start is not None  # so that no worse weights are called the best
        owed = recipe.validation is not None and (begins or bool(found and found.values.get("owed")))
        if not processes.leads:
            return cls(trainer, batches, checkpoints, None, pause, None, None, owed)
        validator = Validator.open(trainer.recipe, trainer.network, batches.drafts.reels.values())
        write_conditions(folder, recipe, processes.device)
        return cls(trainer, batches, checkpoints, validator, pause, Log(folder, trainer.step), listener, owed)

    def go(self) -> Path | int | None:
        """Train until the last step, until a signal, or until validation has not improved for too long.

        Return what :func:`train` does, or ``None`` for a pause.
        """
        self.pause.listen()
        with explained_failures(self.trainer, self.checkpoints):
            return self._go()

    def _go(self) -> Path | int | None:
        trainer, recipe = self.trainer, self.trainer.recipe
        if self.owed:
            self.latest = self._validate()
            self.owed = self.latest is None
            if self.log is not None and self.latest is not None:
                self.log.validation(trainer.step, self.latest)
            if self.owed or self._ended():
                self._save()
        if self.owed or self._ended():
            return self.pause.stopped or self._recommended()
        running = torch.zeros((), device=trainer.device)
        self.speed.begin()
        for number, batch in enumerate(self.batches.since(trainer.step), 1):
            self.unreadable.update(batch.unreadable)
            rate = trainer.learning_rate
            outcome = trainer.train(batch)
            trainer.seconds += self.speed.step(recipe.data.batch)
            error = judged(mse, outcome.made.detach(), batch.truth)
            running = torch.lerp(running, error, 1 / min(number, 100))
            due = recipe.validation and (trainer.step % recipe.validation.every == 0 or trainer.finished)
            validation = self._validate() if due else None
            self.owed = bool(due) and validation is None
            report = self._report(batch, outcome, running, rate, validation)
            for listener in (self.log, self.listener):
                if listener is not None:
                    listener(report)
            resting, stopping = trainer.processes.agree(self.pause.wanted, self._stopped())
            ending = stopping or self._ended()
            if resting or ending or trainer.step % recipe.training.save_every == 0:
                self._save()
            if ending:
                return self.pause.stopped or self._recommended()
            if resting:
                self.pause.announce(trainer.step)
                return None
            self.speed.begin()
        return self._recommended()

    def _recommended(self) -> Path:
        """Return the best weights if there were validations, otherwise the last."""
        validated = self.trainer.recipe.validation and self.checkpoints.best.exists()
        return self.checkpoints.best if validated else self.checkpoints.path(self.trainer.step)

    def _report(
        self, batch: Batch, outcome: Outcome, running: Tensor, rate: float, validation: Scores | None
    ) -> Report:
        trainer = self.trainer
        self.latest = validation or self.latest
        return Report(
            trainer.step, trainer.expected_steps(self.speed.images), trainer.recipe.data.batch, batch,
            outcome.detached(), running, trainer.norm, trainer.skips.total, rate, trainer.seconds, self.speed.images,
            len(self.unreadable), memory=torch.cuda.max_memory_allocated() if trainer.device.type == "cuda" else 0,
            validation=validation, latest=self.latest, best=trainer.best if trainer.best > 0 else None,
        )  # fmt: skip

    def _validate(self) -> Scores | None:
        """Validate the averaged weights and share the scores with all processes; ``None`` if a signal asked to stop."""
        trainer = self.trainer
        with trainer.parts.joined() if trainer.parts else nullcontext():
            found = self.validator.scores(trainer.average, self._stopped) if self.validator is not None else None
        psnr, ssim = found or Scores(0.0, None)
        stopped, psnr, similarity = trainer.processes.from_leader((found is None, psnr, nan if ssim is None else ssim))
        if stopped:
            return None
        if trainer.note_validation(psnr) and trainer.processes.leads:
            self.checkpoints.write_best(trainer.average, trainer.about())
        return Scores(psnr, None if isnan(similarity) else similarity)

    def _stopped(self) -> bool:
        return self.pause.stopped is not None

    def _ended(self) -> bool:
        """Whether the last step is done, the time is up, or validation has not improved for too long."""
        trainer, validation = self.trainer, self.trainer.recipe.validation
        if trainer.finished or validation is None or not validation.patience:
            return trainer.finished
        return trainer.step > 0 and trainer.since_best >= validation.patience  # weights to begin with have had no time

    def _save(self) -> None:
        if not self.trainer.processes.leads:
            return
        state = self.trainer.state()
        state.values.update(data=self.batches.fingerprints, owed=self.owed)
        self.checkpoints.write(self.trainer.step, state, self.trainer.average, self.trainer.about())
        if self.unreadable:
            write(self.checkpoints.folder / "unreadable.txt", "\n".join(sorted(self.unreadable)) + "\n")
