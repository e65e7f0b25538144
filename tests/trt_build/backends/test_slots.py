"""Slots, frame store and recordings: the same tests on a simulated device, and on a GPU where there is one."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.arithmetic import BINDINGS, HEIGHT, PLANES, SHAPES, NumpyExecutor, cuda_executors, expected, numpy_executors
from tests.simulated_device import SimulatedDevice
from trt_build.backends import executor
from trt_build.backends.cuda import CudaDevice, missing_cuda
from trt_build.backends.frames import FrameStore, PictureLayout
from trt_build.backends.slots import Slot
from trt_build.backends.streams import MOST_STREAMS, open_slots
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


def clip(length: int) -> list[list[NDArray[np.uint8]]]:
    """Frames of noise whose rows are padded, as VapourSynth's are."""
    random = np.random.default_rng(7)
    return [[random.integers(0, 256, (h, w + 14), np.uint8)[:, :w] for h, w in SHAPES] for _ in range(length)]


def blank() -> list[NDArray[np.uint8]]:
    return [np.zeros((h, w + 14), np.uint8)[:, :w] for h, w in SHAPES]


def run(slot: Slot, frames: list[Any], number: int, times: list[float]) -> None:
    """Work on the window of a frame, and compare every picture byte by byte."""
    out = [blank() for _ in times]
    slot.run([frames[number], frames[number + 1]], [number, number + 1], times, out)
    for time, picture in zip(times, out, strict=True):
        for made, wanted in zip(picture, expected(frames[number], frames[number + 1], time), strict=True):
            np.testing.assert_array_equal(made, wanted)


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
        with pytest.raises(BackendError, match=f"the engine's {name} has .* build it again"):
            open_slots(SimulatedDevice(), lambda made=executors: made, BINDINGS, 1)  # type: ignore[misc]


