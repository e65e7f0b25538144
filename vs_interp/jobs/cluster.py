"""Make chunks by many workers: processes on this machine, or a Dask cluster.

Dask's ``distributed`` carries orders and results and notices workers that come and go; which chunk goes to whom is
decided here, one at a time for each worker, the longest first.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from vs_interp.errors import ArgumentError, BackendError
from vs_interp.files import write_whole

from .chunk import ChunkFolder, Record
from .plan import Manifest
from .work import TOKEN, Made, Order, RefusedError, make, take_share

LOOK = 0.2
"""Seconds between two looks at which workers there are."""

PATIENCE = 120.0
"""Seconds that a chunk may take whatever the others took."""

SLOWEST = 8
"""How many times longer than the others, by its frames, a chunk may take before its worker is restarted."""

MISSING = 'chunks on several workers need Dask: pip install "vs-interp[cluster]"'


class Watcher(Protocol):
    """Hears what the workers do."""

    def made(self, frames: int) -> None:
        """So many more frames were made."""

    def says(self, line: str) -> None:
        """Something that a person should know."""


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
    watcher: Watcher
    paths: Mapping[str, str] = field(default_factory=dict)
    retries: int = 3
    maker: str | None = None

    def __post_init__(self) -> None:
        self._token = secrets.token_hex(16)
        self._busy: dict[str, tuple[int, Any, float]] = {}
        self._refused: dict[str, str] = {}
        self._failures: dict[int, list[str]] = {}
        self._speeds: list[float] = []

    def make(self, numbers: Sequence[int]) -> Iterator[tuple[int, Record]]:
        """Yield the chunks of some numbers as they become whole.

        Raises :class:`BackendError` where no worker can take part, or for chunks that always fail, once all others
        are made; chunks that are whole stay.
        """
        write_whole(self.chunks.folder / TOKEN, self._token.encode())
        waiting = sorted(numbers, key=self._frames)
        try:
            while waiting or self._busy:
                workers = set(self.client.scheduler_info(n_workers=-1)["workers"])
                self._order(waiting, workers)
                yield from self._collected(waiting, workers)
                time.sleep(LOOK)
        finally:
            for _, future, _ in self._busy.values():
                with suppress(Exception):  # the scheduler may be gone
                    future.cancel()
            (self.chunks.folder / TOKEN).unlink(missing_ok=True)
        failed = {number: said for number, said in self._failures.items() if len(said) > self.retries}
        if failed:
            number, said = min(failed.items())
            raise BackendError(
                f"{len(failed)} of {len(self.manifest.chunks)} chunks failed {self.retries + 1} times, chunk {number} "
                f"on {said[-1]}; the others are kept: mend it, then run the same command again"
            )

    def _order(self, waiting: list[int], workers: set[str]) -> None:
        """Give each idle worker a chunk."""
        for address in sorted(workers - self._busy.keys() - self._refused.keys()):
            if waiting:
                number = waiting.pop()
                order = Order(
                    self.manifest.to_json(), number, str(self.chunks.folder.absolute()), self._token,
                    tuple(self.paths.items()), self.maker,
                )  # fmt: skip
                future = self.client.submit(make, order, workers=[address], pure=False, retries=0)
                self._busy[address] = number, future, time.monotonic()
        if workers and workers <= self._refused.keys():
            raise BackendError(f"no worker can take part: {next(iter(self._refused.values()))}")

    def _collected(self, waiting: list[int], workers: set[str]) -> Iterator[tuple[int, Record]]:
        """Yield what has become whole; put back what failed, and what hangs."""
        for address, (number, future, since) in list(self._busy.items()):
            taken = time.monotonic() - since
            gone = address not in workers
            if future.status == "pending" and not gone and taken <= self._limit(number):
                continue
            del self._busy[address]
            if future.status == "finished":
                made: Made = future.result()
                self._speeds.append(taken / self._frames(number))
                self.watcher.made(made.record.frames)
                yield number, self._kept(made)
            elif gone:
                future.cancel()
                self._put_back(number, f"{address}: the worker went away", waiting)
            elif future.status == "pending":
                self.client.restart_workers([address], raise_for_error=False)
                self._put_back(number, f"{address}: not done after {taken:.0f} s", waiting)
            elif isinstance(error := self._error(future), RefusedError):
                self._refused[address] = str(error)
                self.watcher.says(f"a worker is left out: {error}")
                waiting.append(number)
            else:
                self._put_back(number, f"{address}: {error}", waiting)

    def _error(self, future: Any) -> BaseException:
        return future.exception() if future.status == "error" else ConnectionError("the worker went away")

    def _put_back(self, number: int, said: str, waiting: list[int]) -> None:
        """Let a chunk that a worker did not make be tried again, unless it failed too often."""
        tries = self._failures.setdefault(number, [])
        tries.append(said)
        again = len(tries) <= self.retries
        self.watcher.says(f"chunk {number} failed on {said}{': it is tried again' if again else ''}")
        if again:
            waiting.append(number)

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


@contextmanager
def connected(address: str, tls: Mapping[str, str] | None = None) -> Iterator[Any]:
    """Hand out a client of the Dask scheduler at an address.

    tls
        ``ca``, ``cert`` and ``key`` files, where the scheduler asks for them.  Raises :class:`ArgumentError`.
    """
    distributed = _distributed()
    if address.startswith("tls://") and not tls:
        raise ArgumentError(f"{address} is encrypted: give --tls-ca, --tls-cert and --tls-key")
    try:
        client = distributed.Client(address, security=security(tls), timeout="10s", set_as_default=False)
    except (OSError, ValueError) as error:
        raise ArgumentError(
            f"no Dask scheduler answers at {address} ({error}): start one with `dask scheduler`"
        ) from error
    try:
        yield client
    finally:
        client.close()


@contextmanager
def local_workers(count: int, devices: Sequence[int] | None = None) -> Iterator[Any]:
    """Hand out a client of so many processes on this machine, on the loopback interface alone.

    Processor cores are shared out among them; with ``devices`` each sees one GPU.
    """
    distributed = _distributed()
    with distributed.LocalCluster(
        n_workers=0, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None, memory_limit=0
    ) as cluster:
        cluster.scale(count)
        with distributed.Client(cluster, set_as_default=False) as client:
            client.wait_for_workers(count, timeout=60)
            for place, address in enumerate(client.scheduler_info(n_workers=-1)["workers"]):
                share = None if devices is None else devices[place % len(devices)]
                client.run(take_share, place, count, share, workers=[address])
            yield client


def security(tls: Mapping[str, str] | None) -> Any:
    """Return Dask's settings for TLS with these files; ``None`` for none.  Raises :class:`ArgumentError`."""
    if not tls:
        return None
    for path in map(Path, tls.values()):
        if not path.is_file():
            raise ArgumentError(f"there is no file {path}: TLS needs the authority's, a certificate and its key as PEM")
    return _distributed().Security(
        tls_ca_file=tls["ca"], tls_client_cert=tls["cert"], tls_client_key=tls["key"], tls_worker_cert=tls["cert"],
        tls_worker_key=tls["key"], require_encryption=True,
    )  # fmt: skip


def _distributed() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise ArgumentError(MISSING) from error
    logging.getLogger("distributed").setLevel(logging.ERROR)  # what matters comes as an error of a chunk
    return distributed


def serve(address: str, host: str | None, tls: Mapping[str, str], say: Callable[[str], None]) -> None:
    """Work for a scheduler, in a process that a nurse watches over, until it goes or this process is stopped.

    Raises :class:`OSError` where no scheduler answers.
    """
    distributed = _distributed()

    async def work() -> None:
        async with distributed.Nanny(
            address, nthreads=1, host=host, security=security(tls), memory_limit=0, dashboard=False,
            resources={"GPU": 1}, death_timeout=20,
        ) as nanny:  # fmt: skip
            say(f"works for {address}, and listens at {nanny.worker_address}{'' if tls else ' without encryption'}")
            await nanny.finished()

    with suppress(KeyboardInterrupt):
        asyncio.run(work())
