"""Make chunks on many workers: assign chunks, collect results, retry failures.

Dask's ``distributed`` transports orders and results and tracks which workers are connected.  Scheduling is done here:
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
from .failures import STRIKES, Failures
from .in_dask import make_and_report
from .plan import Manifest
from .status import Board
from .work import TOKEN, Made, Order, RefusedError

LOOK = 0.2
"""Seconds between two checks of the workers."""

PATIENCE = 120.0
"""Seconds that any chunk may take, however fast the others were."""

SLOWEST = 8
"""A worker is restarted when its chunk takes this many times the median time for as many frames."""

LONELY = 30.0
"""Seconds without any worker after which the user is told."""


@dataclass
class Assignment:
    """A chunk that a worker is making, since ``since`` by the monotonic clock.

    future, made
        The worker's task; and, once that has finished, the transfer of its result to this process.
    """

    number: int
    future: Any
    since: float
    made: Future[Made] | None = None


@dataclass
class Dispatch:
    """Distributes the chunks of a job to the workers of a cluster.

    client
        A ``distributed.Client``.
    paths
        Path prefixes here → the same folders on the workers' machines.
    retries
        How often a failed chunk is tried again.
    maker
        What all frames must be made with, see :func:`~vs_interp.jobs.maker.maker`; ``None`` for anything.
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
        self._failures = Failures(self.retries)
        self._left_out: dict[str, str] = {}
        self._connected: set[str] = set()
        self._restarting: set[str] = set()
        self._speeds: list[float] = []
        self._progress: dict[str, tuple[int, int]] = {}
        self._seen = time.monotonic()

    def make(self, numbers: Sequence[int]) -> Iterator[tuple[int, Record]]:
        """Make the chunks ``numbers``; yield each number with the chunk's record once it is complete, in any order.

        Raises :class:`BackendError` if no worker can take part, if the scheduler disconnects or, after all others are
        made, for chunks that failed every time.  Complete chunks are kept.
        """
        write_whole(self.chunks.folder / TOKEN, self._token.encode())
        waiting = sorted(numbers, key=lambda number: (self._frames(number), -number))
        self.client.subscribe_topic(self._topic, self._note_progress)
        transfers = ThreadPoolExecutor(thread_name_prefix="transfer")
        try:
            while waiting or self._busy:
                workers = self._workers()
                self._order(waiting, workers - self._restarting)
                yield from self._collected(waiting, workers, transfers)
                time.sleep(LOOK)
        finally:
            for work in self._busy.values():
                with suppress(Exception):  # the scheduler may be gone
                    work.future.cancel()
            transfers.shutdown(wait=False, cancel_futures=True)
            (self.chunks.folder / TOKEN).unlink(missing_ok=True)
        failed = self._failures.final()
        if failed:
            number, (address, why) = next(iter(failed.items()))
            raise BackendError(
                f"{len(failed)} of {len(self.manifest.chunks)} chunks failed {self.retries + 1} times, chunk {number} "
                f"on {address}: {why}; the others are kept: fix the cause, then run the same command again"
            )

    def _workers(self) -> set[str]:
        """Return the addresses of the connected workers.  Raises :class:`BackendError` if the scheduler is gone.

        Every two seconds Dask's client asks for a list without workers, and may answer with that one.
        """
        try:
            info = self.client.scheduler_info(n_workers=-1)
            if len(info["workers"]) == info["n_workers"]:
                self._connected = set(info["workers"])
        except (OSError, RuntimeError, KeyError) as error:  # KeyError: the client has given up
            raise BackendError(
                f"the scheduler disconnected; what is finished stays in {self.chunks.folder}: start it and its "
                "workers, then run the same command again"
            ) from error
        workers = self._connected
        if workers:
            self._seen = time.monotonic()
        elif time.monotonic() - self._seen > LONELY:
            self._seen = float("inf")
            self.board.says("there is no worker: start `vs-interp worker` with the scheduler's address")
        return workers

    def _order(self, waiting: list[int], workers: set[str]) -> None:
        """Give each idle worker the longest waiting chunk that it may make."""
        able = workers - self._left_out.keys()
        for address in sorted(able - self._busy.keys()):
            number = next(
                (number for number in reversed(waiting) if self._failures.may_make(number, address, able)), None
            )
            if number is not None:
                waiting.remove(number)
                order = Order(
                    self.manifest.to_json(), number, str(self.chunks.folder.absolute()), self._token,
                    tuple(self.paths.items()), self.maker,
                )  # fmt: skip
                future = self.client.submit(
                    make_and_report, order, self._topic, workers=[address], pure=False, retries=0
                )
                self._busy[address] = Assignment(number, future, time.monotonic())
                self.board.works(address, number, 0)
        if workers and not able:
            raise BackendError(f"no worker can take part: {next(reversed(self._left_out.values()))}")

    def _collected(
        self, waiting: list[int], workers: set[str], transfers: ThreadPoolExecutor
    ) -> Iterator[tuple[int, Record]]:
        """Yield chunks that are complete; put those that failed or hang back into ``waiting``."""
        for address, work in list(self._busy.items()):
            number, taken, status = work.number, time.monotonic() - work.since, work.future.status
            if status == "finished" and work.made is None:
                work.made = transfers.submit(work.future.result)  # in a thread: a dying worker must not block others
            record = self._arrived(work, gone=address not in workers)
            if record is not None:
                self._speeds.append(taken / self._frames(number))
                self._failures.forgive(address)
                del self._busy[address]
                self.board.made(address)
                yield number, record
            elif address not in workers or status in ("cancelled", "lost"):
                self._put_back(address, "the worker disconnected", waiting)
            elif status == "error":
                self._note_error(address, work.future.exception(), waiting)
            elif taken > self._limit(number):
                transfers.submit(self._restart, address)
                self._put_back(address, f"not done after {taken:.0f} s, and the worker is restarted", waiting)
            else:
                self._show(address, work)

    def _arrived(self, work: Assignment, *, gone: bool) -> Record | None:
        """Return the record of a chunk if it is complete here; a worker that is gone may have left it in the folder."""
        if work.made is not None and work.made.done():
            with suppress(CancelledError, OSError, RuntimeError):  # the worker died before its result was here
                return self._kept(work.made.result())
        record = self.chunks.record(work.number) if gone else None
        return record if record is not None and record.frames == self._frames(work.number) else None

    def _note_error(self, address: str, error: BaseException, waiting: list[int]) -> None:
        """Put a chunk back, and exclude its worker if it cannot take part or one chunk after another fails on it."""
        number = self._busy[address].number
        if isinstance(error, RefusedError):
            self._leave_out(address, str(error))
            self._take_from(address)
            waiting.append(number)
            return
        self._put_back(address, str(error) or type(error).__name__, waiting)
        if self._failures.strike(address, number):
            self._leave_out(address, f"{STRIKES} chunks one after the other failed on {address}: {error}")

    def _restart(self, address: str) -> None:
        """Restart a worker, which gets no chunk meanwhile.  Blocks, so it is called in a thread."""
        self._restarting.add(address)
        with suppress(OSError, RuntimeError, TimeoutError):
            self.client.restart_workers([address], raise_for_error=False)
        self._restarting.discard(address)

    def _leave_out(self, address: str, why: str) -> None:
        self._left_out[address] = why
        self.board.says(f"a worker is left out: {why}")

    def _put_back(self, address: str, why: str, waiting: list[int]) -> None:
        """Count a worker's chunk as failed, and let it be tried again unless it failed too often."""
        number = self._take_from(address)
        again = self._failures.add(number, address, why)
        self.board.says(f"chunk {number} failed on {address}: {why}{'; it is tried again' if again else ''}")
        if again:
            waiting.append(number)

    def _take_from(self, address: str) -> int:
        """Cancel a worker's chunk, and return the chunk's number."""
        work = self._busy.pop(address)
        work.future.cancel()
        self.board.lost(address)
        return work.number

    def _note_progress(self, event: tuple[float, Mapping[str, Any]]) -> None:
        """Store a worker's progress report; the Dask client calls this in a thread of its own."""
        report = event[1]
        self._progress[report["worker"]] = report["chunk"], report["frames"]

    def _show(self, address: str, work: Assignment) -> None:
        number, frames = self._progress.get(address, (work.number, 0))
        if number == work.number:
            self.board.works(address, number, frames)

    def _kept(self, made: Made) -> Record:
        """Write a chunk that arrived as bytes into the job's folder, and return its record."""
        if made.content is not None:
            self.chunks.drop(made.number)
            write_whole(self.chunks.film(made.number), made.content)
            self.chunks.keep(made.number, made.record)
        return made.record

    def _limit(self, number: int) -> float:
        """Return the seconds that a chunk may take."""
        usual = statistics.median(self._speeds) * self._frames(number) if self._speeds else float("inf")
        return max(PATIENCE, SLOWEST * usual)

    def _frames(self, number: int) -> int:
        return self.manifest.borders[number + 1] - self.manifest.borders[number]
