"""A GPU that goes away while windows are worked on, and more streams than there is memory for."""

from __future__ import annotations

import gc
import threading
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import vapoursynth as vs
from vs_interp.filters import super_slomo

from tests.arithmetic import BINDINGS, SHAPES, numpy_executors
from tests.clips import moving
from tests.filters.test_serve import Blender
from tests.simulated_device import SimulatedDevice
from trt_build.backends.base import Session
from trt_build.backends.pool import SessionPool
from trt_build.backends.streams import open_slots
from trt_build.engines.kept_kernels import KernelCache
from trt_build.engines.targets import Gpu, Target
from vs_interp.errors import BackendError
from vs_interp.films.render import reason_of


def frames() -> list[list[np.ndarray]]:
    return [[np.zeros((height, width), np.uint8) for height, width in SHAPES] for _ in range(2)]


def lose(device: SimulatedDevice) -> list[str]:
    """Work on 400 windows by three slots and eight threads, lose the GPU at the fortieth, and return all errors."""
    pool = SessionPool(open_slots(device, numpy_executors, BINDINGS, 3))
    heard: list[str] = []
    begun = threading.Semaphore(0)

    def work(first: int) -> None:
        for number in range(first, 400, 8):
            begun.release()
            try:
                pool.run(frames(), [number, number + 1], [0.25, 0.5], frames())
            except BackendError as error:
                heard.append(str(error))

    threads = [threading.Thread(target=work, args=(first,)) for first in range(8)]
    for thread in threads:
        thread.start()
    for _ in range(40):
        assert begun.acquire(timeout=20)
    device.is_lost = True
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    return heard


def test_a_gpu_that_disappears_fails_every_window_and_hangs_none() -> None:
    """Those at work, those that wait for a slot, and all that come later hear of it; nothing is held any more."""
    device = SimulatedDevice()
    heard = lose(device)
    assert len(heard) >= 300 and all("is lost" in each or "see its error" in each for each in heard)
    assert all("\n" not in each for each in heard)
    with pytest.raises(BackendError, match="is lost"):
        open_slots(device, numpy_executors, BINDINGS, 1)
    gc.collect()
    assert device.used == 0


def test_a_frame_that_a_gpu_failed_has_its_reason_on_one_line() -> None:
    class Failing(Blender):
        def open(self, *arguments: object) -> list[Session]:
            device = SimulatedDevice()
            sessions = open_slots(device, numpy_executors, BINDINGS, 1)
            device.is_lost = True
            return sessions

    made = super_slomo(moving(vs.YUV420P8, range(3), width=64, height=32), factor=Fraction(2), backend=Failing())
    with pytest.raises(vs.Error) as raised:
        made.get_frame(1)
    assert reason_of(raised.value) == "the simulated GPU is lost"
    assert made.get_frame(2).props["_DurationNum"], "the film's own frames need no GPU"


def test_more_streams_than_there_is_memory_for_are_as_many_as_fit(capsys: pytest.CaptureFixture[str]) -> None:
    device = SimulatedDevice()
    (one,) = open_slots(device, numpy_executors, BINDINGS, 1)
    need = device.used
    small = SimulatedDevice(capacity=need * 7 // 2)
    sessions = open_slots(small, numpy_executors, BINDINGS, 64)
    assert len(sessions) == 3
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "has memory for 3 of 64 streams" in said
    del one


def test_kernels_of_another_driver_are_not_read(tmp_path: Path) -> None:
    """They are kept under a name of their own; so are those of another card."""
    gpu = Gpu(0, "Simulated 4060", Target(8, 9), "13.0")
    KernelCache(tmp_path, "0" * 64, gpu).write({"synthesis": b"kernels"})
    assert KernelCache(tmp_path, "0" * 64, gpu).read(["synthesis"]) == {"synthesis": b"kernels"}
    for other in (Gpu(0, gpu.name, gpu.target, "13.1"), Gpu(0, "Simulated 4070", gpu.target, "13.0")):
        assert KernelCache(tmp_path, "0" * 64, other).read(["synthesis"]) == {}
