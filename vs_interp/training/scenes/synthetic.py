"""Synthetic scenes: photographs and cut-out sprites that move over each other, with exact flow and occlusion.

For each time, every layer has an affine map from the canvas to its own pixels; motion is linear in time.  A picture is
rendered by sampling each layer once, so that sub-pixel motion is exact.  Drawing scenes needs only matrices; rendering
is done on the device that holds the photographs, for many scenes at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from vs_interp.training.recipe_data import Source

from .patterns import draw_pattern
from .shares import draw_by_share
from .textures import Numbers, Textures, read_pictures

MOST_SPRITES = 4
"""The most sprites in a scene."""

MARGIN = 2
"""Pixels around a sprite that are cut out with it, so that its edges are soft."""

ROUNDED = 32
"""Parts of pictures are cut in multiples of this many pixels, so that a GPU can reuse memory for few sizes."""

type Reals = NDArray[np.float64]


class Layers(NamedTuple):
    """One layer of K scenes: a picture for each, and its position at each time.

    colours, covers
        Indices of the textures that give colour and coverage (the outline of a sprite); ``covers`` is ``None`` for
        backgrounds.
    maps
        K×T×3×3: canvas pixel → picture pixel (x, y, 1), at each of the scenes' times.
    """

    colours: Numbers
    covers: Numbers | None
    maps: Reals

    def part(self, part: slice) -> Layers:
        """Return the layer of some of the scenes."""
        return Layers(self.colours[part], None if self.covers is None else self.covers[part], self.maps[part])


@dataclass(frozen=True)
class Stock:
    """What the scenes of one source are made of: indices of textures, and the largest motions.

    ``reach`` is the largest shift of the background and of a sprite, in pixels, from time 0 to 1; one of 0 does not
    rotate or zoom either.
    """

    photos: Numbers
    patterns: Numbers
    sprites: Numbers
    reach: tuple[float, float]


@dataclass(frozen=True)
class Scenes:
    """Random scenes of ``height``×``width`` pixels; ``stocks`` are those of a recipe's sources, by number."""

    textures: Textures
    stocks: Mapping[int, Stock]
    height: int
    width: int

    @classmethod
    def open(cls, sources: Mapping[int, Source], height: int, width: int) -> Scenes:
        """Read the pictures and draw the patterns.  Raises :class:`DatasetError` for a folder without pictures."""
        patterns = [draw_pattern(number) for number in range(max(source.patterns for source in sources.values()))]
        folders = {path: None for source in sources.values() for path in (source.photos, source.sprites) if path}
        contents = [patterns, *(read_pictures(path) for path in folders)]
        ends = np.cumsum([len(pictures) for pictures in contents])
        drawn, *read = (np.arange(end - len(pictures), end) for pictures, end in zip(contents, ends, strict=True))
        known = dict(zip(folders, read, strict=True))
        stocks = {
            number: Stock(known[source.photos], drawn[: source.patterns], known[source.sprites], source.reach)
            for number, source in sources.items()
            if source.photos and source.sprites
        }
        return cls(Textures.of([picture for pictures in contents for picture in pictures]), stocks, height, width)

    def to(self, device: torch.device) -> Scenes:
        """Return the same scenes, rendered on ``device``."""
        return replace(self, textures=self.textures.to(device))

    def enlarged(self, factor: int) -> Scenes:
        """Return the same scenes on a canvas ``factor`` times as large, which gives sharp pictures when shrunk."""
        return replace(self, height=self.height * factor, width=self.width * factor)

    def draw(self, random: np.random.Generator, source: int, times: Reals) -> list[Layers]:
        """Return K random scenes of one source at their ``times`` (K×T), by layer from back to front.

        Scenes with most sprites come first: all have a background and a sprite, fewer a second one, and so on.
        """
        stock, count = self.stocks[source], len(times)
        sprites = draw_by_share(random, dict.fromkeys(range(MOST_SPRITES, 0, -1), 1.0), count)
        drawn = (int((sprites > depth).sum()) for depth in range(MOST_SPRITES))
        return [
            self._backgrounds(random, stock, times),
            *(self._sprites(random, stock, times[:number]) for number in drawn if number),
        ]

    def render(self, layers: Sequence[Layers]) -> tuple[Tensor, Tensor]:
        """Return the pictures (K×T×3×H×W in [0, 1]), and the index of the topmost layer at each pixel (K×T×H×W)."""
        background, *sprites = layers
        canvas = self._placed(background)
        top = torch.zeros_like(canvas[:, :, 0], dtype=torch.int64)
        for number, layer in enumerate(sprites, 1):
            placed, first = self._placed(layer), slice(len(layer.maps))
            colour, cover = placed[:, :, :3], placed[:, :, 3:]
            canvas[first] = torch.addcmul(torch.minimum(colour, cover), canvas[first], 1 - cover)
            top[first].masked_fill_(cover[:, :, 0] > 0.5, number)
        return canvas, top

    def flow(self, layers: Sequence[Layers], top: Tensor, moment: int, others: Sequence[int]) -> Tensor:
        """Return the exact flow of the topmost layers (``top``, K×H×W) from one time to others, in pixels: K×2·O×H×W.

        ``moment`` and the O ``others`` are indices of the scenes' times.
        """
        count = len(layers[0].maps)
        moves = np.zeros((len(layers), count, len(others), 2, 3))
        for layer, move in zip(layers, moves, strict=True):
            there = np.linalg.inv(layer.maps[:, others]) @ layer.maps[:, moment, None]
            move[: len(there)] = (there - np.eye(3))[:, :, :2]
        table = torch.from_numpy(moves.reshape(-1, 6 * len(others)).astype(np.float32)).to(top.device)
        scene = torch.arange(count, device=top.device).view(-1, 1, 1)
        found = table[top * count + scene].view(*top.shape, -1, 3).movedim(3, 1)
        rows, columns = self._pixels(top.device)
        return found[..., 0] * columns + (found[..., 1] * rows + found[..., 2])

    def _placed(self, layer: Layers) -> Tensor:
        """Return a layer's pictures on the canvas at each time: K×T×3×H×W, or K×T×4×H×W with coverage."""
        tops, lefts, size = self._part(layer)
        if layer.covers is None:
            part = self.textures.mirrored(layer.colours, tops, lefts, size)
        else:
            part = self.textures.cut_out(layer.colours, layer.covers, tops, lefts, size)
        corner = np.stack((lefts, tops), -1)[:, None, :]
        scaled = layer.maps[:, :, :2].copy()
        scaled[..., 2] += 0.5 - corner
        scaled *= 2 / np.array(size[::-1])[:, None]
        scaled[..., 2] -= 1
        factors = torch.from_numpy(scaled.astype(np.float32)).to(part.device)[:, :, :, None, None]
        rows, columns = self._pixels(part.device)
        places = factors[..., 0] * columns + (factors[..., 1] * rows + factors[..., 2])
        grid = torch.stack(places.unbind(2), -1)
        placed = functional.grid_sample(part, grid.flatten(1, 2), padding_mode="border", align_corners=False)
        return placed.view(*placed.shape[:2], -1, self.height, self.width).transpose(1, 2)

    def _part(self, layer: Layers) -> tuple[Numbers, Numbers, tuple[int, int]]:
        """Return the tops and lefts of the parts of a layer's pictures that are visible at any time, and their size."""
        across, down = self.width - 1.0, self.height - 1.0
        corners = np.array([(0, 0, 1), (across, 0, 1), (0, down, 1), (across, down, 1)]).T
        seen = (layer.maps[:, :, :2] @ corners).transpose(0, 1, 3, 2).reshape(len(layer.maps), -1, 2)
        first, last = np.floor(seen.min(1)), np.ceil(seen.max(1)) + 1
        if layer.covers is not None:
            size = self.textures.common(layer.colours, layer.covers)[:, ::-1]
            first, last = np.clip(first, -MARGIN, size), np.clip(last, 0, size + MARGIN)
        longest = np.maximum((last - first).max(0), 1) // ROUNDED * ROUNDED + ROUNDED
        lefts, tops = first.astype(np.int64).T
        return tops, lefts, (int(longest[1]), int(longest[0]))

    def _pixels(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Return the row numbers (H×1) and column numbers (W) of the canvas."""
        rows, columns = (torch.arange(n, device=device, dtype=torch.float32) for n in (self.height, self.width))
        return rows[:, None], columns

    def _moved(self, random: np.random.Generator, times: Reals, reach: float, place: Reals) -> Reals:
        """Return canvas → picture maps (K×T×3×3) for random motions of up to ``reach`` pixels from time 0 to 1.

        ``place`` (K×3×3) is the map at time 1/2.
        """
        count, turns = len(times), float(reach > 0)
        angle, zoom = (random.normal(0, spread, (count, 1)) * turns for spread in (0.04, 0.03))
        distance, direction = reach * random.beta(1.0, 2.5, (count, 1)), random.uniform(0, 2 * np.pi, (count, 1))
        lag = times - 0.5
        shift = distance * np.cos(direction) * lag, distance * np.sin(direction) * lag
        moves = _similar(angle * lag, np.exp(zoom * lag), shift, (self.width / 2, self.height / 2))
        return np.asarray(place[:, None] @ np.linalg.inv(moves))

    def _backgrounds(self, random: np.random.Generator, stock: Stock, times: Reals) -> Layers:
        count = len(times)
        numbers = random.choice(np.concatenate((stock.photos, stock.patterns)), count)
        zoom = random.uniform(0.8, 1.3, count)
        place = _similar(random.normal(0, 0.1, count), zoom, (0.0, 0.0), (0.0, 0.0))
        for axis, (side, lengths) in enumerate(
            ((self.width, self.textures.widths), (self.height, self.textures.heights))
        ):
            place[:, axis, 2] += random.uniform(0.2, 0.8, count) * np.maximum(0, lengths[numbers] - zoom * side)
        return Layers(numbers, None, self._moved(random, times, stock.reach[0], place))

    def _sprites(self, random: np.random.Generator, stock: Stock, times: Reals) -> Layers:
        count = len(times)
        covers, photos = random.choice(stock.sprites, count), random.choice(stock.photos, count)
        colours = np.where(random.random(count) < 0.5, photos, covers)
        place = _similar(random.uniform(-0.6, 0.6, count), random.uniform(0.9, 2.5, count), (0.0, 0.0), (0.0, 0.0))
        spot = np.stack((random.uniform(0, self.width, count), random.uniform(0, self.height, count)), -1)
        middle = self.textures.common(colours, covers)[:, ::-1] / 2
        place[:, :2, 2] += middle - (place[:, :2, :2] @ spot[:, :, None])[:, :, 0]
        return Layers(colours, covers, self._moved(random, times, stock.reach[1], place))


def _similar(angle: Reals, zoom: Reals, shift: tuple[Any, Any], centre: tuple[float, float]) -> Reals:
    """Return the matrices (…×3×3) that rotate and zoom about ``centre`` (x, y) and then shift."""
    cosine, sine = zoom * np.cos(angle), zoom * np.sin(angle)
    x, y = centre
    matrices = np.zeros((*cosine.shape, 3, 3))
    matrices[..., 0, 0], matrices[..., 0, 1] = cosine, -sine
    matrices[..., 1, 0], matrices[..., 1, 1] = sine, cosine
    matrices[..., 0, 2] = x - cosine * x + sine * y + shift[0]
    matrices[..., 1, 2] = y - sine * x - cosine * y + shift[1]
    matrices[..., 2, 2] = 1
    return matrices
