"""Make chunks by many workers: which chunk goes to whom, and what becomes of it.

Dask's ``distributed`` carries orders and results and notices workers that come and go; who makes what is decided here:
one chunk at a time for each worker, the longest first.
"""

from __future__ import annotations

import secrets
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from vs_interp.errors import BackendError
from vs_interp.files import write_whole

from .chunk import ChunkFolder, Record
from .in_dask import make_and_tell
from .plan import Manifest
from .status import Board
from .work import TOKEN, Made, Order, RefusedError

LOOK = 0.2
"""Seconds between two looks at the workers."""

PATIENCE = 120.0
"""Seconds that a chunk may take whatever the others took."""

SLOWEST = 8
"""How many times longer than the others, by its frames, a chunk may take before its worker is restarted."""

LONELY = 30.0
"""Seconds without any worker after which a person is told."""

STRIKES = 3
"""A worker on which so many chunks failed, one after the other, is left out: its disk may be full."""


@dataclass
class Assignment:
    """A chunk in the hands of a worker; ``made`` is its result on the way here, once there is one."""

    number: int
    future: Any
    since: float
    made: Future[Made] | None = None


@dataclass
class Dispatch:
    """Hands the chunks of a job to the workers of a cluster.

    client
        A ``distributed.Client``.
    paths
        Beginnings of paths here → what they are on the workers' machines.
    retries
        How often a chunk that failed is tried again.
    maker
        What frames must be made with, where workers with anything else are to be refused.
    """

    client: Any
    manifest: Manifest
    chunks: ChunkFolder
    board: Board
    paths: Mapping[str, str] = field(default_factory=dict)
    retries: int = 3
    maker: str | None = None

    def __post_init__(self) -> None:
        self._token = secrets.token_hex(16)
        self._topic = f"vs-interp-{self._token[:8]}"
        self._busy: dict[str, Assignment] = {}
        self._left_out: dict[str, str] = {}
        self._restarting: set[str] = set()
        self._strikes: dict[str, set[int]] = {}
        self._failures: dict[int, list[tuple[str, str]]] = {}
        self._speeds: list[float] = []
        self._told: dict[str, tuple[int, int]] = {}
        self._seen = time.monotonic()

    def make(self, numbers: Sequence[int]) -> Iterator[tuple[int, Record]]:
        """Yield the chunks of some numbers as they become whole.

        Raises :class:`BackendError` where no worker can take part, where the scheduler goes away, or for chunks that
        always fail, once all others are made; chunks that are whole stay.
        """
        write_whole(self.chunks.folder / TOKEN, self._token.encode())
        waiting = sorted(numbers, key=lambda number: (self._frames(number), -number))
        self.client.subscribe_topic(self._topic, self._hear)
        couriers = ThreadPoolExecutor(thread_name_prefix="courier")
        try:
            while waiting or self._busy:
                workers = self._workers()
                self._order(waiting, workers - self._restarting)
                yield from self._collected(waiting, workers, couriers)
                time.sleep(LOOK)
        finally:
            for work in self._busy.values():
                with suppress(Exception):  # the scheduler may be gone
                    work.future.cancel()
            couriers.shutdown(wait=False, cancel_futures=True)
            (self.chunks.folder / TOKEN).unlink(missing_ok=True)
        failed = {number: said for number, said in self._failures.items() if len(said) > self.retries}
        if failed:
            number, tries = min(failed.items())
            raise BackendError(
                f"{len(failed)} of {len(self.manifest.chunks)} chunks failed {self.retries + 1} times, chunk {number} "
                f"on {': '.join(tries[-1])}; the others are kept: mend it, then run the same command again"
            )

    def _workers(self) -> set[str]:
        """Return the addresses of the workers that there are.  Raises :class:`BackendError` without a scheduler."""
        try:
            workers = set(self.client.scheduler_info(n_workers=-1)["workers"])
        except (OSError, RuntimeError, KeyError) as error:  # KeyError: the client gave up and knows of nothing
            raise BackendError(
                f"the scheduler went away; what is finished stays in {self.chunks.folder}: start it and its workers, "
                "then run the same command again"
            ) from error
        if workers:
            self._seen = time.monotonic()
        elif time.monotonic() - self._seen > LONELY:
            self._seen = float("inf")
            self.board.says("there is no worker: start `vs-interp worker` with the scheduler's address")
        return workers

    def _order(self, waiting: list[int], workers: set[str]) -> None:
        """Give each idle worker the longest chunk, and none that failed on it and not yet on all others."""
        able = workers - self._left_out.keys()
        for address in sorted(able - self._busy.keys()):
            number = next((number for number in reversed(waiting) if self._may_make(number, address, able)), None)
            if number is not None:
                waiting.remove(number)
                order = Order(
                    self.manifest.to_json(), number, str(self.chunks.folder.absolute()), self._token,
                    tuple(self.paths.items()), self.maker,
                )  # fmt: skip
                future = self.client.submit(make_and_tell, order, self._topic, workers=[address], pure=False, retries=0)
                self._busy[address] = Assignment(number, future, time.monotonic())
                self.board.works(address, number, 0)
        if workers and workers <= self._left_out.keys():
            raise BackendError(f"no worker can take part: {next(reversed(self._left_out.values()))}")

    def _collected(
        self, waiting: list[int], workers: set[str], couriers: ThreadPoolExecutor
    ) -> Iterator[tuple[int, Record]]:
        """Yield what has become whole; put back what failed, and what hangs."""
        for address, work in list(self._busy.items()):
            number, taken, status = work.number, time.monotonic() - work.since, work.future.status
            if status == "finished" and work.made is None:
                work.made = couriers.submit(work.future.result)  # a worker that dies meanwhile holds up no other
            record = self._arrived(work, gone=address not in workers)
            if record is not None:
                self._speeds.append(taken / self._frames(number))
                self._strikes.pop(address, None)
                del self._busy[address]
                self.board.made(address)
                yield number, record
            elif address not in workers or status in ("cancelled", "lost"):
                self._put_back(address, "the worker went away", waiting)
            elif status == "error":
                self._judge(address, work.future.exception(), waiting)
            elif taken > self._limit(number):
                couriers.submit(self._restart, address)
                self._put_back(address, f"not done after {taken:.0f} s, and the worker is restarted", waiting)
            else:
                self._show(address, work)

    def _arrived(self, work: Assignment, *, gone: bool) -> Record | None:
        """Return what is known of a chunk that is whole here; a worker that is gone may have left it in the folder."""
        if work.made is not None and work.made.done():
            with suppress(CancelledError, OSError, RuntimeError):  # it died with its result
                return self._kept(work.made.result())
        record = self.chunks.record(work.number) if gone else None
        return record if record is not None and record.frames == self._frames(work.number) else None

    def _judge(self, address: str, error: BaseException, waiting: list[int]) -> None:
        """Leave a worker out that cannot take part, or on which chunk after chunk fails."""
        number = self._busy[address].number
        if isinstance(error, RefusedError):
            self._leave_out(address, str(error))
            self._take_from(address)
            waiting.append(number)
            return
        strikes = self._strikes.setdefault(address, set())
        strikes.add(number)
        self._put_back(address, str(error) or type(error).__name__, waiting)
        if len(strikes) >= STRIKES:
            self._leave_out(address, f"{len(strikes)} chunks one after the other failed on {address}: {error}")

    def _restart(self, address: str) -> None:
        """Restart a worker, in a thread of its own, and give it nothing meanwhile."""
        self._restarting.add(address)
        with suppress(OSError, RuntimeError, TimeoutError):
            self.client.restart_workers([address], raise_for_error=False)
        self._restarting.discard(address)

    def _leave_out(self, address: str, why: str) -> None:
        self._left_out[address] = why
        self.board.says(f"a worker is left out: {why}")

    def _put_back(self, address: str, said: str, waiting: list[int]) -> None:
        """Let a chunk that a worker did not make be tried again, unless it failed too often."""
        number = self._take_from(address)
        tries = self._failures.setdefault(number, [])
        tries.append((address, said))
        again = len(tries) <= self.retries
        self.board.says(f"chunk {number} failed on {address}: {said}{'; it is tried again' if again else ''}")
        if again:
            waiting.append(number)

    def _take_from(self, address: str) -> int:
        """Take its chunk from a worker, and return the chunk's number."""
        work = self._busy.pop(address)
        work.future.cancel()
        self.board.lost(address)
        return work.number

    def _may_make(self, number: int, address: str, able: set[str]) -> bool:
        failed = {other for other, _ in self._failures.get(number, ())}
        return address not in failed or able <= failed

    def _hear(self, event: tuple[float, Mapping[str, Any]]) -> None:
        """Hear, in a thread of the client's, how far a worker is."""
        told = event[1]
        self._told[told["worker"]] = told["chunk"], told["frames"]

    def _show(self, address: str, work: Assignment) -> None:
        number, frames = self._told.get(address, (work.number, 0))
        if number == work.number:
            self.board.works(address, number, frames)

    def _kept(self, made: Made) -> Record:
        """Write down a chunk that came as bytes."""
        if made.content is not None:
            self.chunks.drop(made.number)
            write_whole(self.chunks.film(made.number), made.content)
            self.chunks.keep(made.number, made.record)
        return made.record

    def _limit(self, number: int) -> float:
        usual = statistics.median(self._speeds) * self._frames(number) if self._speeds else float("inf")
        return max(PATIENCE, SLOWEST * usual)

    def _frames(self, number: int) -> int:
        return self.manifest.borders[number + 1] - self.manifest.borders[number]
