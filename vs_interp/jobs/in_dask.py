"""Code that runs inside Dask's workers: make a chunk and report progress; and each worker's share of the machine."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence

from distributed import WorkerPlugin, get_worker

from vs_interp.host import share_cores
from vs_interp.log import logger

from .work import Made, Order, make

REPORT_INTERVAL = 1.0
"""Seconds between two progress reports of a chunk."""


def make_and_report(order: Order, topic: str) -> Made:
    """Make a chunk with :func:`~vs_interp.jobs.work.make`, and log its progress as Dask events of ``topic``."""
    worker, reported = get_worker(), 0.0

    def advance(number: int, frames: int) -> None:
        nonlocal reported
        now = time.monotonic()
        if now - reported >= REPORT_INTERVAL:
            reported = now
            worker.log_event(topic, {"worker": worker.address, "chunk": number, "frames": frames})

    return make(order, advance)


class Share(WorkerPlugin):
    """Gives each of ``count`` worker processes its share of this machine: some of the cores and one of ``gpus``.

    As a plugin, it also applies to a worker that has been restarted.
    """

    def __init__(self, count: int, gpus: Sequence[int] | None) -> None:
        self.count, self.gpus = count, gpus

    def setup(self, worker: object) -> None:
        logger.setLevel(logging.ERROR)  # the process that started this one has opened the same film, with its warnings
        place = int(getattr(worker, "name", 0))
        if self.gpus is not None:
            os.environ["CUDA_VISIBLE_DEVICES"] = str(self.gpus[place % len(self.gpus)])
        share_cores(place, self.count)
