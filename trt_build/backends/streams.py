"""How many slots a filter gets on a device, and which are closed when another filter needs their memory."""

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
"""The most that ``"auto"`` gives: one computes while another copies, and a third helps a little more."""

SHARE = 0.5
"""A second stream may take this share of the free memory, and a third a quarter of it: other filters may follow."""

MIB = 2**20


class Spare:
    """An additional session, which closes its slot when another filter cannot open without that memory.

    From then on its windows go to the first slot.
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
        """Whether its slot is still open."""
        return self._slot is not None

    def give_way(self) -> bool:
        """Close the slot as soon as its window is done; return whether it was open."""
        with self._busy:
            slot, self._slot = self._slot, None
        if slot is not None:
            slot.store.release(len(slot.bindings.frames))
        return slot is not None


class _Filter:
    """The sessions of one filter on a device, registered for filters that open later; it does not keep them alive."""

    def __init__(self, network: str, sessions: Sequence[Session], size: int) -> None:
        self.network, self.size, self.sessions = network, size, weakref.WeakSet(sessions)

    def give_way(self) -> int:
        """Close all spare slots, and return how many these were."""
        return sum(session.give_way() for session in list(self.sessions) if isinstance(session, Spare))

    def __str__(self) -> str:
        count = sum(not isinstance(session, Spare) or session.holds_memory for session in list(self.sessions))
        return f"{self.network} holds {count} stream{'s' * (count > 1)} of {self.size / MIB:.0f} MiB"


_filters: dict[Hashable, list[_Filter]] = {}
"""The filters opened on each device."""

_opening = threading.RLock()
"""Held while a filter opens: free memory is measured before and after, so one opens at a time."""


def open_slots(device: Device, make: Callable[[], Executors], bindings: Bindings, streams: Streams) -> list[Session]:
    """Return new sessions on a device: as many as given by ``streams``, or as its memory allows for ``"auto"``.

    If there is not memory for all, there are fewer, with a warning.  If there is not memory for one, other filters
    close the slots that ``"auto"`` gave them beyond the first.  Raises :class:`~vs_interp.errors.BackendError`, saying
    what other filters hold, if even that is not enough.
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
    """Return what ``make`` does, which needs device memory without which a filter cannot open.

    If memory runs out, garbage is collected, and then other filters close the slots that ``"auto"`` gave them beyond
    the first.  Raises :class:`~vs_interp.errors.BackendError`, saying what other filters hold, if that is not enough.
    """
    with _opening:
        try:
            return _collected(device, make)
        except (DeviceMemoryError, PinnedMemoryError):
            others = _open_on(device)
        closed = sum(each.give_way() for each in others)
        if closed:
            logger.warning("GPU %d: closed %d streams of other filters to make room for this one", device.index, closed)
        free = device.free_memory()
        try:
            return make()
        except PinnedMemoryError as error:
            raise BackendError(f"{error}: use tiles, a smaller size, or end other programs") from error
        except DeviceMemoryError as error:
            held = f"; in this script {', '.join(map(str, others))}: lower its streams=" if others else ""
            raise BackendError(
                f"GPU {device.index} has {free / MIB:.0f} MiB free, too little for one stream: "
                f"use tiles, a smaller size, or end other programs that use it{held}"
            ) from error


def _open_on(device: Device) -> list[_Filter]:
    """Return the filters on a device that still have sessions."""
    return [each for each in _filters.get(device.identity, []) if each.sessions]


def _collected[T](device: Device, make: Callable[[], T]) -> T:
    """Return what ``make`` does; if memory runs out, garbage is collected before the second and last try.

    VapourSynth's clips are often part of reference cycles, for instance through ``clip.frames()``, which keep filters
    and their sessions alive.
    """
    try:
        return make()
    except (DeviceMemoryError, PinnedMemoryError):
        pass
    gc.collect()
    device.activate()  # freeing an object of another device may have changed it
    return make()


def _slot(device: Device, store: FrameStore, make: Callable[[], Executors], bindings: Bindings) -> Slot:
    places = len(store.frames)
    try:
        return Slot(device, store, make(), bindings)
    except BaseException:
        store.release(len(store.frames) - places)
        raise


def _affordable(used: int, free: int) -> int:
    """Return how many slots to open, given the bytes that one uses and those that are then still free."""
    if used > SHARE * free:
        return 1
    return MOST_STREAMS if used <= SHARE / 4 * (free - used) else 2
