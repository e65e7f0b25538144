"""The batches of a run, from any step on, made while the step before runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from vs_interp.datasets.planar import PlanarFootage
from vs_interp.errors import DatasetError, VsInterpError
from vs_interp.host import cores
from vs_interp.networks.rife import Rife
from vs_interp.spec import NetworkSpec
from vs_interp.training.scenes.drafts import Draft, Drafts
from vs_interp.training.scenes.resident import ResidentFilm, fits
from vs_interp.training.scenes.samples import Batch, Workshop
from vs_interp.weights.checkpoint import load_checkpoint

from .pause import leave_signals_to_the_trainer
from .processes import Processes
from .recipe import Recipe

MOST_WORKERS = 12


def load_teacher(path: Path) -> Rife:
    """Read the checkpoint of a teacher.  Raises :class:`DatasetError` where it is not RIFE's."""
    found = load_checkpoint(path)
    if not isinstance(found, Rife):
        raise DatasetError(f"{path} holds {found.spec.name}: the teacher must be rife")
    return found.eval()


class Batches:
    """All that a recipe's batches are made of, opened once."""

    def __init__(self, recipe: Recipe, spec: NetworkSpec, processes: Processes) -> None:
        data, self.steps, self.device = recipe.data, recipe.training.steps, processes.device
        self.drafts = Drafts(data, spec, recipe.training.seed, processes.rank, processes.world)
        films = _resident(self.drafts, self.device)
        self.drafts.unread = frozenset(films)
        self.fingerprints = {address: footage.fingerprint() for address, footage in self.drafts.footages.items()}
        self.workshop = Workshop(
            spec, self.device, (data.crop[1], data.crop[0]),
            scenes=None if self.drafts.scenes is None else self.drafts.scenes.to(self.device), films=films,
            teacher=None if data.teacher is None else load_teacher(data.teacher).to(self.device),
        )  # fmt: skip
        self.workers = data.workers if data.workers is not None else self._workers()

    def _workers(self) -> int:
        """Return how many processes make drafts: none where nothing is read, else by the cores."""
        usable = cores()
        if self.device.type == "cpu":
            return max(1, usable // 4)  # the others train
        return min(MOST_WORKERS, max(1, usable - 2)) if self.drafts.reels.keys() - self.drafts.unread else 0

    def since(self, step: int) -> Iterator[Batch]:
        """Yield the batches from a step on, on the training device.

        On a CPU a worker does the arithmetic, too.
        """
        at_once = self.device.type == "cpu" and self.workers > 0
        made: Callable[[Any], Any] = self.workshop if at_once else _as_it_is
        loader = DataLoader(
            _Told(self.drafts), batch_size=None, sampler=range(step, self.steps), num_workers=self.workers,
            collate_fn=_Unless(made), prefetch_factor=4 if self.workers else None,
            worker_init_fn=leave_signals_to_the_trainer,
            generator=torch.Generator(),  # else it would draw from the random state that is saved
        )  # fmt: skip
        on_gpu = self.device.type == "cuda"
        beside = torch.cuda.Stream(self.device) if on_gpu else None  # type: ignore[no-untyped-call]
        for drawn in loader:
            if isinstance(drawn, _Failed):
                raise drawn.kind(drawn.message)
            yield drawn if at_once else self._made(drawn, beside)

    def _made(self, drawn: Draft, beside: torch.cuda.Stream | None) -> Batch:
        """Return the batch of a draft; on a GPU it is made beside the step before, whose stream is not waited for."""
        if beside is None:
            return self.workshop(drawn)
        with torch.cuda.stream(beside):
            batch = self.workshop(drawn)
        training = torch.cuda.current_stream(self.device)
        training.wait_stream(beside)
        for tensor in (*batch.frames, batch.truth, batch.time, batch.flow, batch.doubt):
            if tensor.is_cuda:
                tensor.record_stream(training)
        return batch


def _resident(drafts: Drafts, device: torch.device) -> dict[int, ResidentFilm]:
    """Return the films, by source, that the device holds whole, where it has room for all."""
    footages = {number: reel.footage for number, reel in drafts.reels.items()}
    planar = {id(footage): footage for footage in footages.values() if isinstance(footage, PlanarFootage)}
    if not fits(list(planar.values()), device):
        return {}
    films = {key: ResidentFilm.load(footage, device) for key, footage in planar.items()}
    return {number: films[id(footage)] for number, footage in footages.items() if id(footage) in films}


@dataclass(frozen=True)
class _Failed:
    """An expected error of a data worker, on its way to the process that trains, which raises it."""

    kind: type[VsInterpError]
    message: str


@dataclass(frozen=True)
class _Told(Dataset["Draft | _Failed"]):
    """Drafts, or why there is none: an exception raised in a worker would arrive as a traceback of many lines."""

    drafts: Drafts

    def __getitem__(self, step: int) -> Draft | _Failed:
        try:
            return self.drafts[step]
        except VsInterpError as error:
            return _Failed(type(error), str(error))
        except (OSError, MemoryError) as error:
            return _Failed(DatasetError, f"batch {step} cannot be read ({error or 'memory is full'})")


@dataclass(frozen=True)
class _Unless:
    """Makes something of each draft; an error is passed on."""

    made: Callable[[Any], Any]

    def __call__(self, drawn: Any) -> Any:
        return drawn if isinstance(drawn, _Failed) else self.made(drawn)


def _as_it_is[T](drawn: T) -> T:
    return drawn
