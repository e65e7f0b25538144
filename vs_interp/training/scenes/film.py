"""Samples of footage: drawing their windows and crops, and reading them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from vs_interp.datasets.footage import Footage
from vs_interp.datasets.windows import Windows, cut_windows, within
from vs_interp.errors import DatasetError
from vs_interp.spec import NetworkSpec
from vs_interp.training.recipe_data import Source

from .shares import draw_by_share

TRIES = 20
"""This many windows are tried for one sample before the data set counts as unreadable."""

DRAWS = 1000
"""So often a window whose frames are smaller than the crop is drawn again."""

LOOKED_AT = 16
"""The frame size of this many sequences is checked when the footage is opened."""


@dataclass(frozen=True)
class Places:
    """Windows and crops of K samples, with C to choose from for each.

    ``sequences``, ``tops``, ``lefts`` and ``times`` are K×C; ``numbers`` are K×C×T, the frames of a window and its
    truths.
    """

    sequences: NDArray[np.int64]
    numbers: NDArray[np.int64]
    tops: NDArray[np.int64]
    lefts: NDArray[np.int64]
    times: NDArray[np.float64]

    def part(self, part: slice) -> Places:
        """Return the places of some of the samples."""
        return Places(*(getattr(self, field.name)[part] for field in fields(self)))


@dataclass(frozen=True)
class Crops:
    """K samples as they were read.

    ``frames`` are K×T×H×W×3 bytes; ``small`` K×N×h×w×3, if the data set has reduced pictures of its own; ``times`` K.
    ``unreadable`` has a message for every window that was replaced by another.
    """

    frames: NDArray[np.uint8]
    small: NDArray[np.uint8] | None
    times: NDArray[np.float64]
    unreadable: tuple[str, ...]


@dataclass(frozen=True)
class Reel:
    """A source of footage, cut into windows.

    crop
        Height and width of a sample.
    windows, shares
        The windows of each gap and place of the truth, and how often each of these sets is drawn.
    """

    source: Source
    footage: Footage
    spec: NetworkSpec
    crop: tuple[int, int]
    windows: tuple[Windows, ...]
    shares: tuple[float, ...]

    @classmethod
    def open(cls, source: Source, footage: Footage, spec: NetworkSpec, crop: tuple[int, int]) -> Reel:
        """Cut footage into windows.  Raises :class:`DatasetError` if it is too short or too small.

        Shrink factors for which the frames are too small are not used.
        """
        sizes = [footage.frame_size(sequence).shape for sequence in range(min(len(footage.lengths), LOOKED_AT))]
        shrinks = {n: share for n, share in source.shrinks.items() if any(_fits(size, crop, n) for size in sizes)}
        if not shrinks:
            (height, width), name = sizes[0], footage.name(0)
            raise DatasetError(
                f"{name} is {width}x{height}, smaller than the crop {crop[1]}x{crop[0]}: make data.crop smaller"
            )
        cuts: list[tuple[Windows, float]] = []
        if spec.takes_time:
            for gap, share in source.gaps.items():
                times = [Fraction(place, gap) for place in range(1, gap)]
                cuts += [(cut_windows(footage, spec, (gap,), (time,)), share / len(times)) for time in times]
        else:
            cuts = [(cut_windows(footage, spec), 1.0)]
        windows = tuple(within(cut, footage, source.part) for cut, _ in cuts)
        shares = tuple(share if len(cut) else 0.0 for cut, (_, share) in zip(windows, cuts, strict=True))
        if not any(shares):
            raise DatasetError(
                f"the part {list(source.part)} of {source.footage} holds no window for {spec.name}: give a larger part"
            )
        return cls(source.model_copy(update={"shrinks": shrinks}), footage, spec, crop, windows, shares)

    def draws(self, origin: Hashable, numbers: Sequence[int]) -> bool:
        """Return whether any of these frames of a sequence, identified by its origin, may be drawn."""
        if origin not in self._sequences:
            return False
        lengths = self.footage.lengths
        first, last = (round(end * sum(lengths)) for end in self.source.part)
        begin = sum(lengths[: self._sequences[origin]])
        return any(first <= begin + number < last for number in numbers)

    @cached_property
    def _sequences(self) -> dict[Hashable, int]:
        return {self.footage.origin(sequence): sequence for sequence in range(len(self.footage.lengths))}

    def draw(self, random: np.random.Generator, count: int, shrink: int) -> Places:
        """Draw windows and crops for ``count`` samples that are to be shrunk by a factor.

        Raises :class:`DatasetError` if no window with frames as large as that is found.
        """
        shape = count, self.source.choices
        found = draw_by_share(random, dict(enumerate(self.shares)), count * self.source.choices)
        random.shuffle(found)
        sequences, starts, sizes = self._drawn(random, found, shrink)
        patterns = [windows.patterns[0] for windows in self.windows]
        offsets = np.array([(*pattern.inputs, *pattern.truths) for pattern in patterns], np.int64)[found]
        times = np.array([float(pattern.time or 0) for pattern in patterns])[found]
        scale = self.spec.output.scale if self.footage.small else 1
        room = (sizes - shrink * np.array(self.crop)) // scale
        tops, lefts = (random.integers(0, room + 1) * scale).T
        numbers = (starts[:, None] + offsets).reshape(*shape, -1)
        return Places(
            sequences.reshape(shape), numbers, tops.reshape(shape), lefts.reshape(shape), times.reshape(shape)
        )

    def _drawn(
        self, random: np.random.Generator, found: NDArray[np.int64], shrink: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Draw a window from each of the sets ``found``: its sequence, its first frame, and its height and width."""
        sequences, starts, sizes = np.empty_like(found), np.empty_like(found), np.empty((len(found), 2), np.int64)
        missing = np.arange(len(found))
        for _ in range(DRAWS):
            for number, windows in enumerate(self.windows):
                here = missing[found[missing] == number]
                if len(here):
                    indices = random.integers(0, len(windows), len(here))
                    sequences[here], starts[here] = windows.sequences[indices], windows.starts[indices]
            sizes[missing] = [self._size(sequence, shrink) for sequence in sequences[missing].tolist()]
            missing = missing[(sizes[missing] < shrink * np.array(self.crop)).any(1)]
            if not len(missing):
                return sequences, starts, sizes
        height, width = self.crop
        raise DatasetError(
            f"{DRAWS} windows of {self.source.footage} in a row are smaller than {shrink * width}x{shrink * height}: "
            "make data.crop smaller, or omit this factor from shrinks"
        )

    def _size(self, sequence: int, shrink: int) -> tuple[int, int]:
        """Return a sequence's height and width; if unknown, those of a crop, so that reading it will say why."""
        try:
            return self.footage.frame_size(sequence).shape
        except DatasetError:
            return shrink * self.crop[0], shrink * self.crop[1]

    def read(self, places: Places, shrink: int, random: np.random.Generator) -> Crops:
        """Read K samples, each from the one of its places with most motion.

        If one cannot be read, another is drawn by ``random`` instead.  Raises :class:`DatasetError` if :data:`TRIES` in
        a row cannot be read.
        """
        unreadable: list[str] = []
        read = [self._one(places.part(slice(k, k + 1)), shrink, random, unreadable) for k in range(len(places.tops))]
        frames, small, times = zip(*read, strict=True)
        return Crops(
            np.stack(frames), None if small[0] is None else np.stack(small), np.array(times), tuple(unreadable)
        )

    def _one(
        self, places: Places, shrink: int, random: np.random.Generator, unreadable: list[str]
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None, float]:
        """Return the frames, the reduced window if there is one, and the time of the best of a sample's places."""
        for _ in range(TRIES):
            try:
                found = [self._frames(places, choice, shrink) for choice in range(places.tops.shape[1])]
            except DatasetError as error:
                unreadable.append(str(error))
                places = self.draw(random, 1, shrink)
                continue
            best = max(range(len(found)), key=lambda choice: _motion(found[choice], len(self.spec.window.offsets)))
            return found[best], self._small(places, best), float(places.times[0, best])
        raise DatasetError(f"{TRIES} windows in a row cannot be read; the last: {unreadable[-1]}")

    def _frames(self, places: Places, choice: int, shrink: int) -> NDArray[np.uint8]:
        sequence, numbers = int(places.sequences[0, choice]), places.numbers[0, choice].tolist()
        top, left = int(places.tops[0, choice]), int(places.lefts[0, choice])
        box = top, left, shrink * self.crop[0], shrink * self.crop[1]
        return self.footage.window(self.spec, sequence, numbers, box)

    def _small(self, places: Places, choice: int) -> NDArray[np.uint8] | None:
        """Return the window in the data set's own reduced pictures, if it has any, for networks that enlarge."""
        scale = self.spec.output.scale
        if self.footage.small is None or scale == 1:
            return None
        numbers = places.numbers[0, choice, : len(self.spec.window.offsets)].tolist()
        corner = int(places.tops[0, choice]) // scale, int(places.lefts[0, choice]) // scale
        box = (*corner, self.crop[0] // scale, self.crop[1] // scale)
        return self.footage.small.frames(int(places.sequences[0, choice]), numbers, box)


def _fits(size: tuple[int, int], crop: tuple[int, int], shrink: int) -> bool:
    return all(shrink * wanted <= side for side, wanted in zip(size, crop, strict=True))


def _motion(frames: NDArray[np.uint8], inputs: int) -> float:
    """Return the mean absolute difference of the first and the last input, over a sixteenth of the pixels."""
    first, last = (frames[index, ::4, ::4].astype(np.int16) for index in (0, inputs - 1))
    return float(np.abs(last - first).mean())
