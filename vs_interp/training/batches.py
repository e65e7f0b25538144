"""The batches of a run, from any step on, each made while the step before it runs."""

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
from vs_interp.training.scenes.samples import Batch, BatchMaker
from vs_interp.weights.checkpoint import load_checkpoint

from .pause import leave_signals_to_the_trainer
from .processes import Processes
from .recipe import Recipe

MOST_WORKERS = 12
"""Default limit on the processes that read samples for a GPU."""


def load_teacher(path: Path) -> Rife:
    """Read the checkpoint of a teacher network.  Raises :class:`DatasetError` if it is not a RIFE."""
    found = load_checkpoint(path)
    if not isinstance(found, Rife):
        raise DatasetError(f"{path} holds {found.spec.name}: the teacher must be rife")
    return found.eval()


class Batches:
    """The data sets of a recipe, opened once, and the batches made from them."""

    def __init__(self, recipe: Recipe, spec: NetworkSpec, processes: Processes) -> None:
        data, self.steps, self.device = recipe.data, recipe.training.steps, processes.device
        self.drafts = Drafts(data, spec, recipe.training.seed, processes.rank, processes.world)
        films = _resident(self.drafts, self.device)
        self.drafts.unread = frozenset(films)
        self.fingerprints = {address: footage.fingerprint() for address, footage in self.drafts.footages.items()}
        self.batch_maker = BatchMaker(
            spec, self.device, (data.crop[1], data.crop[0]),
            scenes=None if self.drafts.scenes is None else self.drafts.scenes.to(self.device), films=films,
            teacher=None if data.teacher is None else load_teacher(data.teacher).to(self.device),
        )  # fmt: skip
        self.workers = data.workers if data.workers is not None else self._workers()

    def _workers(self) -> int:
        """Return the default number of data workers: none if nothing is read from disk, otherwise by the cores."""
        usable = cores()
        if self.device.type == "cpu":
            return max(1, usable // 4)  # the other cores train
        return min(MOST_WORKERS, max(1, usable - 2)) if self.drafts.reels.keys() - self.drafts.unread else 0

    def since(self, step: int) -> Iterator[Batch]:
        """Yield the batches from a step on, on the training device.

        A GPU makes the batches from the drafts that data workers read; for a CPU the workers make them too.
        """
        in_worker = self.device.type == "cpu" and self.workers > 0
        make: Callable[[Any], Any] = self.batch_maker if in_worker else _unchanged
        loader = DataLoader(
            _CheckedDrafts(self.drafts), batch_size=None, sampler=range(step, self.steps), num_workers=self.workers,
            collate_fn=_MakeUnlessFailed(make), prefetch_factor=4 if self.workers else None,
            worker_init_fn=leave_signals_to_the_trainer,
            generator=torch.Generator(),  # otherwise it would draw from the random state that checkpoints save
        )  # fmt: skip
        on_gpu = self.device.type == "cuda"
        side_stream = torch.cuda.Stream(self.device) if on_gpu else None  # type: ignore[no-untyped-call]
        for drawn in loader:
            if isinstance(drawn, _Failed):
                raise drawn.kind(drawn.message)
            yield drawn if in_worker else self._batch(drawn, side_stream)

    def _batch(self, drawn: Draft, side_stream: torch.cuda.Stream | None) -> Batch:
        """Return the batch of a draft; on a GPU it is made in a side stream, while the training's is busy."""
        if side_stream is None:
            return self.batch_maker(drawn)
        with torch.cuda.stream(side_stream):
            batch = self.batch_maker(drawn)
        training = torch.cuda.current_stream(self.device)
        training.wait_stream(side_stream)
        for tensor in (*batch.frames, batch.truth, batch.time, batch.flow, batch.doubt):
            if tensor.is_cuda:
                tensor.record_stream(training)
        return batch


def _resident(drafts: Drafts, device: torch.device) -> dict[int, ResidentFilm]:
    """Load all planar films into the device's memory and return them by source.

    None if there is not room for all, or if the network makes labels: those are read on the host, which checks them.
    """
    if drafts.spec.output.kind == "labels" or drafts.spec.window.labels:
        return {}
    footages = {number: reel.footage for number, reel in drafts.reels.items()}
    planar = {id(footage): footage for footage in footages.values() if isinstance(footage, PlanarFootage)}
    if not fits(list(planar.values()), device):
        return {}
    films = {key: ResidentFilm.load(footage, device) for key, footage in planar.items()}
    return {number: films[id(footage)] for number, footage in footages.items() if id(footage) in films}


@dataclass(frozen=True)
class _Failed:
    """An error of a data worker, sent to the training process, which raises it."""

    kind: type[VsInterpError]
    message: str


@dataclass(frozen=True)
class _CheckedDrafts(Dataset["Draft | _Failed"]):
    """Drafts, or the error as a value: an exception raised in a worker would arrive with a long traceback."""

    drafts: Drafts

    def __getitem__(self, step: int) -> Draft | _Failed:
        try:
            return self.drafts[step]
        except VsInterpError as error:
            return _Failed(type(error), str(error))
        except (OSError, MemoryError) as error:
            return _Failed(DatasetError, f"batch {step} cannot be read ({error or 'out of memory'})")


@dataclass(frozen=True)
class _MakeUnlessFailed:
    """Applies a function to each draft, and passes errors on."""

    make: Callable[[Any], Any]

    def __call__(self, drawn: Any) -> Any:
        return drawn if isinstance(drawn, _Failed) else self.make(drawn)


def _unchanged[T](drawn: T) -> T:
    return drawn
