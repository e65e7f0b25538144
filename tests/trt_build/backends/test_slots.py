"""Slots, frame store and recordings: the same tests on a simulated device, and on a GPU where there is one."""

from __future__ import annotations

import ctypes
import gc
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests.arithmetic import (
    BINDINGS,
    HEIGHT,
    PLANES,
    NumpyExecutor,
    blank,
    clip,
    cuda_executors,
    expected,
    numpy_executors,
    run,
)
from tests.simulated_device import SimulatedDevice
from trt_build.backends import executor
from trt_build.backends.cuda import CudaDevice, missing_cuda
from trt_build.backends.frames import FrameStore, PictureLayout, PinnedPicture
from trt_build.backends.slots import Slot
from trt_build.backends.streams import open_slots
from vs_interp.errors import BackendError

Opened = Callable[..., list[Slot]]


@pytest.fixture(
    params=[
        "simulated",
        pytest.param(
            "cuda", marks=[pytest.mark.gpu, pytest.mark.skipif(bool(missing_cuda()), reason=str(missing_cuda()))]
        ),
    ]
)
def opened(request: pytest.FixtureRequest) -> Opened:
    """What opens the slots of a device with the network of plain arithmetic."""
    if request.param == "cuda":
        return lambda streams=1, **options: open_slots(
            CudaDevice(0), lambda: cuda_executors(**options), BINDINGS, streams
        )
    return lambda streams=1, **options: open_slots(
        SimulatedDevice(), lambda: numpy_executors(**options), BINDINGS, streams
    )


@pytest.mark.parametrize("capturable", [True, False])
def test_one_slot_makes_every_picture_of_a_window(opened: Opened, capturable: bool) -> None:
    """Every time in order, more times than pinned blocks, no times at all; recorded or not."""
    frames = clip(3)
    (slot,) = opened(capturable=capturable)
    for times in ([0.5], [0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875], [0.25, 0.5], []):
        run(slot, frames, 0, times)
        run(slot, frames, 1, times)


def test_windows_in_any_order_by_all_slots_at_once(opened: Opened) -> None:
    """Many windows on three slots from three threads: no slot reads a frame too early, none overwrites one in use."""
    frames = clip(25)
    slots = opened(streams=3)
    order = np.random.default_rng(3).permutation(24)

    def work(index: int) -> None:
        for number in (*range(index, 24, 3), *order[index::3]):
            run(slots[index], frames, int(number), [0.125, 0.5, 0.875])

    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(work, index) for index in range(3)]:
            done.result()


def test_the_first_and_the_last_window_may_hold_one_frame_twice(opened: Opened) -> None:
    (frame,) = clip(1)
    (slot,) = opened()
    out = [blank()]
    slot.run([frame, frame], [0, 0], [0.5], out)
    for made, wanted in zip(out[0], expected(frame, frame, 0.5), strict=True):
        np.testing.assert_array_equal(made, wanted)


def test_a_picture_of_another_kind_is_refused_and_the_slot_goes_on(opened: Opened) -> None:
    """No silent cast from 10 to 8 bits; what failed leaves the slot usable and its frames free."""
    frames = clip(4)
    (slot,) = opened()
    wide = [plane.astype(np.uint16) for plane in frames[0]]
    for _ in range(3):
        with pytest.raises(TypeError, match="Cannot cast"):
            slot.run([frames[1], wide], [1, 0], [0.5], [blank()])
    run(slot, frames, 0, [0.5])
    run(slot, frames, 2, [0.5])


@pytest.mark.parametrize("slots", [1, 3])
def test_a_frame_is_sent_once_while_its_windows_are_worked_on(slots: int) -> None:
    device = SimulatedDevice()
    frames = clip(13)
    opened = open_slots(device, numpy_executors, BINDINGS, slots)
    with ThreadPoolExecutor(slots) as pool:
        for first in range(0, 12, slots):
            works = [pool.submit(run, opened[i], frames, first + i, [0.5]) for i in range(slots)]
            for work in works:
                work.result()
    assert device.sent == 13


def test_the_state_is_worked_out_once_a_window_and_recordings_are_launched() -> None:
    device = SimulatedDevice()
    plain, recorded = numpy_executors(capturable=False), numpy_executors(capturable=True)
    frames = clip(2)
    for executors in (plain, recorded):
        (slot,) = open_slots(device, lambda made=executors: made, BINDINGS, 1)  # type: ignore[misc]
        run(slot, frames, 0, [0.25, 0.5, 0.75])
    assert (plain.state.enqueued, plain.synthesis.enqueued) == (1 + 1, 1 + 3)  # type: ignore[union-attr, attr-defined]
    assert (recorded.state.enqueued, recorded.synthesis.enqueued) == (2, 2)  # type: ignore[union-attr, attr-defined]


