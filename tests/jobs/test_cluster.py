"""Chunks by several processes and by a Dask cluster: the same film, whoever made it, and whoever died meanwhile."""

from __future__ import annotations

import os
import re
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.command_line import COMMAND, refused, run

from .films import decoded, make_film

if find_spec("distributed") is None:  # which takes a second to import
    pytest.skip("Dask is not installed", allow_module_level=True)

OPTIONS = ("--scale", "2", "--backend", "openvino:threads=1", "--codec", "ffv1", "--chunk", "0.25", "--quiet")


@contextmanager
def running(*command: str | Path) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def scheduling(*more: str) -> Iterator[str]:
    """Run a Dask scheduler on the loopback interface and hand out where it listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port)]
    with running(*command, "--no-dashboard", *more):
        for _ in range(300):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"127.0.0.1:{port}"


@pytest.fixture
def scheduler() -> Iterator[str]:
    with scheduling() as place:
        yield f"tcp://{place}"


@pytest.mark.slow
def test_two_processes_make_the_film_of_one_and_do_not_repeat_its_warnings(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The backend is the default one, which is said where it is not TensorRT."""
    film, whole, output = make_film(tmp_path / "in.mkv"), tmp_path / "whole.mkv", tmp_path / "out.mkv"
    options = ("--scale", "2", "--codec", "ffv1", "--chunk", "0.25")
    assert run("convert", film, whole, *options, "--whole") == 0
    assert run("convert", film, output, *options, "--workers", "2", "--exact") == 0
    assert decoded(output) == decoded(whole)
    assert capfd.readouterr().err.count("running on") <= 1


@pytest.mark.slow
def test_a_worker_that_is_killed_and_one_that_comes_late_change_nothing(tmp_path: Path, scheduler: str) -> None:
    film, whole, output = make_film(tmp_path / "in.mkv"), tmp_path / "whole.mkv", tmp_path / "out.mkv"
    assert run("convert", film, whole, *OPTIONS, "--whole") == 0
    folder = tmp_path / "out.mkv.job"
    converting = running(*COMMAND, "convert", film, output, *OPTIONS, "--cluster", scheduler)
    with running(*COMMAND, "worker", scheduler) as dies, converting as conversion:
        while len(list(folder.glob("chunk-*.json"))) < 2:
            assert conversion.poll() is None
            time.sleep(0.05)
        os.killpg(dies.pid, signal.SIGKILL)
        with running(*COMMAND, "worker", scheduler):
            assert conversion.wait(120) == 0
    assert decoded(output) == decoded(whole)


@pytest.mark.slow
def test_what_was_made_when_the_scheduler_went_away_is_kept(tmp_path: Path) -> None:
    film, output = make_film(tmp_path / "in.mkv"), tmp_path / "out.mkv"
    command = [*COMMAND, "convert", film, output, *OPTIONS, "--cluster"]
    with ExitStack() as stack:
        scheduler = ExitStack()
        address = f"tcp://{scheduler.enter_context(scheduling())}"
        stack.enter_context(running(*COMMAND, "worker", address))
        conversion = stack.enter_context(subprocess.Popen([*command, address], stderr=subprocess.PIPE, text=True))
        while len(list((tmp_path / "out.mkv.job").glob("chunk-*.json"))) < 2:
            assert conversion.poll() is None
            time.sleep(0.05)
        scheduler.close()
        _, said = conversion.communicate(timeout=60)
    assert conversion.returncode == 2
    assert re.fullmatch(
        r"(?:chunk .* disconnected.*\n)*vs-interp: the scheduler disconnected; what is finished .*\n", said
    )
    assert len(list((tmp_path / "out.mkv.job").glob("chunk-*.mkv"))) >= 2
    assert run("convert", film, output, *OPTIONS) == 0
    assert len(decoded(output).times) == 100


