"""The training loop, for any network: one file to read from top to bottom."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

from ..checkpoint import load_checkpoint
from ..errors import ArgumentError, CheckpointError, DatasetError
from ..networks.base import Network
from ..networks.rife import Rife
from ..registry import network_class
from .checkpoints import Checkpoints, State, below, load_optimiser, optimiser_state, prefixed
from .drafts import Drafts
from .objectives import Objective, Outcome
from .pause import Pause
from .processes import Processes
from .recipe import Recipe
from .samples import Batch, Workshop
from .schedules import schedule
from .validation import Judge

MOST_SKIPPED = 100
"""Steps in a row whose gradient is not finite, after which a run is lost."""

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass
class Report:
    """Where a run is: handed out after every step.  ``psnr`` is the training's, ``memory`` the GPU's in bytes."""

    step: int
    steps: int
    images: int
    losses: dict[str, float] = field(default_factory=dict)
    psnr: float = 0.0
    learning_rate: float = 0.0
    skipped: int = 0
    unreadable: int = 0
    validation: float | None = None
    best: float | None = None
    memory: int = 0
    outcome: tuple[Batch, Outcome] | None = None


Listener = Callable[[Report], None]


class Trainer:
    """Everything that a run changes, and one step of it."""

    def __init__(self, recipe: Recipe, processes: Processes) -> None:
        torch.manual_seed(recipe.training.seed)
        if recipe.training.threads:
            torch.set_num_threads(recipe.training.threads)
        self.recipe, self.processes, self.device = recipe, processes, processes.device
        self.network = channels_last(first_network(recipe).to(self.device))
        self.objective = Objective(self.network, recipe).to(self.device)
        self.model: torch.nn.Module = self.objective
        if processes.world > 1:
            self.model = DistributedDataParallel(self.objective, broadcast_buffers=False)
        training = recipe.training
        kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[training.optimiser]
        self.optimiser = kind(self.network.parameters(), lr=training.learning_rate, weight_decay=training.weight_decay)
        self.schedule = schedule(self.optimiser, recipe.schedule, training.steps)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=training.precision == "fp16")
        self.average = {name: tensor.detach().clone().float() for name, tensor in self.network.state_dict().items()}
        self.step, self.skipped, self.skipped_in_a_row = 0, 0, 0
        self.seconds, self.best, self.since_best = 0.0, -math.inf, 0

    def train(self, batch: Batch) -> Outcome:
        """Take one step.  A gradient that is not finite is skipped and counted; too many in a row are an error."""
        training = self.recipe.training
        exact = training.precision == "fp32" or self.step >= training.steps - training.exact_steps
        frames = tuple(frame.contiguous(memory_format=torch.channels_last) for frame in batch.frames)
        with torch.autocast(self.device.type, DTYPES[training.precision], enabled=not exact):
            outcome: Outcome = self.model(batch._replace(frames=frames))
        self.optimiser.zero_grad(set_to_none=True)
        self.scaler.scale(outcome.total).backward()  # type: ignore[no-untyped-call]
        self.scaler.unscale_(self.optimiser)
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), training.clip)
        if bool(torch.isfinite(norm)):
            self.skipped_in_a_row = 0
            self.scaler.step(self.optimiser)
            if self.recipe.schedule.kind != "plateau":
                self.schedule.step()
            self._average()
        else:
            self.skipped, self.skipped_in_a_row = self.skipped + 1, self.skipped_in_a_row + 1
            if self.skipped_in_a_row == MOST_SKIPPED:
                raise CheckpointError(
                    f"{MOST_SKIPPED} steps in a row to step {self.step} had no finite gradient: resume with a smaller "
                    "learning rate, or without half precision"
                )
        self.scaler.update()
        self.step += 1
        return outcome

    def _average(self) -> None:
        """Move the average towards the weights, faster at the beginning."""
        decay = min(self.recipe.training.average, (self.step + 1) / (self.step + 10))
        for name, tensor in self.network.state_dict().items():
            self.average[name].lerp_(tensor.float(), 1 - decay)

    def judged(self, psnr: float) -> bool:
        """Note a validation; return whether it is the best so far."""
        if self.recipe.schedule.kind == "plateau":
            self.schedule.step(psnr)  # type: ignore[arg-type]
        better = psnr > self.best
        self.best, self.since_best = max(self.best, psnr), 0 if better else self.since_best + 1
        return better

    def state(self) -> State:
        """Return everything that the next step depends on."""
        optimiser = optimiser_state(self.optimiser)
        tensors = {
            **dict(prefixed("network", self.network.state_dict())),
            **dict(prefixed("average", self.average)),
            **dict(prefixed("optimiser", optimiser.tensors)),
            "random": torch.get_rng_state(),
        }
        values = {
            "recipe": self.recipe.text, "network": self.recipe.network, "seed": self.recipe.training.seed,
            "step": self.step, "skipped": self.skipped, "seconds": self.seconds,
            "best": self.best, "since_best": self.since_best,
            "optimiser": optimiser.values, "schedule": self.schedule.state_dict(), "scaler": self.scaler.state_dict(),
        }  # fmt: skip
        return State(tensors, values)

    def restore(self, state: State) -> None:
        """Go on from a state.  Raises :class:`CheckpointError` where it is another run's."""
        for name, here in (("network", self.recipe.network), ("seed", self.recipe.training.seed)):
            there = state.values[name]
            if there != json.loads(json.dumps(here)):
                raise CheckpointError(
                    f"the checkpoint's {name} is {there}, the recipe's is {here}: resume with the recipe that began it"
                )
        self.network.load_state_dict(below("network", state.tensors))
        self.average = {name: t.to(self.device) for name, t in below("average", state.tensors).items()}
        load_optimiser(self.optimiser, State(below("optimiser", state.tensors), state.values["optimiser"]))
        self.schedule.load_state_dict(state.values["schedule"])
        self.scaler.load_state_dict(state.values["scaler"])
        torch.set_rng_state(state.tensors["random"])
        for name in ("step", "skipped", "seconds", "best", "since_best"):
            setattr(self, name, state.values[name])

    def about(self) -> dict[str, Any]:
        """Return the metadata of exportable weights."""
        record = {"steps": self.step, "seed": self.recipe.training.seed, "hours": round(self.seconds / 3600, 3)}
        return {"network": self.recipe.network["name"], "config": asdict(self.network.config), "record": record}

    def rest(self) -> None:
        """Move everything off the GPU and give its memory back; :meth:`wake` undoes it."""
        self._move(torch.device("cpu"))
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def wake(self) -> None:
        """Return to the training device after :meth:`rest`."""
        self._move(self.device)

    def _move(self, device: torch.device) -> None:
        self.objective.to(device)
        self.average = {name: tensor.to(device) for name, tensor in self.average.items()}
        for entry in self.optimiser.state.values():
            entry.update({name: t.to(device) for name, t in entry.items() if isinstance(t, Tensor) and name != "step"})


