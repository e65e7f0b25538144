"""How many slots a filter gets on a device, and what gives way when another filter wants memory there."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable, Hashable, Sequence
from typing import Literal

from vs_interp.errors import BackendError
from vs_interp.log import logger

from .base import Picture, Session
from .device import Device, DeviceMemoryError, PinnedMemoryError
from .frames import FrameStore
from .slots import Bindings, Executors, Slot

Streams = int | Literal["auto"]

MOST_STREAMS = 3
"""What ``"auto"`` gives at most: one that computes, one whose copies run meanwhile, a third where it costs little."""

SHARE = 0.5
"""How much of the free memory a second stream may take by itself, and a third an eighth: other filters will follow."""

MIB = 2**20


class Spare:
    """A session beyond the first, which gives its slot's memory back when another filter cannot open without it.

    From then on its windows go to the first slot, one after the other.
    """

    def __init__(self, slot: Slot, first: Slot) -> None:
        self._slot: Slot | None = slot
        self._first, self._busy = first, threading.Lock()

    def run(
        self, window: Sequence[Picture], keys: Sequence[int], times: Sequence[float], out: Sequence[Picture]
    ) -> None:
        """See :class:`~trt_build.backends.base.Session`."""
        with self._busy:
            if self._slot is not None:
                self._slot.run(window, keys, times, out)
                return
        self._first.run(window, keys, times, out)

    @property
    def holds_memory(self) -> bool:
        """Whether it still has its slot."""
        return self._slot is not None

    def give_way(self) -> bool:
        """Free the slot once its window is done; return whether there was one."""
        with self._busy:
            slot, self._slot = self._slot, None
        if slot is not None:
            slot.store.release(len(slot.bindings.frames))
        return slot is not None


class _Filter:
    """What one filter holds on a device: known to those that open after it, for as long as its sessions live."""

    def __init__(self, network: str, sessions: Sequence[Session], size: int) -> None:
        self.network, self.size, self.sessions = network, size, weakref.WeakSet(sessions)

    def give_way(self) -> int:
        """Free all slots that are spare, and return how many those were."""
        return sum(session.give_way() for session in list(self.sessions) if isinstance(session, Spare))

    def __str__(self) -> str:
        count = sum(not isinstance(session, Spare) or session.holds_memory for session in list(self.sessions))
        return f"{self.network} holds {count} stream{'s' * (count > 1)} of {self.size / MIB:.0f} MiB"


_filters: dict[Hashable, list[_Filter]] = {}
"""What is open on each device."""

_opening = threading.RLock()
"""Held while memory is counted: one filter opens at a time."""


def open_slots(device: Device, make: Callable[[], Executors], bindings: Bindings, streams: Streams) -> list[Session]:
    """Return the sessions of a device: as many as asked for, or as its memory and :data:`MOST_STREAMS` allow.

    Where memory ends before, there are fewer, and a warning says so; where it ends before the first, other filters give
    back the streams that they took by themselves.  Raises :class:`~vs_interp.errors.BackendError` where that is not
    enough, with what the others hold.
    """
    with _opening:
        device.activate()
        store = FrameStore(device, bindings.frame)
        before = device.free_memory()
        first = with_room(device, lambda: _slot(device, store, make, bindings))
        after = device.free_memory()
        size = max(before - after, first.size + store.size)  # another program may have freed some meanwhile
        wanted = _affordable(size, after) if streams == "auto" else streams
        more: list[Slot] = []
        while 1 + len(more) < wanted:
            try:
                more.append(_collected(device, lambda: _slot(device, store, make, bindings)))
            except (DeviceMemoryError, PinnedMemoryError) as error:
                logger.warning("GPU %d has memory for %d of %d streams: %s", device.index, 1 + len(more), wanted, error)
                break
        sessions: list[Session] = [first, *(Spare(slot, first) if streams == "auto" else slot for slot in more)]
        _filters[device.identity] = [*_open_on(device), _Filter(bindings.network, sessions, size)]
        return sessions


def with_room[T](device: Device, make: Callable[[], T]) -> T:
    """Return what ``make`` takes a device's memory for and a filter cannot do without.

    Where memory ends, what nobody holds is freed, and then other filters give back the streams that they took by
    themselves.  Raises :class:`~vs_interp.errors.BackendError` where that is not enough, with what the others hold.
    """
    with _opening:
        try:
            return _collected(device, make)
        except (DeviceMemoryError, PinnedMemoryError):
            others = _open_on(device)
        given = sum(each.give_way() for each in others)
        if given:
            logger.warning("GPU %d: other filters gave %d streams back for this one", device.index, given)
        free = device.free_memory()
        try:
            return make()
        except PinnedMemoryError as error:
            raise BackendError(f"{error}: use tiles, a smaller size, or end other programs") from error
        except DeviceMemoryError as error:
            held = f"; in this script {', '.join(map(str, others))}: give it fewer" if others else ""
            raise BackendError(
                f"GPU {device.index} has {free / MIB:.0f} MiB free, too little for one stream: "
                f"use tiles, a smaller size, or end other programs that use it{held}"
            ) from error


def _open_on(device: Device) -> list[_Filter]:
    """Return the filters that are open on a device."""
    return [each for each in _filters.get(device.identity, []) if each.sessions]


def _collected[T](device: Device, make: Callable[[], T]) -> T:
    """Return what ``make`` gives; what nobody holds any more is freed before memory counts as ended.

    VapourSynth's clips leave cycles behind, such as ``clip.frames()``, which keep the filters that they came from.
    """
    try:
        return make()
    except (DeviceMemoryError, PinnedMemoryError):
        pass
    gc.collect()
    device.activate()  # what was freed may have been another device's
    return make()


def _slot(device: Device, store: FrameStore, make: Callable[[], Executors], bindings: Bindings) -> Slot:
    places = len(store.frames)
    try:
        return Slot(device, store, make(), bindings)
    except BaseException:
        store.release(len(store.frames) - places)
        raise


def _affordable(used: int, free: int) -> int:
    """Return how many slots to have, where one has used so many bytes and so many are free."""
    if used > SHARE * free:
        return 1
    return MOST_STREAMS if used <= SHARE / 4 * (free - used) else 2
