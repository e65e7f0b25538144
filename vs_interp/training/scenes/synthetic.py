"""Synthetic motion: photographs and cut-out sprites moved over each other, with exact flow and occlusion.

Every layer has an affine map from the canvas to its own pixels for each time, with motion linear in the time; a
picture is rendered at any time by sampling each layer once, so that sub-pixel motion is exact.  A scene is drawn as
matrices alone, wherever; its pictures are rendered on the device that holds the photographs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from vs_interp.errors import DatasetError

from .patterns import draw_pattern

BORDER = 2
"""Empty pixels around a sprite, so that its edges are soft."""


@dataclass(frozen=True)
class Layer:
    """A picture that moves: a photograph, a sprite, or the texture of the one in the outline of the other.

    ``maps``: T×3×3, canvas pixel → picture pixel (x, y, 1), at each of the scene's times.
    """

    photo: int | None
    sprite: int | None
    maps: Tensor


def _load(folder: Path, mode: str) -> list[Tensor]:
    files = sorted(p for p in folder.glob("*") if p.suffix in {".png", ".jpg", ".jpeg"})
    if not files:
        raise DatasetError(f"{folder} holds no pictures: give a folder of .png or .jpg files")
    return [torch.from_numpy(np.array(Image.open(f).convert(mode))).permute(2, 0, 1).contiguous() for f in files]


def _affine(angle: float, zoom: float, shift: tuple[float, float], centre: tuple[float, float]) -> Tensor:
    """Return the matrix that rotates and zooms about ``centre`` (x, y) and then shifts."""
    cosine, sine = zoom * math.cos(angle), zoom * math.sin(angle)
    x, y = centre
    return torch.tensor(
        [
            [cosine, -sine, x - cosine * x + sine * y + shift[0]],
            [sine, cosine, y - sine * x - cosine * y + shift[1]],
            [0.0, 0.0, 1.0],
        ],
        dtype=torch.float64,
    )


@dataclass(frozen=True)
class Scenes:
    """Random scenes of ``height``×``width`` pixels, of photographs (3×h×w bytes) and sprites (4×h×w, with alpha)."""

    photos: list[Tensor]
    sprites: list[Tensor]
    height: int
    width: int
    reach: tuple[float, float] = (40.0, 60.0)
    """Pixels that the background and a sprite move at most from time 0 to 1; with 0 it does not turn either."""
    patterns: int = 0
    """How many at the end of ``photos`` are patterns, which are backgrounds alone."""

    @classmethod
    def open(
        cls, photos: Path, sprites: Path, height: int, width: int, *, reach: tuple[float, float], patterns: int = 0
    ) -> Scenes:
        """Read two folders of pictures and draw patterns.  Raises :class:`DatasetError` for a folder that has none."""
        backgrounds = [*_load(photos, "RGB"), *(draw_pattern(number) for number in range(patterns))]
        return cls(backgrounds, _load(sprites, "RGBA"), height, width, reach, patterns)

    def to(self, device: torch.device) -> Scenes:
        """Return the same scenes, rendered on ``device``."""
        return replace(self, photos=[p.to(device) for p in self.photos], sprites=[s.to(device) for s in self.sprites])

    def enlarged(self, factor: int) -> Scenes:
        """Return the same scenes on a canvas ``factor`` times as large, to be shrunk: sharper than they are sampled."""
        return replace(self, height=self.height * factor, width=self.width * factor)

    def draw(self, random: np.random.Generator, times: Sequence[float]) -> list[Layer]:
        """Return the layers of a random scene, from back to front, with their places at ``times``."""
        return [
            self._background(random, times),
            *(self._sprite(random, times) for _ in range(random.integers(1, 5))),
        ]

    def render(self, layers: Sequence[Layer]) -> tuple[Tensor, Tensor]:
        """Return the T pictures (T×3×H×W in [0, 1]), and the layer on top at every pixel of each (T×H×W)."""
        background, *sprites = layers
        canvas = self._placed(background, "reflection")
        top = torch.zeros(canvas.shape[0], self.height, self.width, dtype=torch.int64, device=canvas.device)
        for number, layer in enumerate(sprites, 1):
            placed = self._placed(layer, "zeros")
            colour, cover = placed[:, :3], placed[:, 3:]
            canvas = canvas * (1 - cover) + (colour / cover.clamp(min=1e-3)).clamp(0, 1) * cover
            top = torch.where(cover[:, 0] > 0.5, number, top)
        return canvas.clamp(0, 1), top

    def flow(self, layers: Sequence[Layer], top: Tensor, moment: int, other: int) -> Tensor:
        """Return the exact flow (2×H×W, pixels) of the topmost layer from one of the times to another."""
        pixels = self._pixels(top.device)
        flow = torch.zeros(2, self.height, self.width, device=top.device)
        for number, layer in enumerate(layers):
            there = (torch.linalg.inv(layer.maps[other]) @ layer.maps[moment]).to(top.device) @ pixels
            move = (there - pixels)[:2].view(2, self.height, self.width).float()
            flow = torch.where(top == number, move, flow)
        return flow

    def _placed(self, layer: Layer, padding: str) -> Tensor:
        """Return a layer's picture where it is at each of its T times: T×3×H×W, or T×4×H×W with its coverage."""
        picture = self._picture(layer)
        height, width = picture.shape[1:]
        columns, rows = (layer.maps.to(picture.device) @ self._pixels(picture.device))[:, :2].unbind(1)
        grid = torch.stack(((columns + 0.5) * 2 / width - 1, (rows + 0.5) * 2 / height - 1), -1).float()
        grid, pictures = grid.view(-1, self.height, self.width, 2), picture.expand(len(grid), -1, -1, -1)
        return functional.grid_sample(pictures, grid, padding_mode=padding, align_corners=False)

    def _pixels(self, device: torch.device) -> Tensor:
        rows, columns = torch.meshgrid(torch.arange(self.height), torch.arange(self.width), indexing="ij")
        return torch.stack((columns, rows, torch.ones_like(rows))).double().view(3, -1).to(device)

    def _picture(self, layer: Layer) -> Tensor:
        """Return a background's 3×h×w, or a sprite's 4×h×w, RGB and coverage, with its border."""
        photo = None if layer.photo is None else self.photos[layer.photo]
        if layer.sprite is None:
            assert photo is not None
            return photo.float() / 255
        sprite = self.sprites[layer.sprite]
        if photo is not None:
            height, width = self._size(layer)
            sprite = torch.cat((photo[:, :height, :width], sprite[3:, :height, :width]))
        return functional.pad(sprite.float() / 255, (BORDER,) * 4)

    def _size(self, layer: Layer) -> tuple[int, int]:
        """Return how many lines and columns a sprite's picture has inside its border: no more than its texture."""
        assert layer.sprite is not None
        pictures = [self.sprites[layer.sprite], *([] if layer.photo is None else [self.photos[layer.photo]])]
        return min(picture.shape[1] for picture in pictures), min(picture.shape[2] for picture in pictures)

    def _motion(self, random: np.random.Generator, times: Sequence[float], reach: float, place: Tensor) -> Tensor:
        """Return the canvas → picture maps for a random motion of up to ``reach`` pixels from time 0 to 1."""
        angle, zoom = random.normal(0, 0.04) * (reach > 0), random.normal(0, 0.03) * (reach > 0)
        distance, direction = reach * random.beta(1.0, 2.5), random.uniform(0, 2 * math.pi)
        shift = distance * math.cos(direction), distance * math.sin(direction)
        centre = self.width / 2, self.height / 2
        maps = []
        for moment in times:
            lag = moment - 0.5
            move = _affine(angle * lag, math.exp(zoom * lag), (shift[0] * lag, shift[1] * lag), centre)
            maps.append(place @ torch.linalg.inv(move))
        return torch.stack(maps)

    def _background(self, random: np.random.Generator, times: Sequence[float]) -> Layer:
        number = int(random.integers(len(self.photos)))
        height, width = self.photos[number].shape[1:]
        zoom = float(random.uniform(0.8, 1.3))
        place = _affine(random.normal(0, 0.1), zoom, (0, 0), (0, 0))
        place[0, 2] += random.uniform(0.2, 0.8) * max(0.0, width - zoom * self.width)
        place[1, 2] += random.uniform(0.2, 0.8) * max(0.0, height - zoom * self.height)
        return Layer(number, None, self._motion(random, times, self.reach[0], place))

    def _sprite(self, random: np.random.Generator, times: Sequence[float]) -> Layer:
        number = int(random.integers(len(self.sprites)))
        texture = int(random.integers(len(self.photos) - self.patterns)) if random.random() < 0.5 else None
        layer = Layer(texture, number, torch.empty(0))
        height, width = self._size(layer)
        place = _affine(random.uniform(-0.6, 0.6), float(random.uniform(0.9, 2.5)), (0, 0), (0, 0))
        spot = torch.tensor([random.uniform(0, self.width), random.uniform(0, self.height), 1.0], dtype=torch.float64)
        place[:2, 2] += (
            torch.tensor([width / 2 + BORDER, height / 2 + BORDER], dtype=torch.float64) - (place @ spot)[:2]
        )
        return replace(layer, maps=self._motion(random, times, self.reach[1], place))
