"""How many streams a filter gets, and what happens where memory ends; on a simulated device."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.arithmetic import BINDINGS, clip, numpy_executors, run
from tests.simulated_device import SimulatedDevice, SimulatedMemory
from tests.trt_stand_in import StandIn, plan
from trt_build.backends.loaded import LoadedEngine
from trt_build.backends.streams import MOST_STREAMS, open_slots, with_room
from vs_interp.errors import BackendError


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
    assert "closed 1 streams of other filters" in capsys.readouterr().err
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


def test_weights_get_the_memory_of_other_filters_spare_streams(capsys: pytest.CaptureFixture[str]) -> None:
    """They are the first that a filter takes, before any stream of its own."""
    device, trt = SimulatedDevice(capacity=int(used_by_one() * 5)), StandIn()
    trt.room = device.free_memory
    first = open_slots(device, numpy_executors, BINDINGS, "auto")
    assert len(first) == 2
    tensors = {"frame0": ("input", (1, 3, 8, 8)), "output": ("output", (1, 3, 8, 8))}

    def load(weights: int) -> LoadedEngine:
        plans = {"synthesis": plan(tensors, weights=weights)}
        return with_room(device, lambda: LoadedEngine(trt, plans, {}, device=device))

    load(device.free_memory())
    assert not capsys.readouterr().err
    load(device.free_memory() + 1)
    assert "closed 1 streams of other filters" in capsys.readouterr().err
    with pytest.raises(BackendError, match=r"too little for one stream: .*; in this script a network holds 1 stream"):
        load(device.free_memory() + 1)
    run(first[1], clip(3), 1, [0.5])


class Shared(SimulatedDevice):
    """A GPU that another program uses as well: ``theirs`` more bytes (or fewer) from the ``at``-th allocation on."""

    def __init__(self, capacity: int, at: int, theirs: int) -> None:
        super().__init__(capacity)
        self.at, self.theirs, self.allocations = at, theirs, 0

    def allocate(self, size: int) -> SimulatedMemory:
        self.allocations += 1
        if self.allocations == self.at:
            self.used += self.theirs
        return super().allocate(size)


@pytest.mark.parametrize("at", range(1, 12))
def test_what_another_program_takes_meanwhile_costs_streams_and_never_a_filter(at: int) -> None:
    """Two processes that open at once see each other's memory come and go between counting and taking."""
    each = used_by_one()
    grabbed = Shared(int(each * 8), at, int(each * 6.5))
    opened = open_slots(grabbed, numpy_executors, BINDINGS, "auto")
    assert len(opened) == 1
    given = Shared(int(each * 4.5), at, -int(each * 2))
    given.used = int(each * 2)
    opened = open_slots(given, numpy_executors, BINDINGS, "auto")
    assert len(opened) <= 2, "the first stream took what it took, whatever the difference in free memory says"
    run(opened[-1], clip(3), 1, [0.5])


def test_a_program_that_takes_all_memory_meanwhile_leaves_an_error_and_nothing_behind() -> None:
    each = used_by_one()
    for at in range(1, 10):
        device = Shared(int(each * 4), at, int(each * 4))
        with pytest.raises(BackendError, match=r"GPU 0 has -?\d+ MiB free, too little for one stream.*other programs"):
            open_slots(device, numpy_executors, BINDINGS, "auto")
        gc.collect()
        assert device.used == device.theirs