def test_what_cannot_be_recorded_is_run_without_a_recording_and_says_so_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It costs the processor much more, and nobody would know why."""
    device = SimulatedDevice()
    device.captures = False
    executor._say_once.cache_clear()
    slots = open_slots(device, numpy_executors, BINDINGS, 2)
    run(slots[0], clip(2), 0, [0.5, 0.75])
    assert not any(slot.is_recorded for slot in slots)
    said = capsys.readouterr().err
    assert said.count("cannot be recorded, and costs the processor more: the simulated device records nothing") == 1
    assert all(slot.is_recorded for slot in open_slots(SimulatedDevice(), numpy_executors, BINDINGS, 2))


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
            with store.borrow([5], clip(1), device.stream()):
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


def test_auto_takes_two_streams_a_third_where_it_costs_little_and_one_where_memory_is_short() -> None:
    assert len(open_slots(SimulatedDevice(), numpy_executors, BINDINGS, "auto")) == MOST_STREAMS
    roomy = SimulatedDevice()
    (slot,) = open_slots(roomy, numpy_executors, BINDINGS, 1)
    each = roomy.used
    del slot
    for room, streams in ((2.1, 1), (5, 2), (12, 3)):
        tight = SimulatedDevice(capacity=int(each * room))
        opened = open_slots(tight, numpy_executors, BINDINGS, "auto")
        assert len(opened) == streams
        assert tight.used < each * (streams + 0.1)


def test_a_second_filter_gets_the_memory_of_the_firsts_spare_streams(capsys: pytest.CaptureFixture[str]) -> None:
    """The first took what it liked, and goes on with one stream, whatever session a window is given to."""
    each = used_by_one()
    device = SimulatedDevice(capacity=int(each * 5.5))
    first = open_slots(device, numpy_executors, BINDINGS, "auto")
    assert len(first) == 2
    second = open_slots(device, lambda: numpy_executors(scratch=int(each * 3)), BINDINGS, "auto")
    assert len(second) == 1
    assert "other filters gave 1 streams back" in capsys.readouterr().err
    frames = clip(13)
    with ThreadPoolExecutor(3) as pool:
        works = [
            pool.submit(run, [*first, *second][number % 3], frames, number, [0.25, 0.5]) for number in range(12)
        ]  # fmt: skip
        for work in works:
            work.result()
    del first, second, works
    gc.collect()
    assert device.used == 0


def test_streams_that_were_asked_for_are_kept_and_named_to_the_filter_that_lacks_them() -> None:
    each = used_by_one()
    device = SimulatedDevice(capacity=int(each * 2.5))
    first = open_slots(device, numpy_executors, BINDINGS, 2)
    with pytest.raises(BackendError, match=r"too little for one stream: .*; in this script a network holds 2 streams"):
        open_slots(device, numpy_executors, BINDINGS, "auto")
    run(first[1], clip(3), 1, [0.5])
    del first
    gc.collect()
    assert len(open_slots(device, numpy_executors, BINDINGS, 2)) == 2, "who failed keeps nothing"


def test_what_nobody_holds_is_freed_before_memory_counts_as_ended() -> None:
    """A clip that is gone may have left a cycle behind, as ``clip.frames()`` does."""
    device = SimulatedDevice(capacity=int(used_by_one() * 1.5))
    gc.disable()
    try:
        cycle: list[Any] = [open_slots(device, numpy_executors, BINDINGS, 1)]
        cycle.append(cycle)
        del cycle
        run(*open_slots(device, numpy_executors, BINDINGS, 1), clip(3), 1, [0.5])
    finally:
        gc.enable()


def test_pinned_memory_that_ends_is_called_so(capsys: pytest.CaptureFixture[str]) -> None:
    roomy = SimulatedDevice()
    held = open_slots(roomy, numpy_executors, BINDINGS, 1)
    each = (1 << 30) - roomy.pinnable
    device = SimulatedDevice()
    device.pinnable = int(each * 2.5)
    assert len(open_slots(device, numpy_executors, BINDINGS, 3)) == 2
    assert "memory for 2 of 3 streams: the system gives no more pinned memory" in capsys.readouterr().err
    device.pinnable = each // 2
    with pytest.raises(BackendError, match="no more pinned memory: use tiles"):
        open_slots(device, numpy_executors, BINDINGS, 1)
    assert held


def used_by_one() -> int:
    """Return the bytes of device memory of one stream."""
    device = SimulatedDevice()
    slots = open_slots(device, numpy_executors, BINDINGS, 1)
    used = device.used
    del slots
    return used


def test_memory_that_ends_lowers_the_streams_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    roomy = SimulatedDevice()
    held = open_slots(roomy, numpy_executors, BINDINGS, 1)
    device = SimulatedDevice(capacity=int(roomy.used * 2.5))
    slots = open_slots(device, numpy_executors, BINDINGS, 4)
    assert len(slots) == 2
    assert "memory for 2 of 4 streams" in capsys.readouterr().err
    for number, slot in enumerate(slots):
        run(slot, clip(3), number, [0.5])
    assert held


def test_memory_for_no_stream_at_all_is_an_error_that_says_what_to_do() -> None:
    device = SimulatedDevice(capacity=10_000)
    with pytest.raises(BackendError, match="too little for one stream: use tiles, a smaller size"):
        open_slots(device, numpy_executors, BINDINGS, "auto")
    gc.collect()
    assert device.used == 0


def test_slots_that_go_give_their_memory_back() -> None:
    device = SimulatedDevice()
    slots = open_slots(device, numpy_executors, BINDINGS, 3)
    run(slots[0], clip(2), 0, [0.5])
    assert device.used > 0
    del slots
    gc.collect()
    assert device.used == 0


def test_planes_are_laid_out_aligned_and_apart() -> None:
    layout = PictureLayout(((HEIGHT, 33), (3, 5), (3, 5)), np.dtype(np.uint16))
    block = np.zeros(layout.size, np.uint8)
    for value, plane in enumerate(layout.planes(block), 1):
        plane[...] = value
    assert [plane.shape for plane in layout.planes(block)] == [(HEIGHT, 33), (3, 5), (3, 5)]
    assert [int(plane.min()) for plane in layout.planes(block)] == [1, 2, 3]
    assert all(offset % 256 == 0 for offset in layout.offsets)
