"""What a data set is to those who train: sequences of consecutive frames, read by number and cut to a box.

No PyTorch here: workers that read frames need NumPy, and Pillow where the frames are picture files.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from vs_interp.errors import DatasetError
from vs_interp.size import Size
from vs_interp.spec import NetworkSpec

Frames = NDArray[np.uint8]
"""N×H×W×3 RGB frames."""

Box = tuple[int, int, int, int]
"""Top, left, height and width of a part of a frame, in pixels."""


class Footage(ABC):
    """Sequences of consecutive frames; within a sequence, all frames have one size and equal distances in time.

    lengths
        How many frames each sequence has.
    small
        The same frames at a lower resolution, where the data set gives both (REDS); else ``None``.
    labels
        What is where in the same frames, as grey pictures of class numbers, where the data set says it; else ``None``.
    """

    lengths: tuple[int, ...]
    small: Footage | None = None
    labels: Footage | None = None

    def window(self, spec: NetworkSpec, sequence: int, numbers: Sequence[int], box: Box) -> Frames:
        """Return the frames of a window, those of the input first, and after them what is to be made of them.

        Raises :class:`DatasetError` where a network makes labels of pictures and the data set has none.
        """
        if spec.output.kind != "labels" or spec.window.labels:
            return self.frames(sequence, numbers, box)
        if self.labels is None:
            raise DatasetError(f"{self.name(sequence)} has no labels, which {spec.name} learns: try scenes:240x160")
        count = len(spec.window.offsets)
        truth = self.labels.frames(sequence, numbers[count:], box)
        return np.concatenate((self.frames(sequence, numbers[:count], box), truth))

    @abstractmethod
    def name(self, sequence: int) -> str:
        """Return what the data set calls a sequence."""

    @abstractmethod
    def frame_size(self, sequence: int) -> Size:
        """Return the size of a sequence's frames.  Raises :class:`DatasetError`."""

    def origin(self, sequence: int) -> Hashable:
        """Return what is equal for the same frames on the disk, whoever opens them; ``None`` for made pictures."""
        return None

    def fingerprint(self) -> str:
        """Return a hash that changes when frames are added, removed or, where that is quick to tell, changed."""
        content = [(self.name(sequence), length) for sequence, length in enumerate(self.lengths)]
        return hashlib.sha256(repr(content).encode()).hexdigest()

    def differences(self, sequence: int) -> NDArray[np.float64] | None:
        """Return the mean absolute differences (0–255) of each frame to the next, or ``None`` where unknown."""
        return None

    def frames(self, sequence: int, numbers: Sequence[int], box: Box | None = None) -> Frames:
        """Return N×H×W×3 RGB frames of a sequence, or the part of them that lies in ``box``.

        Raises :class:`DatasetError` naming the file where a frame cannot be read, and where a number or the box
        lies outside.
        """
        length = self.lengths[sequence]
        if any(not 0 <= number < length for number in numbers):
            raise DatasetError(
                f"{self.name(sequence)} has the frames 0 to {length - 1}, and {list(numbers)} were asked"
            )
        width, height = self.frame_size(sequence)
        top, left, rows, columns = box = box or (0, 0, height, width)
        if min(top, left) < 0 or min(rows, columns) < 1 or top + rows > height or left + columns > width:
            raise DatasetError(
                f"{self.name(sequence)} has frames of {width}x{height}, and {columns}x{rows} at {left}, {top} "
                "lies outside: choose a smaller crop"
            )
        return self._read(sequence, numbers, box)

    def flow(self, sequence: int, number: int) -> NDArray[np.float32] | None:
        """Return by how many pixels each pixel of a frame lies further right and further down in the next: H×W×2.

        NaN where that is not known; ``None`` where the data set does not say it.  Raises :class:`DatasetError`.
        """
        return None

    @abstractmethod
    def _read(self, sequence: int, numbers: Sequence[int], box: Box) -> Frames:
        """Return what :meth:`frames` promises; numbers and box lie within the sequence."""

    def check(self) -> Iterator[str | None]:
        """Read every frame once: yield for each what is wrong with it, or ``None`` where it is good."""
        for sequence, length in enumerate(self.lengths):
            for number in range(length):
                try:
                    self.frames(sequence, [number])
                except DatasetError as error:
                    yield str(error)
                else:
                    yield None
