"""Everything that a training run changes, and one step of it."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from vs_interp.errors import ArgumentError, CheckpointError
from vs_interp.networks.base import Network
from vs_interp.registry import network_class
from vs_interp.training.scenes.samples import Batch
from vs_interp.weights.catalogue import catalogue, resolve
from vs_interp.weights.checkpoint import load_mean

from .checkpoints import State, below, load_optimiser, optimiser_state, prefixed
from .objectives import Objective, Outcome
from .processes import Processes
from .recipe import Recipe
from .schedules import schedule
from .skips import MOST_SKIPPED, Skips

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


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
        on_gpu = self.device.type == "cuda"
        if on_gpu:
            torch.backends.cudnn.allow_tf32 = True  # not for matrix products: SSIM's variances are small differences
            torch.backends.cudnn.benchmark = True
        if on_gpu and recipe.training.compile:
            self.model.compile()
        if processes.world > 1:
            self.model = DistributedDataParallel(self.model)
        training = recipe.training
        self.seconds, self.best, self.since_best = 0.0, -math.inf, 0
        kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[training.optimiser]
        learning = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        self.optimiser = kind(
            learning, lr=training.learning_rate, weight_decay=training.weight_decay,
            fused=on_gpu,  # on a CPU its moments lie as the weights do, and a resumed run would differ
        )  # fmt: skip
        self.schedule = schedule(self.optimiser, recipe.schedule, training.steps, self.passed)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=training.precision == "fp16")
        self.average = {name: tensor.detach().clone().float() for name, tensor in self.network.state_dict().items()}
        self.step, self.skips = 0, Skips(self.device)

    def train(self, batch: Batch) -> Outcome:
        """Take one step.  A loss or gradient that is not finite is skipped and counted; too many in a row: an error."""
        training = self.recipe.training
        exact = training.precision == "fp32" or self.step >= training.steps - training.exact_steps
        with torch.autocast(self.device.type, DTYPES[training.precision], enabled=not exact):
            outcome: Outcome = self.model(batch)
        self.optimiser.zero_grad(set_to_none=True)
        self.scaler.scale(outcome.total).backward()  # type: ignore[no-untyped-call]
        self.scaler.unscale_(self.optimiser)
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), training.clip)
        good = torch.isfinite(norm) & torch.isfinite(outcome.total.detach())
        self.skips.note(good)
        if self.device.type == "cuda":
            self._step_unseen(good)
        elif bool(good):
            self.scaler.step(self.optimiser)
        if self.device.type == "cuda" or bool(good):
            if self.recipe.schedule.kind != "plateau":
                self.schedule.step()
            self._average()
        self.scaler.update()
        self.step += 1
        if self.device.type == "cpu" or self.step % MOST_SKIPPED == 0:
            self.skips.check(self.step)
        return outcome

    def _step_unseen(self, good: Tensor) -> None:
        """Step on a GPU, if the gradient is good: the fused optimiser looks there, and nobody waits for the answer."""
        if self.scaler.is_enabled():
            self.scaler.step(self.optimiser)
            return
        self.optimiser.found_inf = (~good).float()
        self.optimiser.step()
        del self.optimiser.found_inf

    def _average(self) -> None:
        """Move the average towards the weights, faster at the beginning."""
        decay = min(self.recipe.training.average, (self.step + 1) / (self.step + 10))
        here = self.network.state_dict()
        torch._foreach_lerp_([self.average[name] for name in here], [t.float() for t in here.values()], 1 - decay)

    def passed(self) -> float:
        """Return how much of the run's time is over: 0 where it has no end, 1 at its end."""
        minutes = self.recipe.training.minutes
        return 0.0 if minutes is None else self.seconds / (60 * minutes)

    @property
    def skipped(self) -> int:
        """Steps that were skipped."""
        return int(self.skips.total)

    @property
    def finished(self) -> bool:
        """Whether this was the last step."""
        return self.step == self.recipe.training.steps or self.passed() >= 1

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
        self.skips = Skips(self.device, state.values["skipped"])
        for name in ("step", "seconds", "best", "since_best"):
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
    """Return the network that a run begins with: initialised by its paper, or with the weights of ``start``.

    Its frozen parts take no gradient.
    """
    values = {name: value for name, value in recipe.network.items() if name != "name"}
    kind = network_class(recipe.network["name"])
    try:
        network = kind.from_config(values)
    except TypeError as error:
        known = ", ".join(entry.name for entry in fields(kind.Config)) or "nothing"
        raise ArgumentError(f"the recipe's network has {values}: {recipe.network['name']} takes {known}") from error
    network.initialise()
    start = recipe.training.start
    if isinstance(start, dict):
        for name, path in start.items():
            named = part(network, name)
            for one in named if isinstance(named, nn.ModuleList) else (named,):
                begin_with(one, (path,), name)
    elif start is not None:
        begin_with(network, start if isinstance(start, tuple) else (start,))
    for name in recipe.training.frozen:
        part(network, name).requires_grad_(False)
    return network


def part(network: Network, name: str) -> nn.Module:
    """Return the part of a network that a recipe names.  Raises :class:`ArgumentError` where it has none such."""
    try:
        return network.get_submodule(name)
    except AttributeError as error:
        known = ", ".join(child for child, _ in network.named_children())
        raise ArgumentError(f"the recipe names {name!r}, a part that {network.spec.name} has not: {known}") from error


def weights_file(start: Path) -> Path:
    """Return where first weights are: a checkpoint, a model file, or one that the catalogue knows by name."""
    return resolve(str(start), network="") if str(start) in catalogue() else start


def begin_with(network: nn.Module, paths: Sequence[Path], name: str = "") -> None:
    """Give a network, or a part of one, the mean of the weights in checkpoints of the same network.

    For a part, ``name`` is what it is called: the part of that name is taken, where it is of the same class, else the
    first of its class that is a network by itself.
    Settings that have no weights may differ (``flow_scales``, say), and a layer that the checkpoints have not stays as
    it is.  Raises :class:`CheckpointError` where weights differ.
    """
    whole, here = load_mean([weights_file(path) for path in paths]), shapes(network)
    parts = {called: one for called, one in whole.named_modules() if type(one) is type(network)}
    networks = (one for one in parts.values() if isinstance(one, Network))
    found = parts[name] if name in parts else next(networks, whole)
    if type(found) is not type(network) or any(here.get(name) != shape for name, shape in shapes(found).items()):
        wanted = (
            network.config if isinstance(network, Network) else f"{name}, a {type(network).__name__} of other shapes"
        )
        raise CheckpointError(f"{paths[0]} holds {whole.config}, the recipe asks for {wanted}: make them agree")
    network.load_state_dict(found.state_dict(), strict=False)


def shapes(network: nn.Module) -> dict[str, tuple[int, ...]]:
    """Return the weights' names and shapes."""
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


def channels_last(network: Network) -> Network:
    """Lay the weights of convolutions, 2D and 3D, out with their channels last, which tensor cores and oneDNN want.

    Pictures stay as they are: with other strides than their truth, sums of both took a fifth of a step on CPUs.
    """
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    for parameter in network.parameters():
        if parameter.dim() in formats:
            parameter.data = parameter.data.contiguous(memory_format=formats[parameter.dim()])
    return network
