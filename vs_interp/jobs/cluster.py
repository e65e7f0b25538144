"""Workers through Dask's ``distributed``: connect to a cluster, start processes on this machine, or be a worker."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing.util
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from vs_interp.errors import ArgumentError, BackendError
from vs_interp.extras import how_to_get
from vs_interp.interrupt import exit_message, on_forced_exit

PATIENCE = 10.0
"""Seconds to wait for a scheduler to answer."""

STARTING = 60
"""Seconds that a worker is given to start, and to find its scheduler."""


@contextmanager
def connected(address: str, tls: Mapping[str, str] | None = None) -> Iterator[Any]:
    """Yield a client of the Dask scheduler at an address, such as ``tcp://host:8786``.

    tls
        The ``ca``, ``cert`` and ``key`` files, if the scheduler's address starts with ``tls://``.

    Raises :class:`ArgumentError` if no scheduler answers, or a file is missing.
    """
    distributed = _distributed()
    _try(distributed, address, tls)
    client = distributed.Client(address, security=security(tls), timeout=PATIENCE, set_as_default=False)
    try:
        yield client
    finally:
        client.close()


@contextmanager
def local_workers(count: int, gpus: Sequence[int] | None = None) -> Iterator[Any]:
    """Yield a client of ``count`` worker processes on this machine, which listen on the loopback interface only.

    The processor cores are divided among them; with ``gpus``, each process sees one of these GPUs.
    """
    distributed = _distributed()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Port 8787 is already in use")  # Dask then takes another
        started = distributed.LocalCluster(
            n_workers=0, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None,
            memory_limit=0, silence_logs=logging.CRITICAL,
        )  # fmt: skip
    with on_forced_exit(_end_processes), started as cluster:
        from .in_dask import Share

        with distributed.Client(cluster, set_as_default=False) as client:
            client.register_plugin(Share(count, gpus))
            cluster.scale(count)
            yield client


def _try(distributed: Any, address: str, tls: Mapping[str, str] | None) -> None:
    """Connect and disconnect; raise :class:`ArgumentError` unless a scheduler answers.

    A client that cannot connect retries in the background and reports the failure in several places; this fails once.
    """
    if address.startswith("tls://") and not tls:
        raise ArgumentError(f"{address} is encrypted: give --tls-ca, --tls-cert and --tls-key")

    secured = security(tls)
    options = secured.get_connection_args("client") if secured else {}

    async def knock() -> None:
        # its own time limit does not hold for what another program answers
        async with asyncio.timeout(PATIENCE + 1):
            comm = await distributed.comm.connect(address, timeout=PATIENCE, **options)
        comm.abort()

    try:
        asyncio.run(knock())
    except Exception as error:  # of any kind, if another program answers
        why, quoted = _why(error), f"{error!r} {error.__cause__!r}"  # some of Dask's errors only quote OpenSSL's
        if "WRONG_VERSION_NUMBER" in quoted or "cannot convert to SSL" in quoted:  # the latter if it speaks first
            raise ArgumentError(
                f"{address} answers without TLS: start the scheduler with its --tls options, or give tcp://"
            ) from error
        if "SSL" in quoted:
            raise ArgumentError(
                f"{address} does not accept these certificates, or has none that is accepted here ({why}): all "
                "machines need valid certificates of one authority"
            ) from error
        raise ArgumentError(
            f"no Dask scheduler answers at {address} ({why}): start one with `dask scheduler`, or correct the address"
        ) from error


def security(tls: Mapping[str, str] | None) -> Any:
    """Return Dask's TLS settings with these files, ``None`` without any.

    Raises :class:`ArgumentError` if a file is missing, or they do not fit together.
    """
    if not tls:
        return None
    for path in map(Path, tls.values()):
        if not path.is_file():
            raise ArgumentError(f"there is no file {path}: TLS needs the authority's, a certificate and its key as PEM")
    settings = _distributed().Security(
        tls_ca_file=tls["ca"], tls_client_cert=tls["cert"], tls_client_key=tls["key"], tls_worker_cert=tls["cert"],
        tls_worker_key=tls["key"], require_encryption=True,
    )  # fmt: skip
    try:
        settings.get_connection_args("client")
    except OSError as error:
        raise ArgumentError(
            f"--tls-cert {tls['cert']}, --tls-key {tls['key']} and --tls-ca {tls['ca']} cannot be used ({_why(error)}):"
            " give a certificate, its own key and the authority's certificate as PEM"
        ) from error
    return settings


def _why(error: BaseException) -> str:
    """Return the text of the error that an error began with, without what Dask, OpenSSL and Python put around it."""
    while isinstance(error.__cause__, Exception):
        error = error.__cause__
    return re.sub(r"^(in <.*>: \w+: )?(\[.*?\] )?| \(_ssl\.c:\d+\)$", "", str(error)) or type(error).__name__


def _distributed() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise ArgumentError(f"chunks on several workers need Dask: {how_to_get('cluster')}") from error
    for name in [name for name in logging.root.manager.loggerDict if name.split(".")[0] == "distributed"]:
        logging.getLogger(name).setLevel(logging.CRITICAL)  # failures are reported as errors of chunks
    return distributed


def serve(address: str, host: str | None, tls: Mapping[str, str], say: Callable[[str], None]) -> None:
    """Work for a scheduler until it disconnects or this process is stopped; ``say`` receives status lines.

    The work is done in a child process, which Dask's ``Nanny`` restarts if it dies.  Raises :class:`ArgumentError` if
    no scheduler answers, :class:`BackendError` if the child process does not start.
    """
    distributed = _distributed()
    _try(distributed, address, tls)

    async def work() -> None:
        nanny = distributed.Nanny(
            address, nthreads=1, host=host, security=security(tls), memory_limit=0, dashboard=False,
            resources={"GPU": 1}, death_timeout=STARTING, silence_logs=logging.CRITICAL,
        )  # fmt: skip
        try:
            await nanny
        except Exception as error:  # Dask raises whatever its own parts do, AssertionError among them
            raise BackendError(
                f"the worker's process did not start within {STARTING} s ({type(error).__name__}): end what keeps this "
                "machine busy, or correct --host, then run the same command again"
            ) from error
        async with nanny:
            say(f"works for {address}, and listens at {nanny.worker_address}{'' if tls else ' without encryption'}")
            await nanny.finished()
            say(f"{address} disconnected: this worker ends")

    with suppress(KeyboardInterrupt), exit_message(f"no longer works for {address}"), on_forced_exit(_end_processes):
        asyncio.run(work())


def _end_processes() -> None:
    """Kill the child processes of multiprocessing and unlink its semaphores, or Python warns of leaks at exit."""
    for process in multiprocessing.active_children():
        process.kill()
    multiprocessing.util._run_finalizers(0)  # type: ignore[attr-defined]
