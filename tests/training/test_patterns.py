"""Patterns: pictures that repeat, and scenes of sprites before them, moving or at rest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from tests.training_data import write_pictures
from vs_interp.training.scenes.patterns import draw_pattern
from vs_interp.training.scenes.synthetic import Scenes


def repeats(picture: torch.Tensor) -> float:
    """Return the highest autocorrelation of the luma beyond six pixels and within sixty (Wiener–Khinchin)."""
    plane = picture.double().mean(0).numpy()
    plane = plane[128:384, 128:384]
    spectrum = np.abs(np.fft.fft2(plane - plane.mean(), s=(512, 512))) ** 2
    correlation = np.fft.fftshift(np.fft.ifft2(spectrum).real) / (spectrum.mean())
    rows, columns = np.mgrid[-256:256, -256:256]
    distance = np.hypot(rows, columns)
    return float(correlation[(distance > 6) & (distance < 60)].max())


def test_a_pattern_repeats_and_its_seed_fixes_it() -> None:
    for seed in range(24):
        picture = draw_pattern(seed)
        assert (picture.shape, picture.dtype) == ((3, 512, 512), torch.uint8)
        assert torch.equal(picture, draw_pattern(seed))
        assert repeats(picture) > 0.3, seed
    assert not torch.equal(draw_pattern(0), draw_pattern(1))


def test_patterns_are_backgrounds_alone(tmp_path: Path) -> None:
    """A sprite with a pattern's texture would be told from its background by nothing."""
    scenes = Scenes.open(*write_pictures(tmp_path), 64, 96, reach=(40.0, 60.0), patterns=20)
    random, photos = np.random.default_rng(1), len(scenes.photos) - 20
    drawn = [scenes.draw(random, (0.0, 1.0, 0.5)) for _ in range(200)]
    backgrounds = {layers[0].photo for layers in drawn}
    textures = {layer.photo for layers in drawn for layer in layers[1:]} - {None}
    assert max(number for number in backgrounds if number is not None) >= photos
    assert textures == set(range(photos))


def test_without_reach_a_background_stands_still(tmp_path: Path) -> None:
    """To the pixel; what passes before it moves."""
    scenes = Scenes.open(*write_pictures(tmp_path), 64, 96, reach=(0.0, 40.0), patterns=5)
    random = np.random.default_rng(2)
    for _ in range(10):
        layers = scenes.draw(random, (0.0, 1.0, 0.5))
        assert torch.equal(*scenes.render(layers[:1])[0][:2])
        top = scenes.render(layers)[1][0]
        flow = scenes.flow(layers, top, 0, 1)
        assert flow[:, top == 0].abs().max() < 1e-9
        assert flow[:, top > 0].abs().max() > 0.1
