"""Frames on the device, shared by all slots: neighbouring windows overlap, and each frame is sent only once."""

from __future__ import annotations

import math
import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vs_interp.errors import BackendError

from .base import Picture
from .device import ALIGNMENT, Device, Event, Memory, Stream


@dataclass(frozen=True)
class PictureLayout:
    """Where the planes of a picture lie in one block of memory: one after the other, each aligned.

    shapes
        Height and width of every plane.
    """

    shapes: tuple[tuple[int, int], ...]
    dtype: np.dtype[Any]

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """The size of every plane in bytes."""
        return tuple(math.prod(shape) * self.dtype.itemsize for shape in self.shapes)

    @cached_property
    def offsets(self) -> tuple[int, ...]:
        """The start of every plane in bytes."""
        aligned = [-(-size // ALIGNMENT) * ALIGNMENT for size in self.sizes]
        return tuple(sum(aligned[:plane]) for plane in range(len(aligned)))

    @cached_property
    def size(self) -> int:
        """The size of the block in bytes."""
        return self.offsets[-1] + self.sizes[-1]

    def planes(self, block: NDArray[np.uint8]) -> list[NDArray[Any]]:
        """Return views of the planes in a block of host memory."""
        return [
            block[offset : offset + size].view(self.dtype).reshape(shape)
            for offset, size, shape in zip(self.offsets, self.sizes, self.shapes, strict=True)
        ]


def fill(places: Picture, picture: Picture) -> None:
    """Copy a picture to planes that may be larger, repeating its last column and row to fill them."""
    for place, plane in zip(places, picture, strict=True):
        height, width = plane.shape
        np.copyto(place[:height, :width], plane, casting="no")
        if width < place.shape[1]:
            place[:height, width:] = plane[:, -1:]
        if height < place.shape[0]:
            place[height:] = place[height - 1]


class PinnedPicture:
    """A picture in pinned memory, to be sent to the device or fetched from it."""

    def __init__(self, device: Device, layout: PictureLayout) -> None:
        self.block = device.pinned(layout.size)
        self.planes = layout.planes(self.block)


class StoredFrame:
    """A place for one frame on the device, and the event of the copy that brings it there."""

    def __init__(self, device: Device, layout: PictureLayout) -> None:
        self.memory: Memory = device.allocate(layout.size)
        self.sent: Event = device.event()
        self.key: int | None = None
        self.users = 0
        self.is_submitted = False
        """Whether the copy has been queued in a stream, so that others can wait for :attr:`sent`."""
        self.last_use = 0


class FrameStore:
    """The frames on one device; a new frame replaces the least recently used one.

    A slot borrows all the frames of its window at once.  :meth:`reserve` makes places for every slot's window, so that
    a free one can always be found.  A place is reused only when no slot uses it, and a slot returns its frames only
    when its stream is idle, so that nothing is overwritten while the device reads it.
    """

    def __init__(self, device: Device, layout: PictureLayout) -> None:
        self.device, self.layout = device, layout
        self.frames: list[StoredFrame] = []
        self._changed = threading.Condition()
        self._clock = 0

    @property
    def size(self) -> int:
        """The device memory of all places in bytes."""
        return len(self.frames) * self.layout.size

    def reserve(self, count: int) -> None:
        """Add places for the window of one more slot."""
        self.frames += [StoredFrame(self.device, self.layout) for _ in range(count)]

    def release(self, count: int) -> None:
        """Remove the places of the window of a slot that is closed."""
        with self._changed:
            for frame in sorted((frame for frame in self.frames if not frame.users), key=lambda frame: frame.last_use):
                if count > 0:
                    self.frames.remove(frame)
                    count -= 1

    @contextmanager
    def borrow(
        self, keys: Sequence[int], window: Sequence[Picture], stream: Stream, staging: Sequence[PinnedPicture]
    ) -> Iterator[list[Memory]]:
        """Provide a window's frames in device memory to work that is queued in the stream from now on.

        Frames that are not there yet are sent through ``staging``.  Usually that is one, and always through the same
        pinned memory, which stays in the processor's cache.  At the end this waits for the stream, and others may then
        have the frames' places.
        """
        pictures = dict(zip(keys, window, strict=True))
        frames, missing = self._take(pictures)
        try:
            for place, key in enumerate(missing):
                if place >= len(staging):
                    frames[missing[place - len(staging)]].sent.wait()
                self._send(frames[key], pictures[key], stream, staging[place % len(staging)])
            for key, frame in frames.items():
                if key not in missing:
                    self._await(frame, key)
                    stream.wait(frame.sent)
            yield [frames[key].memory for key in keys]
        finally:
            try:
                stream.synchronise()
            finally:
                self._give_back(frames.values())

    def _take(self, keys: Collection[int]) -> tuple[dict[int, StoredFrame], list[int]]:
        """Return a place for every key, and the keys whose frames must still be sent."""
        with self._changed:
            self._clock += 1
            frames = {frame.key: frame for frame in self.frames if frame.key is not None and frame.key in keys}
            for frame in frames.values():
                frame.users += 1
            missing = [key for key in keys if key not in frames]
            for key in missing:
                frame = min((frame for frame in self.frames if not frame.users), key=lambda frame: frame.last_use)
                frame.key, frame.users, frame.is_submitted = key, 1, False
                frames[key] = frame
            for frame in frames.values():
                frame.last_use = self._clock
            return frames, missing

    def _send(self, frame: StoredFrame, picture: Picture, stream: Stream, staging: PinnedPicture) -> None:
        fill(staging.planes, picture)
        stream.send(frame.memory.address, staging.block)
        stream.record(frame.sent)
        with self._changed:
            frame.is_submitted = True
            self._changed.notify_all()

    def _await(self, frame: StoredFrame, key: int) -> None:
        """Wait until another slot has queued the frame's copy."""
        with self._changed:
            self._changed.wait_for(lambda: frame.is_submitted or frame.key != key)
            if frame.key != key:
                raise BackendError(f"another slot failed to send frame {key} to the device: see its error")

    def _give_back(self, frames: Iterable[StoredFrame]) -> None:
        with self._changed:
            for frame in frames:
                frame.users -= 1
                if not frame.is_submitted:
                    frame.key = None
            self._changed.notify_all()
