"""Scenes drawn many at once are what scenes drawn one by one were: as much motion, cover and occlusion."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.training_data import some_scenes, write_pictures
from vs_interp.errors import DatasetError
from vs_interp.training.scenes.textures import Textures, read_pictures

MOTION = (2.106, 3.389, 5.598, 8.530, 11.510)
"""Quantiles (.1, .25, .5, .75, .9) of a scene's mean motion in pixels from the middle to frame 0.

This and the next are of 4,000 scenes by the code that drew each by itself (commit 19c8c56), on these pictures.
"""

COVERED, OCCLUDED, SPREAD = 0.1714, 0.1709, (0.0981, 0.1076)
"""Share of pixels under a sprite, share whose topmost layer changes from frame 0 to 1; their standard deviations."""

CONTRAST, LIGHT = 0.1343, 0.4930
"""Standard deviation and mean of a picture's values."""


def test_motion_cover_and_occlusion_are_those_of_scenes_drawn_one_by_one(tmp_path: Path) -> None:
    scenes, random = some_scenes(tmp_path), np.random.default_rng(8)
    motion, covered, occluded, contrast, light = [], [], [], [], []
    for _ in range(16):
        layers = scenes.draw(random, 0, np.tile((0.0, 1.0, 0.5), (50, 1)))
        pictures, top = scenes.render(layers)
        flow = scenes.flow(layers, top[:, 2], 2, (0,))
        motion.append(flow.norm(dim=1).mean((1, 2)))
        covered.append((top[:, 2] > 0).float().mean((1, 2)))
        occluded.append((top[:, 0] != top[:, 1]).float().mean((1, 2)))
        contrast.append(pictures[:, 2].flatten(1).std(1))
        light.append(pictures[:, 2].mean((1, 2, 3)))
    quantiles = torch.quantile(torch.cat(motion), torch.tensor((0.1, 0.25, 0.5, 0.75, 0.9))).numpy()
    np.testing.assert_allclose(quantiles, MOTION, rtol=0.12)
    for found, wanted, spread in zip((covered, occluded), (COVERED, OCCLUDED), SPREAD, strict=True):
        values = torch.cat(found)
        assert abs(float(values.mean()) - wanted) < 4 * spread / np.sqrt(len(values))
        assert abs(float(values.std()) - spread) < 0.1 * spread
    assert abs(float(torch.cat(contrast).mean()) - CONTRAST) < 0.05 * CONTRAST
    assert abs(float(torch.cat(light).mean()) - LIGHT) < 0.02


def test_the_layer_on_top_is_the_one_that_is_seen(tmp_path: Path) -> None:
    """Painted one over the other in float64, by NumPy, from the same maps: each pixel's colour is the same."""
    scenes = some_scenes(tmp_path)
    layers = scenes.draw(np.random.default_rng(3), 0, np.tile((0.0, 1.0, 0.5), (3, 1)))
    pictures, top = scenes.render(layers)
    for scene in range(3):
        canvas = np.zeros((3, 64, 96))
        seen = np.zeros((64, 96), int)
        for number, layer in enumerate(layer for layer in layers if scene < len(layer.maps)):
            cover = None if layer.covers is None else int(layer.covers[scene])
            colour = sampled(scenes.textures, int(layer.colours[scene]), cover, layer.maps[scene, 2])
            canvas = canvas * (1 - colour[3]) + np.minimum(colour[:3], colour[3])
            seen[colour[3] > 0.5] = number
        assert np.abs(pictures[scene, 2].numpy() - canvas).max() < 2e-3
        assert (top[scene, 2].numpy() != seen).mean() < 1e-3


def sampled(textures: Textures, colour: int, cover: int | None, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a layer's red, green, blue and coverage (4×64×96), bilinear: background mirrored, sprite zero outside."""
    height, width = (int(sides[colour]) for sides in (textures.heights, textures.widths))
    picture = whole(textures, colour)
    if cover is not None:
        outline = whole(textures, cover)
        height, width = min(height, outline.shape[0]), min(width, outline.shape[1])
        picture = np.dstack((picture[:height, :width, :3], outline[:height, :width, 3:]))
    rows, columns = np.mgrid[:64, :96]
    x, y, _ = np.einsum("ij,jhw->ihw", matrix, np.stack((columns, rows, np.ones_like(rows))).astype(float))
    found = np.zeros((64, 96, 4))
    for down in (0, 1):
        for right in (0, 1):
            row, column = np.floor(y).astype(int) + down, np.floor(x).astype(int) + right
            weight = (1 - np.abs(y - row)) * (1 - np.abs(x - column))
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            if cover is None:
                row, column = mirrored(row, height), mirrored(column, width)
            values = picture[row.clip(0, height - 1), column.clip(0, width - 1)]
            found += (weight * (inside if cover is not None else 1))[..., None] * values
    return found.transpose(2, 0, 1)


def mirrored(places: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    places = places % (2 * length)
    return np.minimum(places, 2 * length - 1 - places)


def whole(textures: Textures, number: int) -> NDArray[np.float64]:
    start, height, width = (int(each[number]) for each in (textures.starts, textures.heights, textures.widths))
    pixels = textures.pixels[start : start + height * width].numpy().view(np.uint8)
    return pixels.reshape(height, width, 4) / 255


def test_a_photograph_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A picture cut short by a broken download, say."""
    photos, _ = write_pictures(tmp_path)
    whole = (photos / "1.png").read_bytes()
    (photos / "1.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DatasetError, match=r"photos/1\.png is not a readable picture"):
        read_pictures(photos)