def first_network(recipe: Recipe) -> Network:
    """Return the network that a run begins with: initialised by its paper, or with the weights of ``start``."""
    values = {name: value for name, value in recipe.network.items() if name != "name"}
    kind = network_class(recipe.network["name"])
    try:
        network = kind.from_config(values)
    except TypeError as error:
        known = ", ".join(entry.name for entry in fields(kind.Config)) or "nothing"
        raise ArgumentError(f"the recipe's network has {values}: {recipe.network['name']} takes {known}") from error
    network.initialise()
    start = recipe.training.start
    for part, path in (start if isinstance(start, dict) else {"": start}).items():
        if path is None:
            continue
        target, found = network.get_submodule(part), load_checkpoint(path)
        if not isinstance(target, Network) or type(found) is not type(target) or found.config != target.config:
            wanted = target.config if isinstance(target, Network) else type(target).__name__
            raise CheckpointError(f"{path} holds {found.config}, the recipe asks for {wanted}: make them agree")
        target.load_state_dict(found.state_dict())
    return network


def channels_last(network: Network) -> Network:
    """Lay the weights of convolutions, 2D and 3D, out with their channels last, which tensor cores and oneDNN want."""
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    for parameter in network.parameters():
        if parameter.dim() in formats:
            parameter.data = parameter.data.contiguous(memory_format=formats[parameter.dim()])
    return network