def certified(folder: Path) -> tuple[str, ...]:
    """Write certificates for the loopback interface, and return the options that name them."""
    import trustme

    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    ca, cert, key = (folder / name for name in ("ca.pem", "cert.pem", "key.pem"))
    authority.cert_pem.write_to_path(str(ca))
    certificate.cert_chain_pems[0].write_to_path(str(cert))
    certificate.private_key_pem.write_to_path(str(key))
    return "--tls-ca", str(ca), "--tls-cert", str(cert), "--tls-key", str(key)


@pytest.mark.slow
def test_connections_are_encrypted_by_certificates(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import trustme

    film, output, files = make_film(tmp_path / "in.mkv"), tmp_path / "out.mkv", certified(tmp_path)
    with scheduling("--protocol", "tls", "--tls-ca-file", *files[1:]) as place:
        address = f"tls://{place}"
        with running(*COMMAND, "worker", address, *files):
            assert run("convert", film, output, *OPTIONS, "--cluster", address, *files) == 0
        assert len(decoded(output).times) == 100
        again = ("convert", film, output, *OPTIONS, "--overwrite", "--cluster", address)
        assert "is encrypted: give --tls-ca" in refused(capsys, run(*again))
        strangers = trustme.CA().issue_cert("127.0.0.1")
        strangers.cert_chain_pems[0].write_to_path(files[3])
        assert "cannot be used (key values mismatch): give" in refused(capsys, run(*again, *files))
        strangers.private_key_pem.write_to_path(files[5])
        assert f"{address} does not accept these certificates" in refused(capsys, run(*again, *files))


class WebServer(socketserver.BaseRequestHandler):
    """Answers as a web server answers what is not HTTP."""

    def handle(self) -> None:
        self.request.recv(1000)
        self.request.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


class PlainScheduler(socketserver.BaseRequestHandler):
    """Speaks first, as a scheduler without TLS."""

    def handle(self) -> None:
        self.request.sendall(bytes(64))
        self.request.recv(1000)


class Server(socketserver.ThreadingTCPServer):
    """Does not wait at its end for connections that the other side has not closed yet."""

    daemon_threads = True


@contextmanager
def listening(other: type[socketserver.BaseRequestHandler]) -> Iterator[str]:
    """Run a server on the loopback interface, and yield its host and port."""
    with Server(("127.0.0.1", 0), other) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize("other", [None, WebServer, PlainScheduler])
def test_a_scheduler_that_does_not_answer_is_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    other: type[socketserver.BaseRequestHandler] | None,
) -> None:
    """Nor one that is another program, whose answers Dask would wait for without end."""
    monkeypatch.setattr("vs_interp.jobs.cluster.PATIENCE", 0.5)
    film = make_film(tmp_path / "in.mkv")
    with listening(other) if other else nullcontext("127.0.0.1:9") as place:
        said = refused(capsys, run("convert", film, tmp_path / "out.mkv", *OPTIONS, "--cluster", f"tcp://{place}"))
    assert f"no Dask scheduler answers at tcp://{place} (" in said


@pytest.mark.parametrize("other", [WebServer, PlainScheduler])
def test_certificates_are_not_blamed_where_nothing_is_encrypted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], other: type[socketserver.BaseRequestHandler]
) -> None:
    film, files = make_film(tmp_path / "in.mkv"), certified(tmp_path)
    with listening(other) as place:
        address = f"tls://{place}"
        said = refused(capsys, run("convert", film, tmp_path / "out.mkv", *OPTIONS, "--cluster", address, *files))
    assert f"{address} answers without TLS: start the scheduler with its --tls options, or give tcp://" in said


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--workers", "2", "--cluster", "tcp://x"), "give one of them"),
        (("--workers", "2", "--whole"), "leave out --workers"),
        (("--workers", "0"), "'0' is not a number of workers: give 1 or more, or auto"),
        (("--map", "nowhere"), "give it as /here=/there"),
        (("--tls-ca", __file__), "TLS needs"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], told: str
) -> None:
    assert told in refused(capsys, run("convert", tmp_path / "in.mkv", tmp_path / "out.mkv", *OPTIONS, *options))
