"""Failures from outside, each reported as one line: memory runs out, a data worker or another process dies."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from vs_interp.errors import BackendError

from .checkpoints import Checkpoints
from .trainer import Trainer


@contextmanager
def explained_failures(trainer: Trainer, checkpoints: Checkpoints) -> Iterator[None]:
    """Replace PyTorch's exceptions for such failures by a :class:`BackendError` that says what to do."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise BackendError(f"{_memory(trainer)}: {_smaller(trainer, checkpoints)}") from error
    except (ConnectionResetError, EOFError) as error:  # a worker died while it was sending
        if trainer.recipe.data.workers == 0:
            raise
        raise _worker_ended(error, trainer, checkpoints) from error
    except RuntimeError as error:
        text = str(error)
        if "DataLoader worker" in text:
            raise _worker_ended(error, trainer, checkpoints) from error
        if "can't allocate memory" in text:
            raise BackendError(f"this machine is out of memory: {_smaller(trainer, checkpoints)}") from error
        if trainer.processes.world > 1 and _is_of_a_group(error):
            raise BackendError(
                f"process {trainer.processes.rank} stopped because another process of this run died: see its error"
            ) from error
        raise


def _worker_ended(error: Exception, trainer: Trainer, checkpoints: Checkpoints) -> BackendError:
    if hasattr(signal, "SIGCHLD"):  # PyTorch's handler could raise again while this error is handled
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    return BackendError(
        f"a data worker was killed ({_first_line(error)}), probably because memory ran out: lower data.workers; "
        f"{_smaller(trainer, checkpoints)}"
    )


def _memory(trainer: Trainer) -> str:
    used = torch.cuda.max_memory_allocated(trainer.device) / 2**30 if trainer.device.type == "cuda" else 0.0
    return f"the GPU is out of memory after step {trainer.step} ({used:.1f} GiB were in use)"


def _smaller(trainer: Trainer, checkpoints: Checkpoints) -> str:
    """Return advice: resume from the last checkpoint, or start again, with half the batch."""
    half = trainer.recipe.data.batch // 2
    smaller = f"--set data.batch={half}" if half else "a smaller data.crop"
    steps = checkpoints.steps()
    if steps:
        return f"continue from {checkpoints.path(steps[-1])} with --resume {smaller}"
    return f"start again with {smaller}; there is no checkpoint yet"


def _is_of_a_group(error: RuntimeError) -> bool:
    return isinstance(error, torch.distributed.DistError) or "gloo" in str(error) or "Connection closed" in str(error)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