def load_teacher(path: Path) -> Rife:
    """Read the checkpoint of a teacher.  Raises :class:`DatasetError` where it is not RIFE's."""
    found = load_checkpoint(path)
    if not isinstance(found, Rife):
        raise DatasetError(f"{path} holds {found.spec.name}: the teacher must be rife")
    return found.eval()


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
        trainer = Trainer(recipe, processes)
        checkpoints = Checkpoints(folder, recipe.training.keep)
        found = checkpoints.read_last()
        if found is not None and not resume:
            raise CheckpointError(f"{folder} holds a run at step {found.values['step']}: resume it, or name another")
        if found is not None:
            trainer.restore(found)
        judge = Judge.open(recipe, trainer.network) if processes.leads else None
        run = Run(trainer, checkpoints, judge, pause, listener if processes.leads else None)
        run.go()
        return checkpoints.path(trainer.step) if pause.stopped is None else pause.stopped


@dataclass
class Run:
    """A trainer on its way: batches in, checkpoints, validations and reports out."""

    trainer: Trainer
    checkpoints: Checkpoints
    judge: Judge | None
    pause: Pause
    listener: Listener | None
    unreadable: set[str] = field(default_factory=set)

    def go(self) -> None:
        """Train to the last step, to a signal, or until validation has long not become better."""
        trainer, recipe = self.trainer, self.trainer.recipe
        running, before = 0.0, time.monotonic()
        for batch in self._batches():
            outcome = trainer.train(batch)
            trainer.seconds += time.monotonic() - before
            before = time.monotonic()
            error = float((outcome.made.detach().clamp(0, 1) - batch.truth).square().mean())
            running += (error - running) / min(trainer.step, 100)
            report = self._report(batch, outcome, running)
            if recipe.validation and (
                trainer.step % recipe.validation.every == 0 or trainer.step == recipe.training.steps
            ):
                report.validation = self._validate()
            report.best = None if trainer.best == -math.inf else trainer.best
            if self.listener is not None:
                self.listener(report)
            resting, stopping = trainer.processes.agree(self.pause.wanted, self.pause.stopped is not None)
            ending = stopping or self._given_up() or trainer.step == recipe.training.steps
            if resting or ending or trainer.step % recipe.training.save_every == 0:
                self._save()
            if resting and not ending:
                trainer.rest()
                self.pause.wait()
                trainer.wake()
                before = time.monotonic()
            if ending or self.pause.stopped is not None:
                return

    def _batches(self) -> Iterator[Batch]:
        """Yield the batches from the trainer's step on, on its device."""
        trainer, recipe, processes = self.trainer, self.trainer.recipe, self.trainer.processes
        data, spec = recipe.data, trainer.network.spec
        drafts = Drafts(data, spec, recipe.training.seed, processes.rank, processes.world)
        teacher = None if data.teacher is None else load_teacher(data.teacher).to(processes.device)
        scenes = {number: scene.to(processes.device) for number, scene in drafts.scenes.items()}
        workshop = Workshop(spec, scenes, teacher, processes.device)
        at_once = processes.device.type == "cpu" and data.workers > 0  # then the worker does the arithmetic, too
        loader = DataLoader(
            drafts, batch_size=None, sampler=range(trainer.step, recipe.training.steps), num_workers=data.workers,
            collate_fn=workshop if at_once else _as_it_is, prefetch_factor=8 if data.workers else None,
            generator=torch.Generator(),  # else it would draw from the random state that is saved
        )  # fmt: skip
        for drawn in loader:
            batch = drawn if at_once else workshop(drawn)
            self.unreadable.update(batch.unreadable)
            yield batch

    def _report(self, batch: Batch, outcome: Outcome, running: float) -> Report:
        trainer = self.trainer
        memory = torch.cuda.max_memory_allocated() if trainer.device.type == "cuda" else 0
        return Report(
            trainer.step, trainer.recipe.training.steps, trainer.recipe.data.batch,
            losses={name: float(value.detach()) for name, value in outcome.losses.items()},
            psnr=-10 * math.log10(max(running, 1e-10)), learning_rate=trainer.optimiser.param_groups[0]["lr"],
            skipped=trainer.skipped, unreadable=len(self.unreadable), memory=memory, outcome=(batch, outcome),
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
                (self.checkpoints.folder / "unreadable.txt").write_text("\n".join(sorted(self.unreadable)) + "\n")


def _as_it_is[T](drawn: T) -> T:
    return drawn
