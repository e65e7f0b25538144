"""Gradients on a CPU: each thread computes those of its part of a batch.

Left to itself, PyTorch shares out every single operation among its threads, and most operations of a small network are
too short for that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from vs_interp.networks.base import Network
from vs_interp.networks.slot_attention import ObjectDiscovery
from vs_interp.training.scenes.samples import Batch

from .objectives import Outcome
from .recipe import Recipe

MOST_PARTS = 16
"""Limit on the threads: Python itself runs in one at a time, which takes some 5 % of the time of a small network."""


def parts_of(recipe: Recipe, network: Network, threads: int) -> int:
    """Return in how many parts so many threads compute a batch: 1 if the network's samples depend on each other.

    They do where a layer takes statistics of the batch or draws random numbers; compiled code and gradient scaling are
    not made for threads.
    """
    training = recipe.training
    joint = any(isinstance(layer, _BatchNorm | ObjectDiscovery) for layer in network.modules())
    if joint or training.compile or training.precision == "fp16":
        return 1
    return min(threads, recipe.data.batch, MOST_PARTS)


class Parts:
    """Computes batches in ``count`` parts, each in its own thread, and adds their gradients in order.

    ``parameters`` are those that learn, ``threads`` those that PyTorch may use altogether: an operation of a part gets
    its share of them.
    """

    def __init__(self, count: int, parameters: list[nn.Parameter], threads: int) -> None:
        self.count, self.parameters, self.threads = count, parameters, threads
        torch.set_num_threads(max(1, threads // count))
        self._pool = ThreadPoolExecutor(count, "part of a batch")

    @contextmanager
    def joined(self) -> Iterator[None]:
        """Give all threads to each operation during the context."""
        with threads_kept():
            torch.set_num_threads(self.threads)
            yield

    def backward(self, batch: Batch, forward: Callable[[Batch], Outcome]) -> Outcome:
        """Return the outcome of a batch, and leave the gradients of its loss in the parameters, which had none."""
        parts = split(batch, self.count)
        shares = [len(part.time) / len(batch.time) for part in parts]

        def run(part: Batch, share: float) -> tuple[Outcome, tuple[Tensor | None, ...]]:
            outcome = forward(part)
            gradients = torch.autograd.grad(share * outcome.total, self.parameters, allow_unused=True)
            return outcome.detached(), gradients

        outcomes, gradients = zip(*self._pool.map(run, parts, shares), strict=True)
        for parameter, *theirs in zip(self.parameters, *gradients, strict=True):
            known = [gradient for gradient in theirs if gradient is not None]
            if known:  # with the layout of the parameter: fused steps walk through both by address
                parameter.grad = torch.empty_like(parameter).copy_(known[0])
                for gradient in known[1:]:
                    parameter.grad += gradient
        return _joined(outcomes, shares)


def split(batch: Batch, count: int) -> list[Batch]:
    """Return a batch of B samples as ``count`` batches of almost equal size."""
    samples = len(batch.time)
    truth = batch.truth.view(samples, -1, *batch.truth.shape[1:])
    bounds = [samples * number // count for number in range(count + 1)]
    return [
        batch._replace(
            frames=tuple(frame[part] for frame in batch.frames), truth=truth[part].flatten(0, 1), time=batch.time[part],
            flow=batch.flow[part], doubt=batch.doubt[part] if len(batch.doubt) else batch.doubt,
        )
        for part in (slice(*ends) for ends in pairwise(bounds))
    ]  # fmt: skip


def _joined(outcomes: tuple[Outcome, ...], shares: list[float]) -> Outcome:
    """Return the outcome of a batch from those of its parts: losses are means over samples."""

    def mean(values: list[Tensor]) -> Tensor:
        return torch.stack([share * value for share, value in zip(shares, values, strict=True)]).sum()

    losses = {name: mean([outcome.losses[name] for outcome in outcomes]) for name in outcomes[0].losses}
    flows = [outcome.flow for outcome in outcomes if outcome.flow is not None]
    return Outcome(
        torch.cat([outcome.made for outcome in outcomes]), losses, mean([outcome.total for outcome in outcomes]),
        torch.cat(flows) if flows else None,
    )  # fmt: skip


@contextmanager
def threads_kept() -> Iterator[None]:
    """Give PyTorch as many threads after the context as before it."""
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)
