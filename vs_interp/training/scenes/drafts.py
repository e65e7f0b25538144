"""The stream of drafts: batch k is a function of the recipe, its seed and k alone.

So a run goes on exactly where it stopped, whatever the number of workers, and the processes of a data-parallel run
each draw their share of the very batch that one process would draw.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from vs_interp.datasets.footage import Footage
from vs_interp.datasets.readers import open_footage
from vs_interp.datasets.windows import Window, Windows, cut_windows
from vs_interp.errors import DatasetError
from vs_interp.spec import NetworkSpec
from vs_interp.training.recipe import Data, Source

from .samples import Change, Draft
from .synthetic import Scenes

TRIES = 20
"""Windows that are tried for one sample before a data set counts as unreadable."""


@dataclass(frozen=True)
class Reel:
    """A source of footage, opened: its windows by gap, and for each gap by the place of the truth."""

    source: Source
    footage: Footage
    windows: dict[int, list[Windows]]

    @classmethod
    def open(cls, source: Source, spec: NetworkSpec) -> Reel:
        """Open the data set and cut it.  Raises :class:`DatasetError` where it is missing or too short."""
        assert source.footage is not None
        footage = open_footage(source.footage, source.split)
        if not spec.takes_time:
            return cls(source, footage, {1: [cut_windows(footage, spec)]})
        windows = {
            gap: [cut_windows(footage, spec, (gap,), (Fraction(place, gap),)) for place in range(1, gap)]
            for gap in source.gaps
        }
        return cls(source, footage, windows)

    def window(self, random: np.random.Generator) -> Window:
        """Draw a window of the source's part, the gap by its share."""
        gap = _choice(random, self.source.gaps) if len(self.windows) > 1 else next(iter(self.windows))
        found = self.windows[gap][int(random.integers(len(self.windows[gap])))]
        first, last = (round(end * len(found)) for end in self.source.part)
        return found[int(random.integers(first, max(last, first + 1)))]


class Drafts(Dataset[list[tuple[int, Draft]]]):
    """Batch k of a recipe's data as drafts with the numbers of their sources.

    ``rank`` and ``world`` name this process of a data-parallel run.
    """

    def __init__(self, data: Data, spec: NetworkSpec, seed: int, rank: int = 0, world: int = 1) -> None:
        if data.batch % world:
            raise DatasetError(f"data.batch is {data.batch}, which {world} processes cannot share: make it a multiple")
        scale = spec.output.scale
        if any(spec.padded(side // scale) * scale != side for side in data.crop):
            raise DatasetError(
                f"data.crop is {list(data.crop)}, which {spec.name} cannot be trained on: make both sides multiples of "
                f"{spec.multiple_of * scale}, at least {spec.padded(1) * scale}"
            )
        self.data, self.spec, self.seed, self.rank, self.world = data, spec, seed, rank, world
        self.scenes: dict[int, Scenes] = {}
        self.reels: dict[int, Reel] = {}
        width, height = data.crop
        for number, source in enumerate(data.source):
            if source.footage is not None:
                self.reels[number] = Reel.open(source, spec)
            else:
                assert source.photos is not None and source.sprites is not None
                self.scenes[number] = Scenes.open(
                    source.photos, source.sprites, height, width, reach=source.reach, patterns=source.patterns
                )
        self.shares = {number: source.share for number, source in enumerate(data.source)}

    def __getitem__(self, step: int) -> list[tuple[int, Draft]]:
        return [
            self._draft(np.random.default_rng((self.seed, step, index)))
            for index in range(self.rank, self.data.batch, self.world)
        ]

    def _draft(self, random: np.random.Generator) -> tuple[int, Draft]:
        number = _choice(random, self.shares)
        change = Change.draw(random, self.data.variation)
        if number in self.reels:
            return number, self._filmed(self.reels[number], random, change)
        return number, self._scene(number, random, change)

    def _scene(self, number: int, random: np.random.Generator, change: Change) -> Draft:
        """Draw a scene at the times of the spec's window and pictures; any time is a half more often than not."""
        shrinks = self.data.source[number].shrinks
        shrink = _choice(random, shrinks) if len(shrinks) > 1 else next(iter(shrinks))
        times, time = self.spec.output.times, 0.0
        if times is None:
            time = 0.5 if random.random() < 0.6 else float(random.uniform(0.1, 0.9))
            times = (time,)
        layers = self.scenes[number].enlarged(shrink).draw(random, (*self.spec.window.offsets, *times))
        return Draft(None, layers, None, shrink, time, change, still=False)

    def _filmed(self, reel: Reel, random: np.random.Generator, change: Change) -> Draft:
        """Crop a window, the one with most motion of a few places; files that cannot be read are passed over."""
        unreadable: list[str] = []
        while len(unreadable) < TRIES:
            try:
                crops = [self._crop(reel, random) for _ in range(reel.source.choices)]
            except DatasetError as error:
                unreadable.append(str(error))
                continue
            frames, small, shrink, time = max(crops, key=lambda crop: _motion(crop[0]))
            still = random.random() < reel.source.still
            return Draft(frames, (), small, shrink, time, change, still, tuple(unreadable))
        raise DatasetError(f"{TRIES} windows in a row cannot be read; the last: {unreadable[-1]}")

    def _crop(self, reel: Reel, random: np.random.Generator) -> tuple[NDArray[np.uint8], Any, int, float]:
        """Return a random crop: the frames of a window and its truth, the small window, how many times to shrink."""
        window, footage = reel.window(random), reel.footage
        size, (width, height) = footage.frame_size(window.sequence), self.data.crop
        room = min(size.height // height, size.width // width)
        fitting = {shrink: share for shrink, share in reel.source.shrinks.items() if shrink <= room}
        if not fitting:
            raise DatasetError(
                f"{footage.name(window.sequence)} is {size}, smaller than the crop {width}x{height}: "
                "make data.crop smaller"
            )
        shrink, scale = _choice(random, fitting), self.spec.output.scale if footage.small else 1
        top, left = (
            int(random.integers(0, (length - shrink * wanted) // scale + 1)) * scale
            for length, wanted in ((size.height, height), (size.width, width))
        )
        numbers = (*window.inputs, *window.truths)
        frames = footage.frames(window.sequence, numbers, (top, left, shrink * height, shrink * width))
        small = None
        if footage.small is not None and scale > 1:
            box = (top // scale, left // scale, height // scale, width // scale)
            small = footage.small.frames(window.sequence, window.inputs, box)
        return frames, small, shrink, float(window.time or 0)


def _choice(random: np.random.Generator, shares: dict[int, float]) -> int:
    weights = np.array(list(shares.values()), np.float64)
    return int(random.choice(list(shares), p=weights / weights.sum()))


def _motion(frames: NDArray[np.uint8]) -> float:
    """Return how much the first and the last input differ: mean absolute difference of a sixteenth of the pixels."""
    first, last = (frames[index, ::4, ::4].astype(np.int16) for index in (0, -2))
    return float(np.abs(last - first).mean())


def spread(windows: Windows, part: tuple[float, float], count: int) -> Sequence[Window]:
    """Return ``count`` windows, evenly chosen from a part of all."""
    first, last = (round(end * len(windows)) for end in part)
    numbers = np.unique(np.linspace(first, max(last - 1, first), count).round().astype(int))
    return [windows[int(number)] for number in numbers]
