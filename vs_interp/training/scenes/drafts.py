"""Drafts, from which batches are made: draft k depends only on the recipe, its seed and k.

So a resumed run continues exactly, whatever the number of workers, and the processes of a data-parallel run each draw
their share of the batch that a single process would draw.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from vs_interp.datasets.footage import Footage
from vs_interp.datasets.readers import open_footage
from vs_interp.datasets.windows import Window, Windows
from vs_interp.errors import DatasetError
from vs_interp.spec import NetworkSpec
from vs_interp.training.recipe_data import Data

from .changes import Changes
from .film import Crops, Places, Reel
from .shares import draw_by_share
from .synthetic import Layers, Scenes


@dataclass(frozen=True)
class FilmDraft:
    """Samples of one source and one shrink factor.

    film
        The samples as read from disk, or where to read them in a film on the training device.
    still
        Whether all pictures of a sample are to be the same, K.
    """

    source: int
    shrink: int
    film: Crops | Places
    still: NDArray[np.bool_]


@dataclass(frozen=True)
class SceneDraft:
    """Scenes of one source and one shrink factor, by layer; ``times`` (K) are those of their truths."""

    shrink: int
    layers: Sequence[Layers]
    times: NDArray[np.float64]


@dataclass(frozen=True)
class Draft:
    """The data read for a batch and every random choice, before any computation; samples are ordered by group.

    ``noise`` is the seed of the noise of the whole batch; ``part`` is this process's rank and the number of processes.
    """

    films: Sequence[FilmDraft]
    scenes: Sequence[SceneDraft]
    changes: Changes
    noise: int
    part: tuple[int, int] = (0, 1)

    @property
    def unreadable(self) -> tuple[str, ...]:
        """Messages about files that could not be read and were replaced by others."""
        return tuple(text for film in self.films if isinstance(film.film, Crops) for text in film.film.unreadable)


class Drafts(Dataset[Draft]):
    """The drafts of a recipe's data, indexed by step.

    ``rank`` and ``world`` identify this process in a data-parallel run.  Footage of the sources in ``unread`` is not
    read, since it is in the training device's memory.  Raises :class:`DatasetError` for data that is missing or does
    not suit the network.
    """

    def __init__(self, data: Data, spec: NetworkSpec, seed: int, rank: int = 0, world: int = 1) -> None:
        if data.batch % world:
            raise DatasetError(f"data.batch is {data.batch}: make it a multiple of {world}, the number of processes")
        scale = spec.output.scale
        if any(spec.padded(side // scale) * scale != side for side in data.crop):
            raise DatasetError(
                f"data.crop is {list(data.crop)}, which {spec.name} cannot be trained on: make both sides multiples of "
                f"{spec.multiple_of * scale}, at least {spec.padded(1) * scale}"
            )
        spec.check_size(data.crop[1] // scale, data.crop[0] // scale)
        self.data, self.spec, self.seed, self.rank, self.world = data, spec, seed, rank, world
        self.unread: Collection[int] = ()
        width, height = data.crop
        self.footages: dict[str, Footage] = {}
        self.reels: dict[int, Reel] = {}
        for number, source in enumerate(data.source):
            if source.footage is not None and spec.output.kind == "flow":
                raise DatasetError(
                    f"the true flow of {source.footage} is unknown, and {spec.name} learns flow: use photos and sprites"
                )
            if source.footage is not None:
                name = f"{source.footage} ({source.split})"
                if name not in self.footages:
                    self.footages[name] = open_footage(source.footage, source.split)
                self.reels[number] = Reel.open(source, self.footages[name], spec, (height, width))
        made = {number: source for number, source in enumerate(data.source) if source.photos is not None}
        self.scenes = Scenes.open(made, height, width) if made else None
        self.shares = {number: source.share for number, source in enumerate(data.source)}

    def __getitem__(self, step: int) -> Draft:
        random = np.random.default_rng((self.seed, step))
        data, own = self.data, slice(self.rank, None, self.world)
        changes, noise = Changes.draw(random, data.variation, data.batch).part(own), int(random.integers(1 << 62))
        films: list[FilmDraft] = []
        scenes: list[SceneDraft] = []
        first = 0
        for source, shrink, count in self._groups(random):
            part = slice((self.rank - first) % self.world, None, self.world)
            first += count
            if source in self.reels:
                films.append(self._filmed(random, source, shrink, count, part))
            else:
                scenes.append(self._scene(random, source, shrink, count, part))
        films = self._read([film for film in films if len(film.still)], step)
        return Draft(films, [scene for scene in scenes if len(scene.times)], changes, noise, (self.rank, self.world))

    def _groups(self, random: np.random.Generator) -> Iterator[tuple[int, int, int]]:
        """Yield source, shrink factor and number of samples of each group, those of footage first."""
        sources = draw_by_share(random, self.shares, self.data.batch)
        for source in sorted(set(sources.tolist()), key=lambda number: (number not in self.reels, number)):
            by = self.reels[source].source if source in self.reels else self.data.source[source]
            shrinks = draw_by_share(random, by.shrinks, int((sources == source).sum()))
            for shrink in np.unique(shrinks).tolist():
                yield source, shrink, int((shrinks == shrink).sum())

    def _filmed(self, random: np.random.Generator, source: int, shrink: int, count: int, part: slice) -> FilmDraft:
        reel = self.reels[source]
        places = reel.draw(random, count, shrink).part(part)
        return FilmDraft(source, shrink, places, (random.random(count) < reel.source.still)[part])

    def _scene(self, random: np.random.Generator, source: int, shrink: int, count: int, part: slice) -> SceneDraft:
        """Draw scenes at the times of the spec's window and pictures; of any time, 1/2 has a chance of 60 %."""
        assert self.scenes is not None
        fixed = self.spec.output.times
        chosen = np.where(random.random(count) < 0.6, 0.5, random.uniform(0.1, 0.9, count))
        asked = chosen[:, None] if fixed is None else np.tile(fixed, (count, 1))
        times = np.concatenate((np.tile(self.spec.window.offsets, (count, 1)), asked), 1)
        layers = self.scenes.enlarged(shrink).draw(random, source, times)
        own = (layer.part(part) for layer in layers)
        return SceneDraft(shrink, [layer for layer in own if len(layer.maps)], chosen[part])

    def _read(self, films: Sequence[FilmDraft], step: int) -> list[FilmDraft]:
        """Read the films that are not in the training device's memory."""
        random = np.random.default_rng((self.seed, step, self.rank))
        return [
            film
            if film.source in self.unread or isinstance(film.film, Crops)
            else replace(film, film=self.reels[film.source].read(film.film, film.shrink, random))
            for film in films
        ]


def spread(windows: Windows, count: int) -> Sequence[Window]:
    """Return at most ``count`` windows, evenly spread."""
    numbers = np.unique(np.linspace(0, len(windows) - 1, count).round().astype(int))
    return [windows[int(number)] for number in numbers]
