"""The pictures of a data set as ``vs-interp evaluate`` shows them to a network, and as they should be."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vs_interp.datasets.footage import Footage
from vs_interp.errors import ArgumentError
from vs_interp.matrices import BT601
from vs_interp.size import Size
from vs_interp.spec import NetworkSpec

Picture = NDArray[np.uint8]
"""Height × width × 3 (RGB), or height × width (luma in the full range) for networks of luma."""

KEPT = 16
"""Pictures that are kept in memory: methods side by side ask for the same ones."""


class Material:
    """The pictures of the data set at an address: as inputs, and as the truth they are to be made into.

    Frames above ``height`` lines are shrunk.  A network of scale S gets the data set's own small frames, or the true
    ones S times smaller by antialiased bicubic shrinking, in 8 bits; a network of luma gets BT.601 luma.  May be asked
    by several threads.  Raises :class:`ArgumentError` where ``height`` is given and the data set has small frames.
    """

    def __init__(self, address: str, footage: Footage, spec: NetworkSpec, height: int | None) -> None:
        if height is not None and footage.small is not None and spec.output.scale > 1:
            raise ArgumentError(f"{address} has small frames of its own, which --height {height} would not fit")
        _check_scale(footage, spec)
        self.address, self.footage = address, footage
        self.scale, self.height = spec.output.scale, height
        self.grey = spec.window.channels == 1
        self.labels = footage.labels if spec.output.kind == "labels" and not spec.window.labels else None
        if spec.output.kind == "labels" and not spec.window.labels and footage.labels is None:
            raise ArgumentError(f"{address} has no labels, which {spec.name} makes: try scenes:240x160")
        self._kept: OrderedDict[tuple[bool, int, int], Picture] = OrderedDict()
        self._lock = threading.RLock()

    def truth(self, sequence: int, number: int) -> Picture:
        """Return a frame as it should be."""
        return self._keep((True, sequence, number), self._truth)

    def input(self, sequence: int, number: int) -> Picture:
        """Return a frame as networks get it.  It has the size of the truth where the network does not enlarge."""
        if self.scale == 1 and self.labels is None:
            return self.truth(sequence, number)
        return self._keep((False, sequence, number), self._small if self.labels is None else self._frame)

    def _keep(self, key: tuple[bool, int, int], read: Callable[[int, int], Picture]) -> Picture:
        with self._lock:
            if key not in self._kept:
                self._kept[key] = read(*key[1:])
                if len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(key)
            return self._kept[key]

    def _truth(self, sequence: int, number: int) -> Picture:
        if self.labels is not None:
            labels: Picture = self.labels.frames(sequence, [number])[0, ..., 0]
            return labels
        return self._frame(sequence, number)

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
    """Raise :class:`ArgumentError` where the data set's own small frames are not those that the model enlarges."""
    if footage.small is None or spec.output.scale == 1:
        return
    large, small = footage.frame_size(0), footage.small.frame_size(0)
    if (small.width * spec.output.scale, small.height * spec.output.scale) != large:
        raise ArgumentError(
            f"the data set's small frames are {small} and the others {large}, and {spec.name} "
            f"enlarges {spec.output.scale} times: name a model that fits"
        )


def resized(picture: Picture, size: Size, kernel: str = "BICUBIC") -> Picture:
    """Return a picture at another size by one of Pillow's kernels, antialiased where it shrinks."""
    from PIL import Image

    planes = [picture] if picture.ndim == 2 else list(np.moveaxis(picture, 2, 0))
    how = Image.Resampling[kernel]
    made = [np.asarray(Image.fromarray(plane.astype(np.float32)).resize(size, how)) for plane in planes]
    whole = made[0] if picture.ndim == 2 else np.stack(made, 2)
    return np.round(whole.clip(0, 255)).astype(np.uint8)
