"""The trainer: the state of a run (network, optimiser, average, counters), and one step."""

from __future__ import annotations

from dataclasses import asdict
from math import ceil
from typing import Any

import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from vs_interp.training.scenes.samples import Batch

from .beginning import channels_last, first_network
from .checkpoints import State, below, load_optimiser, optimiser_state, prefixed
from .objectives import Objective, Outcome
from .parts import Parts, parts_of
from .processes import Processes
from .recipe import Recipe
from .schedules import Plateau, share
from .skips import MOST_SKIPPED, Skips

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class Trainer:
    """The state of a run, and one step.  Raises what building the network and the objective raises."""

    def __init__(self, recipe: Recipe, processes: Processes) -> None:
        torch.manual_seed(recipe.training.seed)
        self.recipe, self.processes, self.device = recipe, processes, processes.device
        self.network = channels_last(first_network(recipe).to(self.device))
        self.objective = Objective(self.network, recipe).to(self.device)
        self.model: torch.nn.Module = self.objective
        self.learning = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        self.parts = self._parts()
        on_gpu = self.device.type == "cuda"
        if on_gpu:
            torch.backends.cudnn.allow_tf32 = True  # not in matrix products: SSIM's variances are small differences
            torch.backends.cudnn.benchmark = True
        if recipe.training.compile:
            self.model.compile()
        if processes.world > 1:
            self.model = DistributedDataParallel(self.model)
        training = recipe.training
        self.seconds, self.best, self.since_best = 0.0, 0.0, 0
        kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[training.optimiser]
        self.optimiser = kind(self.learning, lr=training.learning_rate, weight_decay=training.weight_decay, fused=True)
        by = recipe.schedule
        self.plateau = Plateau(by, training.learning_rate) if by.kind == "plateau" else None
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=training.precision == "fp16")
        self.average = {name: tensor.detach().clone().float() for name, tensor in self.network.state_dict().items()}
        self.step, self.skips, self.norm = 0, Skips(self.device), torch.zeros((), device=self.device)

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step."""
        training, by = self.recipe.training, self.recipe.schedule
        found = self.plateau.share if self.plateau else share(by, self.step, training.steps, self.passed())
        return training.learning_rate * found

    def train(self, batch: Batch) -> Outcome:
        """Take one step; it is skipped and counted if the loss or the gradient is not finite.

        Raises :class:`CheckpointError` if too many steps in a row are skipped.
        """
        training = self.recipe.training
        for group in self.optimiser.param_groups:
            group["lr"] = self.learning_rate
        self.optimiser.zero_grad(set_to_none=True)
        outcome = self.parts.backward(batch, self._forward) if self.parts else self._backward(batch)
        self.scaler.unscale_(self.optimiser)
        self.norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), training.clip)
        good = torch.isfinite(self.norm) & torch.isfinite(outcome.total.detach())
        self.skips.note(good)
        if self.device.type == "cuda":
            self._step_without_waiting(good)
        elif bool(good):
            self.scaler.step(self.optimiser)
        if self.device.type == "cuda" or bool(good):
            self._average()
        self.scaler.update()
        self.step += 1
        if self.device.type == "cpu" or self.step % MOST_SKIPPED == 0:
            self.skips.check(self.step)
        return outcome

    def _parts(self) -> Parts | None:
        """Return what computes batches in parts on a CPU; ``None`` if the network cannot be trained so."""
        threads = self.recipe.training.threads or torch.get_num_threads()
        alone = self.device.type == "cpu" and self.processes.world == 1
        count = parts_of(self.recipe, self.network, threads) if alone else 1
        if count > 1:
            return Parts(count, self.learning, threads)
        torch.set_num_threads(threads)
        return None

    def _forward(self, batch: Batch) -> Outcome:
        training = self.recipe.training
        exact = training.precision == "fp32" or self.step >= training.steps - training.exact_steps
        with torch.autocast(self.device.type, DTYPES[training.precision], enabled=not exact):
            outcome: Outcome = self.model(batch)
        return outcome

    def _backward(self, batch: Batch) -> Outcome:
        """Run the objective on a batch, and leave the gradients in the parameters."""
        outcome = self._forward(batch)
        self.scaler.scale(outcome.total).backward()  # type: ignore[no-untyped-call]
        return outcome

    def _step_without_waiting(self, good: Tensor) -> None:
        """Step on a GPU if the gradient is good: the fused optimiser checks that there, so the host need not wait."""
        if self.scaler.is_enabled():
            self.scaler.step(self.optimiser)
            return
        self.optimiser.found_inf = (~good).float()
        self.optimiser.step()
        del self.optimiser.found_inf

    def _average(self) -> None:
        """Move the average towards the weights, faster in the first steps."""
        decay = min(self.recipe.training.average, (self.step + 1) / (self.step + 10))
        here = self.network.state_dict()
        torch._foreach_lerp_([self.average[name] for name in here], [t.float() for t in here.values()], 1 - decay)

    def passed(self) -> float:
        """Return the share of the run's time limit that has passed; 0 if it has none."""
        minutes = self.recipe.training.minutes
        return 0.0 if minutes is None else self.seconds / (60 * minutes)

    def expected_steps(self, speed: float) -> int:
        """Return how many steps the run will have at ``speed`` images per second: fewer than asked if time ends it."""
        training = self.recipe.training
        if training.minutes is None:
            return training.steps
        left = max(60 * training.minutes - self.seconds, 0) * speed / self.recipe.data.batch
        return min(training.steps, self.step + ceil(left))

    @property
    def skipped(self) -> int:
        """The number of skipped steps."""
        return int(self.skips.total)

    @property
    def finished(self) -> bool:
        """Whether the last step is done or the time is up."""
        return self.step == self.recipe.training.steps or self.passed() >= 1

    def note_validation(self, psnr: float) -> bool:
        """Take a validation's PSNR in dB into account, and return whether it is the best so far; 0 dB never is."""
        if self.plateau:
            self.plateau.note_validation(psnr)
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
            "recipe": self.recipe.text, "network": self.recipe.network,
            "step": self.step, "skipped": self.skipped, "seconds": self.seconds,
            "best": self.best, "since_best": self.since_best, "optimiser": optimiser.values,
            "plateau": self.plateau.state() if self.plateau else None, "scaler": self.scaler.state_dict(),
        }  # fmt: skip
        return State(tensors, values)

    def restore(self, state: State) -> None:
        """Continue from a state, with the learning rate and settings of this recipe."""
        self.network.load_state_dict(below("network", state.tensors))
        self.average = {name: t.to(self.device) for name, t in below("average", state.tensors).items()}
        load_optimiser(self.optimiser, State(below("optimiser", state.tensors), state.values["optimiser"]))
        for group in self.optimiser.param_groups:
            group["weight_decay"] = self.recipe.training.weight_decay
        if self.plateau and state.values["plateau"]:
            self.plateau.restore(state.values["plateau"])
        self.scaler.load_state_dict(state.values["scaler"])
        torch.set_rng_state(state.tensors["random"])
        self.skips = Skips(self.device, state.values["skipped"])
        for name in ("step", "seconds", "best", "since_best"):
            setattr(self, name, state.values[name])

    def about(self) -> dict[str, Any]:
        """Return the metadata of exportable weights; nothing in it varies, so that equal weights have equal files."""
        return {"network": self.recipe.network["name"], "config": asdict(self.network.config)}
