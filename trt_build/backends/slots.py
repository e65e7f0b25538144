"""Slots: each processes one window at a time on a device, with its own stream, memory and executors."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trt_build.profile import Profile, made_profile
from vs_interp.errors import BackendError
from vs_interp.spec import NetworkSpec

from .base import Picture
from .device import Device, Memory
from .executor import Executor, prepare
from .frames import FrameStore, PictureLayout, PinnedPicture


@dataclass(frozen=True, kw_only=True)
class Bindings:
    """Which tensors of a graph hold the planes of frames and pictures.

    frames
        For every frame of the window, the names of the input tensors that hold its planes.
    outputs
        For every plane, the name of the output tensor that holds it for all pictures of a run, one after the other.
    frame, picture
        Layout of a frame and of a picture.  The clip's planes may be smaller, see
        :func:`~trt_build.backends.frames.fill`.
    takes_time
        Whether a run makes one picture for the tensor ``time``, or all pictures of the window at once.
    network
        The network's name in messages.
    """

    frames: tuple[tuple[str, ...], ...]
    outputs: tuple[str, ...]
    frame: PictureLayout
    picture: PictureLayout
    takes_time: bool
    network: str = "a network"


def bindings(spec: NetworkSpec, profile: Profile) -> Bindings:
    """Return the bindings of graphs made by :func:`trt_build.graphs.colour.planes.with_planes`."""
    planes, made = range(profile.planes.planes), made_profile(spec, profile)
    return Bindings(
        frames=tuple(tuple(f"{frame}_plane{plane}" for plane in planes) for frame in spec.frame_inputs),
        outputs=tuple(f"output_plane{plane}" for plane in range(made.planes.planes)),
        frame=PictureLayout(profile.plane_sizes, profile.planes.dtype),
        picture=PictureLayout(made.plane_sizes, made.planes.dtype),
        takes_time=spec.takes_time,
        network=spec.name,
    )


@dataclass(frozen=True)
class Executors:
    """The executors of one slot.  They never run at the same time, and so share their scratch memory."""

    state: Executor | None
    synthesis: Executor


class Slot:
    """A session on a device; see :class:`~trt_build.backends.base.Session`.

    Frames are copied from the store to fixed places, since captured work holds addresses.  The state stays where the
    state's executor writes it.  Pictures come back through two blocks of pinned memory, so that one can be unpacked
    while the device works on the next; frames are sent through two, so that one can be packed while another is sent.
    """

    def __init__(self, device: Device, store: FrameStore, executors: Executors, bindings: Bindings) -> None:
        self.device, self.store, self.bindings = device, store, bindings
        self._busy = threading.Lock()
        store.reserve(len(bindings.frames))
        self._stream = device.stream()
        self._places: list[Memory] = []
        self._blocks: list[Memory] = []
        self._addresses: dict[str, int] = {}
        self._executors = executors  # captured work does not keep them alive
        self._bind(executors)
        self._times = device.pinned(4).view(np.float32)
        self._sent = [PinnedPicture(device, bindings.frame) for _ in range(min(2, len(bindings.frames)))]
        self._returns = [PinnedPicture(device, bindings.picture) for _ in range(2)]
        self._returned = [device.event() for _ in range(2)]
        state = None if executors.state is None else prepare(executors.state, self._stream)
        synthesis = prepare(executors.synthesis, self._stream)
        self._run_state = None if state is None else state.run
        self._run_synthesis = synthesis.run
        self.is_captured = synthesis.is_captured and (state is None or state.is_captured)
        """Whether all work for the device is captured."""

    @property
    def size(self) -> int:
        """The device memory that the slot has allocated, in bytes; what its executors use in addition is unknown."""
        return sum(memory.size for memory in (*self._places, *self._blocks))

    def _bind(self, executors: Executors) -> None:
        """Allocate and bind every tensor of the executors; tensors of the same name, such as the state's, share it."""
        bindings, sizes = self.bindings, {}
        for names in bindings.frames:
            self._places.append(self.device.allocate(bindings.frame.size))
            for name, offset, size in zip(names, bindings.frame.offsets, bindings.frame.sizes, strict=True):
                self._addresses[name], sizes[name] = self._places[-1].address + offset, size
        both = [executor for executor in (executors.state, executors.synthesis) if executor is not None]
        scratch = self.device.allocate(max(executor.scratch for executor in both))
        self._blocks.append(scratch)
        for executor in both:
            for name, size in {**executor.inputs, **executor.outputs}.items():
                if name not in self._addresses:
                    self._blocks.append(self.device.allocate(size))
                    self._addresses[name], sizes[name] = self._blocks[-1].address, size
                if sizes[name] != size:
                    raise BackendError(f"the engine's {name} has {size} bytes, not {sizes[name]}: rebuild it")
                executor.bind(name, self._addresses[name])
            executor.bind_scratch(scratch.address, scratch.size)

    def run(
        self, window: Sequence[Picture], keys: Sequence[int], times: Sequence[float], out: Sequence[Picture]
    ) -> None:
        """See :class:`~trt_build.backends.base.Session`.  A second thread waits for the first."""
        self.device.activate()
        with self._busy, self.store.borrow(keys, window, self._stream, self._sent) as frames:
            for place, frame in zip(self._places, frames, strict=True):
                self._stream.copy(place.address, frame.address, self.bindings.frame.size)
            if self._run_state is not None:
                self._run_state()
            self._synthesise(times, out)

    def _synthesise(self, times: Sequence[float], out: Sequence[Picture]) -> None:
        """Make the pictures; each is unpacked while the device works on the next."""
        if len(times) > len(self._times):
            self._times = self.device.pinned(4 * len(times)).view(np.float32)
        self._times[: len(times)] = times
        for index in range(len(out)):
            if self.bindings.takes_time:
                self._stream.send(self._addresses["time"], self._times[index : index + 1])
            if self.bindings.takes_time or index == 0:
                self._run_synthesis()
            self._fetch(0 if self.bindings.takes_time else index, index % 2)
            if index:
                self._unpack(out[index - 1], (index - 1) % 2)
        if out:
            self._unpack(out[-1], (len(out) - 1) % 2)

    def _fetch(self, picture: int, side: int) -> None:
        layout = self.bindings.picture
        block = self._returns[side].block
        for name, offset, size in zip(self.bindings.outputs, layout.offsets, layout.sizes, strict=True):
            self._stream.fetch(block[offset : offset + size], self._addresses[name] + picture * size)
        self._stream.record(self._returned[side])

    def _unpack(self, picture: Picture, side: int) -> None:
        self._returned[side].wait()
        for plane, values in zip(picture, self._returns[side].planes, strict=True):
            np.copyto(plane, values[: plane.shape[0], : plane.shape[1]], casting="no")
