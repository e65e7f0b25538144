"""Synthetic motion: photographs and cut-out sprites moved over each other, with exact flow and occlusion.

Every layer has an affine map from the canvas to its own pixels for each time, with motion linear in the time; a
picture is rendered at any time by sampling each layer once, so that sub-pixel motion is exact.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from ..errors import DatasetError


class Sample(NamedTuple):
    """One training window: two frames, the frame between them and what is known of the motion.

    ``frame0``, ``frame1``, ``truth``: 3×H×W in [0, 1]; ``time``: in (0, 1); ``flow``: 4×H×W, pixels from the time to
    both frames; ``doubt``: 1×H×W, how far (mean absolute difference) the picture made with ``flow`` is off.
    """

    frame0: Tensor
    frame1: Tensor
    truth: Tensor
    time: float
    flow: Tensor | None
    doubt: Tensor | None


class _Layer(NamedTuple):
    picture: Tensor
    """4×h×w, RGB and coverage."""
    maps: tuple[Tensor, Tensor, Tensor]
    """3×3 matrices, canvas pixel → picture pixel, at the times 0, t and 1."""


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


class Scenes:
    """Draws random scenes from a folder of photographs and a folder of sprites with alpha."""

    def __init__(self, photos: Path, sprites: Path, height: int, width: int) -> None:
        self.photos = _load(photos, "RGB")
        self.sprites = _load(sprites, "RGBA")
        self.height, self.width = height, width
        rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        self.pixels = torch.stack((columns, rows, torch.ones_like(rows))).double().view(3, -1)

    def draw(self, random: np.random.Generator) -> Sample:
        """Return one random window, flow and occlusion exact."""
        time = 0.5 if random.random() < 0.6 else float(random.uniform(0.1, 0.9))
        layers = [self._background(random, time)]
        layers += [self._sprite(random, time) for _ in range(random.integers(1, 5))]
        frame0, frame1 = self._render(layers, 0)[0], self._render(layers, 2)[0]
        truth, top = self._render(layers, 1)
        flow = self._flow(layers, top)
        return Sample(frame0, frame1, truth, time, flow, torch.zeros(1, self.height, self.width))

    def _motion(self, random: np.random.Generator, time: float, reach: float, place: Tensor) -> tuple[Tensor, ...]:
        """Return the canvas → picture maps at 0, t and 1 for a random motion of up to ``reach`` pixels."""
        angle, zoom = random.normal(0, 0.04), random.normal(0, 0.03)
        distance, direction = reach * random.beta(1.0, 2.5), random.uniform(0, 2 * math.pi)
        shift = distance * math.cos(direction), distance * math.sin(direction)
        centre = self.width / 2, self.height / 2
        maps = []
        for moment in (0.0, time, 1.0):
            lag = moment - 0.5
            move = _affine(angle * lag, math.exp(zoom * lag), (shift[0] * lag, shift[1] * lag), centre)
            maps.append(place @ torch.linalg.inv(move))
        return tuple(maps)

    def _background(self, random: np.random.Generator, time: float) -> _Layer:
        photo = self.photos[random.integers(len(self.photos))].float() / 255
        zoom = float(random.uniform(0.8, 1.3))
        place = _affine(random.normal(0, 0.1), zoom, (0, 0), (0, 0))
        place[0, 2] += random.uniform(0.2, 0.8) * max(0.0, photo.shape[2] - zoom * self.width)
        place[1, 2] += random.uniform(0.2, 0.8) * max(0.0, photo.shape[1] - zoom * self.height)
        opaque = torch.cat((photo, torch.ones_like(photo[:1])))
        return _Layer(opaque, self._motion(random, time, 40.0, place))  # type: ignore[arg-type]

    def _sprite(self, random: np.random.Generator, time: float) -> _Layer:
        sprite = self.sprites[random.integers(len(self.sprites))].float() / 255
        if random.random() < 0.5:  # the texture of a photograph in the outline of the sprite
            photo = self.photos[random.integers(len(self.photos))].float() / 255
            height, width = min(photo.shape[1], sprite.shape[1]), min(photo.shape[2], sprite.shape[2])
            sprite = torch.cat((photo[:, :height, :width], sprite[3:, :height, :width]))
        sprite = functional.pad(sprite, (2, 2, 2, 2))
        zoom = float(random.uniform(0.9, 2.5))
        place = _affine(random.uniform(-0.6, 0.6), zoom, (0, 0), (0, 0))
        spot = torch.tensor([random.uniform(0, self.width), random.uniform(0, self.height), 1.0], dtype=torch.float64)
        middle = torch.tensor([sprite.shape[2] / 2, sprite.shape[1] / 2], dtype=torch.float64)
        place[:2, 2] += middle - (place @ spot)[:2]
        return _Layer(sprite, self._motion(random, time, 60.0, place))  # type: ignore[arg-type]

    def _render(self, layers: list[_Layer], moment: int) -> tuple[Tensor, Tensor]:
        """Return the picture (3×H×W) and the index of the layer on top at every pixel (H×W)."""
        canvas = torch.zeros(3, self.height, self.width)
        top = torch.zeros(self.height, self.width, dtype=torch.int64)
        for number, layer in enumerate(layers):
            height, width = layer.picture.shape[1:]
            place = (layer.maps[moment] @ self.pixels)[:2].view(2, self.height, self.width)
            grid = torch.stack(((place[0] + 0.5) * 2 / width - 1, (place[1] + 0.5) * 2 / height - 1), -1).float()
            padding = "reflection" if number == 0 else "zeros"
            sampled = functional.grid_sample(
                layer.picture[None], grid[None], padding_mode=padding, align_corners=False
            )[0]
            cover = sampled[3:]
            colour = sampled[:3] / cover.clamp(min=1e-3) if number else sampled[:3]
            canvas = canvas * (1 - cover) + colour.clamp(0, 1) * cover
            top = torch.where(cover[0] > 0.5, number, top)
        return canvas.clamp(0, 1), top

    def _flow(self, layers: list[_Layer], top: Tensor) -> Tensor:
        """Return the exact flow of the topmost layer from the time to both frames."""
        flow = torch.zeros(4, self.height, self.width)
        for number, layer in enumerate(layers):
            seen = top == number
            for index, moment in ((0, 0), (2, 2)):
                there = torch.linalg.inv(layer.maps[moment]) @ layer.maps[1] @ self.pixels
                move = (there - self.pixels)[:2].view(2, self.height, self.width).float()
                flow[index : index + 2] = torch.where(seen, move, flow[index : index + 2])
        return flow
