"""Which chunk goes to whom, and what becomes of those that fail, hang or lose their worker, with real processes."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from vs_interp.errors import BackendError
from vs_interp.jobs.chunk import ChunkFolder
from vs_interp.jobs.plan import Manifest, plan
from vs_interp.jobs.status import Board, Status

from .films import enlargement, make_film

if find_spec("distributed") is None:  # which takes a second to import
    pytest.skip("Dask is not installed", allow_module_level=True)

from vs_interp.jobs import dispatch
from vs_interp.jobs.cluster import local_workers
from vs_interp.jobs.dispatch import Dispatch
from vs_interp.jobs.failures import STRIKES


class Notes:
    """Keeps what a job says, and the last of what it shows."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.most: Status | None = None
        self._then: dict[str, Callable[[], None]] = {}

    def when_said(self, beginning: str, then: Callable[[], None]) -> None:
        """Call ``then`` when a line with this beginning is said."""
        self._then[beginning] = then

    def shows(self, status: Status) -> None:
        if self.most is None or len(status.workers) >= len(self.most.workers):
            self.most = status

    def says(self, line: str) -> None:
        self.lines.append(line)
        for then in (self._then[beginning] for beginning in self._then if line.startswith(beginning)):
            then()

    def joins(self) -> None: ...


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with local_workers(2) as client:
        yield client


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    conversion = enlargement(make_film(tmp_path / "in.mkv", seconds=2), tmp_path / "out.mkv")
    return plan(conversion, conversion.open(), 0.4)


@pytest.fixture
def notes() -> Notes:
    return Notes()


def dispatching(client: Any, manifest: Manifest, notes: Notes, retries: int = 3) -> Dispatch:
    folder = manifest.conversion.output.parent / "job"
    folder.mkdir(exist_ok=True)
    board = Board(folder, manifest.borders, 0, notes)
    return Dispatch(client, manifest, ChunkFolder(folder), board, retries=retries)


def process_of(client: Any, address: str) -> int:
    return int(client.run(os.getpid, workers=[address])[address])


@pytest.mark.slow
def test_every_worker_has_chunks_and_all_frames_are_counted(client: Any, manifest: Manifest, notes: Notes) -> None:
    client.wait_for_workers(2)
    handed_out = dispatching(client, manifest, notes)
    records = dict(handed_out.make(range(5)))
    assert [records[number].frames for number in range(5)] == [10] * 5
    assert notes.most is not None and len(notes.most.workers) == 2
    assert handed_out.board.status.frames == 50 and not handed_out.board.status.workers
    assert not notes.lines


@pytest.mark.slow
def test_a_chunk_that_always_fails_is_named_and_all_others_are_made(
    client: Any, manifest: Manifest, notes: Notes
) -> None:
    handed_out = dispatching(client, manifest, notes, retries=2)
    (handed_out.chunks.film(3) / "in the way").mkdir(parents=True)
    made = []
    with pytest.raises(BackendError, match=r"1 of 5 chunks failed 3 times, chunk 3 on tcp://.*directory.*are kept"):
        made += [number for number, _ in handed_out.make(range(5))]
    assert len(notes.lines) == 3 and all("chunk 3 failed on tcp://" in line for line in notes.lines)
    assert len(list(handed_out.chunks.folder.glob("chunk-*.json"))) == 4


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no process can be stopped there")
def test_a_worker_that_hangs_is_restarted_and_its_chunk_made_by_another(
    client: Any, manifest: Manifest, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One is stopped, as by a drive that does not answer, before it gets its first chunk."""
    client.wait_for_workers(2)
    monkeypatch.setattr(dispatch, "PATIENCE", 3.0)
    first, other = sorted(client.scheduler_info(n_workers=-1)["workers"])
    process = process_of(client, first)
    handed_out = dispatching(client, manifest, notes)
    os.kill(process, signal.SIGSTOP)
    records = dict(handed_out.make(range(5)))
    assert sorted(records) == list(range(5))
    assert any(f"failed on {first}: not done after" in line and "restarted" in line for line in notes.lines)
    assert not any(other in line for line in notes.lines)
    with pytest.raises(ProcessLookupError):
        for _ in range(100):
            os.kill(process, 0)
            time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="files have no limit there")
def test_a_worker_whose_disk_is_full_is_left_out_and_costs_no_chunk(
    client: Any, manifest: Manifest, notes: Notes
) -> None:
    """No process there can write more than a kilobyte, which fails as fast as a full disk, again and again.

    The other worker is stopped meanwhile, or it might make all chunks before the first one has failed often enough.
    """
    client.wait_for_workers(2)
    first, other = sorted(client.scheduler_info(n_workers=-1)["workers"])
    process = process_of(client, other)
    notes.when_said("a worker is left out", lambda: os.kill(process, signal.SIGCONT))
    unlimited = client.run(limit_files, 1000, workers=[first])[first]
    os.kill(process, signal.SIGSTOP)
    try:
        records = dict(dispatching(client, manifest, notes).make(range(len(manifest.chunks))))
    finally:
        os.kill(process, signal.SIGCONT)
        client.run(limit_files, unlimited, workers=[first])
    assert sorted(records) == list(range(len(manifest.chunks)))
    failed = [line for line in notes.lines if line.startswith("chunk")]
    assert len(failed) == STRIKES and all(f"failed on {first}: ffmpeg stopped" in line for line in failed)
    assert "a worker is left out: 3 chunks one after the other failed" in notes.lines[-1]


def limit_files(size: int) -> int:
    """Let this process and its children write files of so many bytes at most; return what it was."""
    import resource

    before, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, most))
    return before


class Overtaken:
    """A client whose own query for no workers, every two seconds, overtakes every second one for all of them."""

    def __init__(self, client: Any) -> None:
        self._client, self._asked = client, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def scheduler_info(self, n_workers: int) -> Any:
        found = self._client.scheduler_info(n_workers=n_workers)
        self._asked += 1
        if self._asked % 2 == 0:
            self._client.sync(self._client._update_scheduler_info)
            return self._client._scheduler_identity
        return found


def test_a_list_of_workers_that_is_not_whole_costs_nobody_a_chunk(
    client: Any, manifest: Manifest, notes: Notes
) -> None:
    numbers = range(len(manifest.chunks))
    assert sorted(dict(dispatching(Overtaken(client), manifest, notes).make(numbers))) == list(numbers)
    assert notes.lines == []
