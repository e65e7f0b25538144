"""Footage, the interface of a data set: sequences of consecutive frames, read by number and cropped to a box.

It does not need PyTorch: workers that read frames need NumPy, and Pillow if the frames are picture files.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from vs_interp.errors import DatasetError
from vs_interp.label_code import CLASSES
from vs_interp.size import Size
from vs_interp.spec import NetworkSpec

Frames = NDArray[np.uint8]
"""N×H×W×3 RGB frames."""

Box = tuple[int, int, int, int]
"""Top, left, height and width of a part of a frame, in pixels."""


class Footage(ABC):
    """Sequences of consecutive frames; those of a sequence have one size and are equally spaced in time.

    lengths
        The number of frames of each sequence.
    small
        The same frames at a lower resolution, if the data set has both (REDS).
    labels
        The classes of the pixels of the same frames as grey pictures, if the data set has them.
    """

    lengths: tuple[int, ...]
    small: Footage | None = None
    labels: Footage | None = None

    def window(self, spec: NetworkSpec, sequence: int, numbers: Sequence[int], box: Box) -> Frames:
        """Return the frames of a window, first the network's inputs and then what it is to make from them.

        Raises :class:`DatasetError` if the network makes labels from pictures and the data set has none, or if it makes
        labels from labels and is given numbers that are not classes.
        """
        if spec.window.labels:
            labels = (self.labels or self).frames(sequence, numbers, box)
            if labels.max(initial=0) >= CLASSES:
                raise DatasetError(
                    f"{self.name(sequence)} has the label {labels.max()}, but classes are 0 to {CLASSES - 1}: "
                    "use label pictures, such as scene-labels:240x160"
                )
            return labels
        if spec.output.kind != "labels":
            return self.frames(sequence, numbers, box)
        if self.labels is None:
            raise DatasetError(f"{self.name(sequence)} has no labels, which {spec.name} needs: try scenes:240x160")
        count = len(spec.window.offsets)
        truth = self.labels.frames(sequence, numbers[count:], box)
        return np.concatenate((self.frames(sequence, numbers[:count], box), truth))

    @abstractmethod
    def name(self, sequence: int) -> str:
        """Return a sequence's name in the data set."""

    @abstractmethod
    def frame_size(self, sequence: int) -> Size:
        """Return the size of a sequence's frames.  Raises :class:`DatasetError` if it cannot be read."""

    def origin(self, sequence: int) -> Hashable:
        """Return a value that is equal for sequences with the same frames: of the same files, or generated alike."""
        return self.name(sequence)

    def fingerprint(self) -> str:
        """Return a hash that changes if frames are added, removed or (if that is quick to find out) changed."""
        content = [(self.name(sequence), length) for sequence, length in enumerate(self.lengths)]
        return hashlib.sha256(repr(content).encode()).hexdigest()

    def differences(self, sequence: int) -> NDArray[np.float64] | None:
        """Return the mean absolute difference (0–255) of each frame to the next, or ``None`` if unknown."""
        return None

    def frames(self, sequence: int, numbers: Sequence[int], box: Box | None = None) -> Frames:
        """Return frames of a sequence as N×H×W×3 RGB, cropped to ``box`` if one is given.

        Raises :class:`DatasetError` if a frame cannot be read, if there is no frame of a given number, or if the box
        lies partly outside.
        """
        length = self.lengths[sequence]
        if any(not 0 <= number < length for number in numbers):
            raise DatasetError(f"{self.name(sequence)} has the frames 0 to {length - 1}, not all of {list(numbers)}")
        width, height = self.frame_size(sequence)
        top, left, rows, columns = box = box or (0, 0, height, width)
        if min(top, left) < 0 or min(rows, columns) < 1 or top + rows > height or left + columns > width:
            raise DatasetError(
                f"{self.name(sequence)} has frames of {width}x{height}, and {columns}x{rows} at {left}, {top} "
                "lies outside: choose a smaller crop"
            )
        return self._read(sequence, numbers, box)

    def flow(self, sequence: int, number: int) -> NDArray[np.float32] | None:
        """Return the true motion of each pixel of a frame to the next frame: H×W×2 (right, down) in pixels.

        It is NaN where unknown, and ``None`` if the data set has no true flow.  Raises :class:`DatasetError` if it
        cannot be read.
        """
        return None

    @abstractmethod
    def _read(self, sequence: int, numbers: Sequence[int], box: Box) -> Frames:
        """Return what :meth:`frames` does, for numbers and a box that are known to be valid."""

    def check(self) -> Iterator[str | None]:
        """Read every frame once; yield for each what is wrong with it, or ``None`` if nothing is."""
        for sequence, length in enumerate(self.lengths):
            for number in range(length):
                try:
                    self.frames(sequence, [number])
                except DatasetError as error:
                    yield str(error)
                else:
                    yield None
