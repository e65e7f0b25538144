"""The pictures of a data set, as inputs for networks and as the truth to compare with."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

import numpy as np

from vs_interp.datasets.footage import Footage
from vs_interp.errors import ArgumentError
from vs_interp.matrices import BT601
from vs_interp.size import Size
from vs_interp.spec import NetworkSpec

from .tasks import FLOW, LABELS, LABELS_TO_COME, Made, Picture, task_of

KEPT = 32
"""How many pictures are kept in memory, as several methods ask for the same ones."""


class Material:
    """The pictures of the data set at an address, as inputs and as the truth.  Thread-safe.

    Frames of more than ``height`` lines are scaled down.  A network of scale S gets the data set's own small frames, or
    the true ones scaled down S times by antialiased bicubic interpolation to 8 bits.  With ``grey``, all pictures are
    BT.601 luma.  Raises :class:`ArgumentError` if data set, network and ``height`` do not go together.
    """

    def __init__(self, address: str, footage: Footage, spec: NetworkSpec, height: int | None, *, grey: bool) -> None:
        self.address, self.footage, self.grey, self.height = address, footage, grey, height
        self.task, self.scale, self.crop = task_of(spec), spec.output.scale, spec.output.crop
        if height is not None and footage.small is not None and self.scale > 1:
            raise ArgumentError(f"{address} has small frames of its own, which would not fit --height {height}")
        if height is not None and self.task in (FLOW, LABELS, LABELS_TO_COME):
            what = "flow" if self.task is FLOW else "labels"
            raise ArgumentError(f"--height {height} would scale the frames but not their true {what}: leave it out")
        _check_scale(footage, spec)
        if self.task is FLOW and footage.flow(0, 0) is None:
            raise ArgumentError(f"{address} has no true flow, which {spec.name} makes: try scenes:320x240")
        if self.task is LABELS and footage.labels is None:
            raise ArgumentError(f"{address} has no labels, which {spec.name} makes: try scenes:240x160")
        self._kept: OrderedDict[tuple[bool, int, int], Made] = OrderedDict()
        self._lock = threading.RLock()
        spec.check_size(*self.input(0, 0).shape[:2])

    def name(self, sequence: int) -> str:
        """Return the data set's name of a sequence."""
        return self.footage.name(sequence)

    def length(self, sequence: int) -> int:
        """Return the number of frames of a sequence."""
        return self.footage.lengths[sequence]

    def truth(self, sequence: int, number: int) -> Made:
        """Return a true frame, or its true flow or labels."""
        return self._keep((True, sequence, number), self._truth)

    def input(self, sequence: int, number: int) -> Picture:
        """Return a frame as input for networks."""
        return self._keep((False, sequence, number), self._frame if self.scale == 1 else self._small)

    def _keep(self, key: tuple[bool, int, int], read: Callable[[int, int], Made]) -> Made:
        if key[0] and self.scale == 1 and self.crop is None and self.task not in (FLOW, LABELS):
            key = (False, *key[1:])  # the truth is the same as an input
        with self._lock:
            if key not in self._kept:
                self._kept[key] = read(*key[1:])
                if len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(key)
            return self._kept[key]

    def _truth(self, sequence: int, number: int) -> Made:
        if self.task is FLOW:
            flow = self.footage.flow(sequence, number)
            assert flow is not None
            return flow
        if self.task is LABELS:
            assert self.footage.labels is not None
            labels: Picture = self.footage.labels.frames(sequence, [number])[0, ..., 0]
            return labels
        return self.seen(self._frame(sequence, number))

    def seen(self, picture: Picture) -> Picture:
        """Return the part of a picture that the network outputs."""
        if self.crop is None:
            return picture
        top, left, height, width = self.crop
        return picture[top : top + height, left : left + width]

    def _frame(self, sequence: int, number: int) -> Picture:
        frame: Picture = self.footage.frames(sequence, [number])[0]
        if self.height is not None and frame.shape[0] > self.height:
            width = round(frame.shape[1] * self.height / frame.shape[0] / 2) * 2
            frame = resized(frame, Size(width, self.height))
        height, width = (length // self.scale * self.scale for length in frame.shape[:2])
        return self._coloured(frame[:height, :width])

    def _small(self, sequence: int, number: int) -> Picture:
        if self.footage.small is not None:
            return self._coloured(self.footage.small.frames(sequence, [number])[0])
        large = self.truth(sequence, number)
        return resized(large, Size(large.shape[1] // self.scale, large.shape[0] // self.scale))

    def _coloured(self, frame: Picture) -> Picture:
        if not self.grey:
            return frame
        grey: Picture = np.round(frame @ np.array(BT601)).astype(np.uint8)
        return grey


def _check_scale(footage: Footage, spec: NetworkSpec) -> None:
    """Raise :class:`ArgumentError` if the data set's own small frames do not fit the model's scale."""
    if footage.small is None or spec.output.scale == 1:
        return
    large, small = footage.frame_size(0), footage.small.frame_size(0)
    if (small.width * spec.output.scale, small.height * spec.output.scale) != large:
        raise ArgumentError(
            f"the data set's small frames are {small} and the others {large}, but {spec.name} "
            f"upscales {spec.output.scale} times: name a model that fits"
        )


def resized(picture: Picture, size: Size, kernel: str = "BICUBIC") -> Picture:
    """Resize a picture with one of Pillow's kernels, antialiased if it shrinks."""
    return np.round(resampled(picture, size, kernel).clip(0, 255)).astype(np.uint8)


def resampled(picture: Made, size: Size, kernel: str = "BICUBIC") -> Made:
    """Resize like :func:`resized`, without rounding: float32."""
    from PIL import Image

    planes = [picture] if picture.ndim == 2 else list(np.moveaxis(picture, 2, 0))
    how = Image.Resampling[kernel]
    made = [np.asarray(Image.fromarray(plane.astype(np.float32)).resize(size, how)) for plane in planes]
    return made[0] if picture.ndim == 2 else np.stack(made, 2)