def test_executors_live_as_long_as_their_slot() -> None:
    """A recording refers to the memory of its executor, which Python does not know."""
    slots = open_slots(SimulatedDevice(), numpy_executors, BINDINGS, 1)
    gc.collect()
    living = [thing for thing in gc.get_objects() if type(thing) is NumpyExecutor]
    assert len(living) == 2
    del living[:], slots[:]
    gc.collect()
    assert not [thing for thing in gc.get_objects() if type(thing) is NumpyExecutor]


def test_executors_that_do_not_fit_each_other_or_the_frames_are_refused() -> None:
    """Else the device would write beyond a tensor's end."""
    for name in ("mix", "frame1_plane2"):
        executors = numpy_executors()
        assert isinstance(executors.synthesis, NumpyExecutor)
        executors.synthesis.inputs[name] += 4
        with pytest.raises(BackendError, match=f"the engine's {name} has .* rebuild it"):
            open_slots(SimulatedDevice(), lambda made=executors: made, BINDINGS, 1)  # type: ignore[misc]


def test_what_cannot_be_recorded_is_run_without_a_recording_and_says_so_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It costs the processor much more, and nobody would know why."""
    device = SimulatedDevice()
    device.captures = False
    executor._warn_once.cache_clear()
    slots = open_slots(device, numpy_executors, BINDINGS, 2)
    run(slots[0], clip(2), 0, [0.5, 0.75])
    assert not any(slot.is_captured for slot in slots)
    said = capsys.readouterr().err
    assert said.count("cannot be captured, which costs more processor time: the simulated device records nothing") == 1
    assert all(slot.is_captured for slot in open_slots(SimulatedDevice(), numpy_executors, BINDINGS, 2))


def test_a_failed_upload_is_an_error_for_all_who_wait_for_it_and_then_forgotten() -> None:
    device = SimulatedDevice()
    frames = clip(3)
    first, second = open_slots(device, numpy_executors, BINDINGS, 2)
    device.fails_at = 1
    with pytest.raises(BackendError, match="upload failed"):
        run(first, frames, 0, [0.5])
    run(second, frames, 0, [0.5])
    run(first, frames, 1, [0.5])


def test_who_waits_for_another_slots_upload_hears_of_its_failure() -> None:
    device = SimulatedDevice()
    store = FrameStore(device, PLANES)
    store.reserve(2)
    frames, missing = store._take([5])
    assert missing == [5]
    heard: list[BaseException] = []

    def wait() -> None:
        try:
            with store.borrow([5], clip(1), device.stream(), [PinnedPicture(device, PLANES)]):
                pass
        except BackendError as error:
            heard.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    while frames[5].users < 2:
        pass
    store._give_back(frames.values())
    waiting.join(10)
    assert "frame 5" in str(heard[0])
    assert all(frame.users == 0 for frame in store.frames)


def test_a_window_of_more_frames_than_pinned_blocks_arrives_whole() -> None:
    """A block is packed anew only once the device has taken what was in it."""
    device = SimulatedDevice()
    store, frames = FrameStore(device, PLANES), clip(5)
    store.reserve(5)
    stream, staging = device.stream(), [PinnedPicture(device, PLANES) for _ in range(2)]
    with store.borrow(range(5), frames, stream, staging) as places:
        stream.synchronise()
        for place, frame in zip(places, frames, strict=True):
            block = np.ctypeslib.as_array((ctypes.c_uint8 * PLANES.size).from_address(place.address))
            for made, wanted in zip(PLANES.planes(block), frame, strict=True):
                np.testing.assert_array_equal(made, wanted)


def test_planes_are_laid_out_aligned_and_apart() -> None:
    layout = PictureLayout(((HEIGHT, 33), (3, 5), (3, 5)), np.dtype(np.uint16))
    block = np.zeros(layout.size, np.uint8)
    for value, plane in enumerate(layout.planes(block), 1):
        plane[...] = value
    assert [plane.shape for plane in layout.planes(block)] == [(HEIGHT, 33), (3, 5), (3, 5)]
    assert [int(plane.min()) for plane in layout.planes(block)] == [1, 2, 3]
    assert all(offset % 256 == 0 for offset in layout.offsets)
