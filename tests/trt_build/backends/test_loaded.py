"""Engines as the runtime gives them: shapes, memory, errors and the order in which things go, by a stand-in."""

from __future__ import annotations

import gc
import threading

import pytest

from tests.simulated_device import SimulatedDevice
from tests.trt_stand_in import Severity, StandIn, plan
from trt_build.backends.device import DeviceMemoryError
from trt_build.backends.loaded import ContextExecutor, LoadedEngine, PlanError
from trt_build.engines.runtime_log import runtime_log
from vs_interp.errors import BackendError

FREE = (1, 3, -1, -1)
STATE = plan({"frame0": ("input", FREE), "frame1": ("input", FREE), "flow": ("output", (1, 4, -1, -1))}, 1 << 20)
SYNTHESIS = plan({"frame0": ("input", FREE), "flow": ("input", (1, 4, -1, -1)), "output": ("output", FREE)}, 1 << 20)
SHAPES = {"frame0": (1, 3, 8, 16), "frame1": (1, 3, 8, 16), "flow": (1, 4, 8, 16), "time": (1, 1, 1, 1)}
FIXED = plan({"frame0": ("input", (1, 3, 8, 8)), "output": ("output", (1, 3, 8, 8))})


def load(trt: StandIn, **plans: bytes) -> LoadedEngine:
    return LoadedEngine(trt, plans, SHAPES, device=SimulatedDevice())


def test_a_network_with_state_opens_at_any_size() -> None:
    """Its state has a free shape as an output of one plan, where no shape may be set, and as an input of the other."""
    executors = load(StandIn(), state=STATE, synthesis=SYNTHESIS).executors()
    assert executors.state is not None
    assert executors.state.inputs == {"frame0": 768, "frame1": 768}
    assert executors.state.outputs == {"flow": 1024}
    assert executors.synthesis.outputs == {"output": 768}


def test_scratch_memory_is_that_of_the_size_served() -> None:
    executors = load(StandIn(), state=STATE, synthesis=SYNTHESIS).executors()
    assert executors.state is not None and executors.state.scratch == 2 * 2 * 384
    assert load(StandIn(), synthesis=FIXED).executors().synthesis.scratch == 4096


def test_a_size_of_scratch_memory_that_is_not_known_is_an_error() -> None:
    """The runtime says 0; with none, kernels would write where they like."""
    broken = plan({"frame0": ("input", FREE), "output": ("output", FREE)}, 1 << 20, no_size=True)
    with pytest.raises(BackendError, match=r"does not say how much memory .*: .*not all shapes"):
        load(StandIn(), synthesis=broken).executors()


def test_a_free_input_that_nobody_gives_a_shape_is_an_error() -> None:
    with pytest.raises(BackendError, match="the engine takes other in a range of sizes"):
        load(StandIn(), synthesis=plan({"other": ("input", FREE), "output": ("output", FREE)})).executors()


@pytest.mark.parametrize("order", [1, -1])
def test_any_message_decides_that_memory_has_ended(order: int) -> None:
    """Runtimes log the cause before its consequences, or after them."""
    said = ["Error Code 1: Cuda Runtime (out of memory)", "Error Code 2: createContext failed"][::order]
    with pytest.raises(DeviceMemoryError, match=r"no memory left.*\(out of memory\)"):
        load(StandIn(), synthesis=plan({"frame0": ("input", (1, 3, 8, 8))}, no_context=said)).executors()


def test_an_error_of_one_call_is_not_the_next_ones() -> None:
    """An old want of memory would turn any later failure into one."""
    trt = StandIn()
    short = plan({"frame0": ("input", (1, 3, 8, 8))}, no_context=["out of memory"])
    with pytest.raises(DeviceMemoryError):
        load(trt, synthesis=short).executors()
    broken = load(trt, synthesis=plan({"frame0": ("input", (1, 3, 8, 8))}, no_run=["misaligned address"]))
    executor = broken.executors().synthesis
    with pytest.raises(BackendError, match="the engine failed: misaligned address") as raised:
        executor.enqueue(0)
    assert not isinstance(raised.value, DeviceMemoryError)


