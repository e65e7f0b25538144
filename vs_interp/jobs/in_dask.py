"""What runs inside of Dask's workers: chunks that tell how far they are, and each worker's part of a machine."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from distributed import WorkerPlugin, get_worker

from vs_interp.host import share_cores

from .work import Made, Order, make

TOLD = 1.0
"""Seconds between two words of how far a chunk is."""


def make_and_tell(order: Order, topic: str) -> Made:
    """Make a chunk as :func:`~vs_interp.jobs.work.make`; the scheduler hears how far it is under a topic."""
    worker, told = get_worker(), 0.0

    def advance(number: int, frames: int) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told >= TOLD:
            told = now
            worker.log_event(topic, {"worker": worker.address, "chunk": number, "frames": frames})

    return make(order, advance)


class Share(WorkerPlugin):
    """Leaves each process of this machine its part: some of the cores, and one GPU; after it was restarted, too."""

    def __init__(self, count: int, gpus: Sequence[int] | None) -> None:
        self.count, self.gpus = count, gpus

    def setup(self, worker: object) -> None:
        place = int(getattr(worker, "name", 0))
        if self.gpus is not None:
            os.environ["CUDA_VISIBLE_DEVICES"] = str(self.gpus[place % len(self.gpus)])
        share_cores(place, self.count)
