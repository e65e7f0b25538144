"""Patterns: pictures that repeat, and scenes of sprites before them, moving or at rest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from tests.training_data import some_scenes
from vs_interp.training.scenes.patterns import draw_pattern


def repeats(picture: NDArray[np.uint8]) -> float:
    """Return the highest autocorrelation of the luma beyond six pixels and within sixty (Wiener–Khinchin)."""
    plane = picture[..., :3].mean(-1)
    plane = plane[128:384, 128:384]
    spectrum = np.abs(np.fft.fft2(plane - plane.mean(), s=(512, 512))) ** 2
    correlation = np.fft.fftshift(np.fft.ifft2(spectrum).real) / (spectrum.mean())
    rows, columns = np.mgrid[-256:256, -256:256]
    distance = np.hypot(rows, columns)
    return float(correlation[(distance > 6) & (distance < 60)].max())


def test_a_pattern_repeats_and_its_seed_fixes_it() -> None:
    for seed in range(24):
        picture = draw_pattern(seed)
        assert (picture.shape, picture.dtype) == ((512, 512, 4), np.uint8)
        assert np.array_equal(picture, draw_pattern(seed))
        assert repeats(picture) > 0.3, seed
    assert not np.array_equal(draw_pattern(0), draw_pattern(1))


def test_patterns_are_backgrounds_alone(tmp_path: Path) -> None:
    """A sprite with a pattern's texture would be told from its background by nothing."""
    scenes = some_scenes(tmp_path, patterns=20)
    background, *sprites = scenes.draw(np.random.default_rng(1), 0, np.tile((0.0, 1.0, 0.5), (200, 1)))
    stock = scenes.stocks[0]
    assert len(stock.patterns) == 20
    assert set(background.colours) == {*stock.photos, *stock.patterns}
    assert {*np.concatenate([layer.colours for layer in sprites])} == {*stock.photos, *stock.sprites}


def test_without_reach_a_background_stands_still(tmp_path: Path) -> None:
    """To the pixel; what passes before it moves."""
    scenes = some_scenes(tmp_path, patterns=5, reach=(0.0, 40.0))
    layers = scenes.draw(np.random.default_rng(2), 0, np.tile((0.0, 1.0, 0.5), (10, 1)))
    pictures = scenes.render(layers[:1])[0]
    assert torch.equal(pictures[:, 0], pictures[:, 1])
    top = scenes.render(layers)[1][:, 0]
    flow = scenes.flow(layers, top, 0, (1,)).abs().amax(1)
    assert flow[top == 0].max() < 1e-9
    assert all(each[above > 0].max() > 0.1 for each, above in zip(flow, top, strict=True))