def test_every_engine_has_the_same_logger_for_good() -> None:
    """TensorRT keeps the first one that it was given, also when its engine is gone."""
    trt = StandIn()
    for _ in range(3):
        load(trt, synthesis=FIXED)
    with pytest.raises(PlanError, match="cannot be read: Error Code 1"):
        load(trt, synthesis=b"no plan")
    assert len(set(map(id, trt.loggers))) == 1
    assert trt.loggers[0] is runtime_log(trt).logger


def test_what_a_context_needs_lives_as_long_and_goes_after_it() -> None:
    trt = StandIn(rtx=True)
    executors = load(trt, state=STATE, synthesis=SYNTHESIS).executors()
    gc.collect()
    assert trt.freed == []
    trt.configs.clear()
    del executors
    gc.collect()
    firsts = {kind: trt.freed.index(kind) for kind in ("config", "cache", "engine", "runtime")}
    last_context = max(index for index, kind in enumerate(trt.freed) if kind == "context")
    assert last_context < min(firsts.values())
    assert firsts["config"] < firsts["cache"] < firsts["engine"] < firsts["runtime"]


def test_memory_is_freed_with_its_gpu_current_in_whatever_thread() -> None:
    activated: list[tuple[int, bool]] = []

    class Watched(SimulatedDevice):
        def activate(self) -> None:
            activated.append((threading.get_ident(), "context" in trt.freed))

    trt = StandIn()
    held = [LoadedEngine(trt, {"synthesis": FIXED}, {}, device=Watched()).executors()]
    activated.clear()
    thread = threading.Thread(target=held.clear)
    thread.start()
    thread.join()
    gc.collect()
    assert trt.freed == ["context", "config", "engine", "runtime"]
    assert activated[0] == (thread.ident, False)


def test_what_a_lost_gpu_had_goes_without_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    """Python would print a traceback for what a destructor raises."""
    device = SimulatedDevice()
    trt = StandIn()
    executors = LoadedEngine(trt, {"synthesis": FIXED}, {}, device=device).executors()
    device.is_lost = True
    del executors
    gc.collect()
    assert trt.freed == ["context", "config", "engine", "runtime"]
    assert capsys.readouterr().err == ""


def test_kernels_that_the_runtime_refuses_are_compiled_anew(capsys: pytest.CaptureFixture[str]) -> None:
    """Of another driver under the same name: the runtime says no, logs an error, and begins an empty cache."""
    trt = StandIn(rtx=True)
    kept = {"synthesis": StandIn.FOREIGN}
    loaded = LoadedEngine(trt, {"synthesis": FIXED}, {}, kept, device=SimulatedDevice())
    assert loaded.kernels() == {"synthesis": b"nothing compiled"}
    assert loaded.executors().synthesis.inputs == {"frame0": 384}
    assert capsys.readouterr().err == ""


def test_rtx_compiles_all_kernels_at_once_so_that_they_can_be_kept() -> None:
    trt = StandIn(rtx=True)
    loaded = LoadedEngine(trt, {"synthesis": FIXED}, {}, {"synthesis": b"compiled before"}, device=SimulatedDevice())
    (config,) = trt.configs
    assert config["dynamic_shapes_kernel_specialization_strategy"] == "eager"
    assert config["cuda_graph_strategy"] == "whole graph"
    assert loaded.kernels() == {"synthesis": b"compiled before"}
    executor = loaded.executors().synthesis
    assert isinstance(executor, ContextExecutor) and not executor.capturable


def test_messages_go_to_the_thread_whose_call_they_are_about(capsys: pytest.CaptureFixture[str]) -> None:
    """Two filters work at once; what a runtime's own thread says is told to all who listen."""
    log = runtime_log(StandIn())
    with log.errors() as mine:
        heard: list[list[str]] = []

        def other() -> None:
            with log.errors() as theirs:
                log.logger.log(Severity.ERROR, "theirs")
                heard.append(theirs)

        for target in (other, lambda: log.logger.log(Severity.ERROR, "the runtime's own thread")):
            thread = threading.Thread(target=target)
            thread.start()
            thread.join()
        log.logger.log(Severity.WARNING, "no error")
        log.logger.log(Severity.ERROR, "mine")
    assert (mine, heard) == (["the runtime's own thread", "mine"], [["theirs"]])
    log.logger.log(Severity.ERROR, "to nobody")
    assert "to nobody" in capsys.readouterr().err
