"""Fixtures that several files share since they take long to make, and what holds for every test."""

from __future__ import annotations

import atexit
import gc
import hashlib
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import imageio_ffmpeg
import pytest

from vs_interp.films.ffmpeg import find_ffmpeg
from vs_interp.host import cores

from .made_once import keep_in, made_once

if TYPE_CHECKING:
    from vs_interp.networks.flavr import Flavr


def pytest_configure() -> None:
    """Hear Ctrl-C where a shell has it ignored, in the background: commands that tests interrupt would inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers() -> int:
    """Run one process more than there are cores, up to four: many tests wait for a process that they started."""
    return min(4, cores() + 1)


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--published`` asks for the tests of published weights too."""
    parser.addoption("--published", action="store_true", help="also run the tests that fetch published weights")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the tests of published weights out where they are not asked for: the others need no network."""
    if not config.getoption("--published"):
        published = [item for item in items if item.get_closest_marker("published")]  # a keyword may be a case's name
        config.hook.pytest_deselected(items=published)
        items[:] = [item for item in items if item not in published]


def pytest_sessionstart() -> None:
    """Collect no garbage while modules are imported, which is most of what a process does before its first test."""
    gc.disable()


def pytest_collection_finish() -> None:
    """None of what was imported is garbage, so that it is never looked at; nanobind counts what is left at the exit."""
    gc.freeze()
    atexit.register(gc.unfreeze)
    gc.enable()


@pytest.fixture(scope="module", autouse=True)
def old_objects_are_not_looked_at_again() -> None:
    """VapourSynth's ``clip.frames()`` collects garbage, which took half of the suite's time where torch is loaded."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def long_work_is_done_once(tmp_path_factory: pytest.TempPathFactory) -> None:
    """By one of the processes that share a run's tests."""
    keep_in(tmp_path_factory)


@pytest.fixture(scope="session", autouse=True)
def graphs_are_compiled_once() -> Iterator[None]:
    """OpenVINO compiles a graph for a size once a run, not once a test: most of them open the bundled networks."""
    from trt_build.backends import openvino

    compiled: dict[tuple[object, ...], Any] = {}
    genuine = openvino.compiled_graph

    def kept(graph: Any, size: tuple[int, int], device: str, options: dict[str, str]) -> Any:
        content = hashlib.sha256(graph.SerializeToString()).hexdigest()
        key = content, size, device, tuple(sorted(options.items()))
        if key not in compiled:
            if len(compiled) >= 24:
                del compiled[next(iter(compiled))]
            compiled[key] = genuine(graph, size, device, options)
        return compiled[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(openvino, "compiled_graph", kept)
        yield
    compiled.clear()


@pytest.fixture(autouse=True)
def the_signal_stack_stays() -> Iterator[None]:
    """No test leaves another signal stack behind (:mod:`trt_build.backends.signal_stack`): later ones send signals."""
    if sys.platform != "linux":
        yield
        return
    from trt_build.backends.signal_stack import signal_stack

    before = signal_stack()
    yield
    after = signal_stack()
    assert (after.pointer, after.size) == (before.pointer, before.size)


@pytest.fixture(autouse=True)
def messages_are_heard() -> Iterator[None]:
    """No test keeps the next one's messages silent, as ``--quiet`` does for a process."""
    from vs_interp.log import logger

    yield
    logger.setLevel("NOTSET")


@pytest.fixture(autouse=True)
def the_processor_has_no_bfloat(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests give the same everywhere: ``precision="auto"`` is FP32, but for those that are about it."""
    if "has_bfloat" not in request.keywords:
        monkeypatch.setattr("trt_build.backends.openvino.has_bfloat", lambda: False)


@dataclass(frozen=True)
class Exported:
    """A network of random weights, and the model file it was exported to."""

    network: Flavr
    path: Path


@pytest.fixture(scope="session")
def small_flavr(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """FLAVR for 4×, a thirty-second of the published width."""
    import torch

    from trt_build.pytorch.export import export
    from vs_interp.networks.flavr import Flavr, FlavrConfig

    torch.manual_seed(2)
    network = Flavr(FlavrConfig(factor=4, width=2, encoder_bias=True)).eval()
    path = tmp_path_factory.mktemp("flavr") / "flavr-4x.onnx"

    def content() -> bytes:
        export(network, path, overwrite=True)
        return path.read_bytes()

    path.write_bytes(made_once(path.name, content))
    return Exported(network, path)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of photographs and a sprite to train on, which no test changes."""
    from .training_data import write_pictures

    folder = tmp_path_factory.mktemp("pictures")
    write_pictures(folder)
    return folder


@pytest.fixture(params=["imageio", "found"])
def each_ffmpeg(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run with the ffmpeg that pip installs, and with that of this machine where it is another."""
    installed = str(imageio_ffmpeg.get_ffmpeg_exe())
    binary = installed if request.param == "imageio" else find_ffmpeg()
    if request.param == "found" and binary == installed:
        pytest.skip("the only ffmpeg here is the one that pip installs")
    monkeypatch.setenv("VS_INTERP_FFMPEG", binary)
    return binary
