"""What ends a run from outside, each as one line: memory that is full, a data worker or a process that is gone."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from vs_interp.errors import BackendError

from .checkpoints import Checkpoints
from .trainer import Trainer


@contextmanager
def told_plainly(trainer: Trainer, checkpoints: Checkpoints) -> Iterator[None]:
    """Raise :class:`BackendError`, which says what helps, instead of what PyTorch raises for such an end."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise BackendError(f"{_memory(trainer)}: {_smaller(trainer, checkpoints)}") from error
    except (ConnectionResetError, EOFError) as error:  # what a worker was to send broke off
        if trainer.recipe.data.workers == 0:
            raise
        raise _worker_ended(error, trainer, checkpoints) from error
    except RuntimeError as error:
        text = str(error)
        if "DataLoader worker" in text:
            raise _worker_ended(error, trainer, checkpoints) from error
        if "can't allocate memory" in text:
            raise BackendError(f"this machine's memory is full: {_smaller(trainer, checkpoints)}") from error
        if trainer.processes.world > 1 and _is_of_a_group(error):
            raise BackendError(
                f"process {trainer.processes.rank} cannot go on, another one of this run has ended: see what that said"
            ) from error
        raise


def _worker_ended(error: Exception, trainer: Trainer, checkpoints: Checkpoints) -> BackendError:
    if hasattr(signal, "SIGCHLD"):  # PyTorch's handler may raise once more on the way out
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    return BackendError(
        f"a data worker was ended by the system ({_first_line(error)}), as where memory is full: lower "
        f"data.workers; {_smaller(trainer, checkpoints)}"
    )


def _memory(trainer: Trainer) -> str:
    used = torch.cuda.max_memory_allocated(trainer.device) / 2**30 if trainer.device.type == "cuda" else 0.0
    return f"the GPU's memory is full after step {trainer.step} ({used:.1f} GiB were in use)"


def _smaller(trainer: Trainer, checkpoints: Checkpoints) -> str:
    """Return what to do: go on from the last checkpoint, or begin again, with half the batch."""
    half = trainer.recipe.data.batch // 2
    smaller = f"--set data.batch={half}" if half else "a smaller data.crop"
    steps = checkpoints.steps()
    if steps:
        return f"go on from {checkpoints.path(steps[-1])} with --resume {smaller}"
    return f"begin again with {smaller}; there is no checkpoint yet"


def _is_of_a_group(error: RuntimeError) -> bool:
    return isinstance(error, torch.distributed.DistError) or "gloo" in str(error) or "Connection closed" in str(error)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
