"""The processes of a run: a single one, or those started by ``torchrun``."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed.nn  # before a group exists: default arguments in there would keep it alive for ever
from torch import distributed

from vs_interp.errors import BackendError


@dataclass(frozen=True)
class Processes:
    """This process (``rank`` of ``world``) and the device it trains on."""

    rank: int
    world: int
    device: torch.device

    @classmethod
    @contextmanager
    def join(cls, device: str | None = None) -> Iterator[Processes]:
        """Join the run's other processes during the context; by default on the GPU if there is one.

        Raises :class:`BackendError` for a device that this machine does not have.
        """
        world, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
        found = device or ("cuda" if torch.cuda.is_available() else "cpu")
        try:
            chosen = torch.device(found)
        except RuntimeError as error:
            raise BackendError(f"there is no device {found!r}: choose cpu or cuda") from error
        if chosen.type == "cuda":
            if not torch.cuda.is_available():
                raise BackendError("PyTorch finds no NVIDIA GPU: train with --device cpu, or fix the driver")
            if chosen.index is None or world > 1:  # torchrun's processes have a GPU each
                chosen = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
            if chosen.index >= torch.cuda.device_count():
                raise BackendError(f"there is no {chosen}: PyTorch finds {torch.cuda.device_count()} GPUs")
            torch.cuda.set_device(chosen)
        if world > 1:
            distributed.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
        try:
            yield cls(rank, world, chosen)
        finally:
            if world > 1:
                gc.collect()  # reference cycles of DDP hold the group, whose threads must end before the interpreter
                distributed.destroy_process_group()

    @property
    def leads(self) -> bool:
        """Whether this process writes, validates and reports."""
        return self.rank == 0

    def agree(self, *wishes: bool) -> tuple[bool, ...]:
        """Return for each argument whether it is true in any process, so that all act at the same step."""
        if self.world == 1:
            return wishes
        shared = torch.tensor([float(wish) for wish in wishes], device=self.device)
        distributed.all_reduce(shared, distributed.ReduceOp.MAX)
        return tuple(bool(wish) for wish in shared)

    def from_leader(self, values: Sequence[float]) -> list[float]:
        """Return the values of the leading process in all processes."""
        shared = torch.tensor(values, dtype=torch.float64, device=self.device)
        if self.world > 1:
            distributed.broadcast(shared, 0)
        return shared.tolist()
