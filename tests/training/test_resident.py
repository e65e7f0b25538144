"""Film on the training device: its crops are those that are read on the host."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from vs_interp.datasets.planar import FrameFormat, PlanarFootage, Planes, Sequence420
from vs_interp.errors import DatasetError
from vs_interp.spec import NetworkSpec
from vs_interp.training.recipe_data import Source
from vs_interp.training.scenes.film import Places, Reel
from vs_interp.training.scenes.resident import ResidentFilm

FORMATS = (FrameFormat(48, 64, "bt601", False), FrameFormat(36, 80, "bt709", True))
LENGTH = 9


class Soft(PlanarFootage):
    """Two sequences of soft noise, of different size, matrix and range; grey ones where not ``coloured``."""

    def __init__(self, coloured: bool = True) -> None:
        self.coloured = coloured
        differences = np.full(LENGTH - 1, 5.0)
        super().__init__([Sequence420(f"soft{n}", kind, differences) for n, kind in enumerate(FORMATS)])

    def planes(self, sequence: int) -> Planes:
        kind, random = FORMATS[sequence], np.random.default_rng(sequence)
        planes = [soft(random, LENGTH, kind.height // part, kind.width // part) for part in (1, 2, 2)]
        if not self.coloured:
            planes[1:] = [np.full_like(plane, 128) for plane in planes[1:]]
        return np.concatenate([plane.reshape(LENGTH, -1) for plane in planes], 1)


def soft(random: np.random.Generator, *shape: int) -> NDArray[np.uint8]:
    from scipy.ndimage import gaussian_filter  # which takes a second to import

    noise = gaussian_filter(random.standard_normal(shape), (0, 1.5, 1.5))
    return (128 + 60 * noise / noise.std()).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("choices", [1, 3])
def test_crops_of_a_resident_film_are_those_read_on_the_host(choices: int) -> None:
    """RGB within one code at every place and parity, edges too; of several places, from that where luma moves most."""
    footage, spec = Soft(coloured=choices == 1), NetworkSpec(name="any")
    reel = Reel.open(Source(footage="any", choices=choices, gaps={2: 0.5, 4: 0.5}), footage, spec, (32, 48))
    film = ResidentFilm.load(footage, torch.device("cpu"))
    places = reel.draw(np.random.default_rng(6), 40, 1)
    pictures, times = film.read(places, (32, 48), 2)
    read = reel.read(places, 1, np.random.default_rng(0))
    same = np.isclose(times.numpy(), read.times)
    made = pictures.permute(0, 1, 3, 4, 2).numpy() * 255
    off = np.abs(made - read.frames).max((1, 2, 3, 4))
    assert (off <= 1.01).mean() >= (1.0 if choices == 1 else 0.9)  # rounding decides between places that move alike
    assert same[off <= 1.01].all()
    assert len(set(map(tuple, places.tops[:, :1] % 2))) == 2 and places.sequences.any() and not places.sequences.all()


def test_a_crop_at_each_edge() -> None:
    """Where chroma has no neighbour, its last is repeated, as on the host."""
    footage = Soft()
    corners = np.array([(0, 0), (16, 16), (15, 15), (0, 16)])
    numbers = np.tile((1, 3, 2), (4, 1, 1))
    places = Places(np.zeros((4, 1), np.int64), numbers, corners[:, :1], corners[:, 1:], np.full((4, 1), 0.5))
    pictures, _ = ResidentFilm.load(footage, torch.device("cpu")).read(places, (32, 48), 2)
    for made, (top, left) in zip(pictures, corners.tolist(), strict=True):
        wanted = footage.frames(0, (1, 3, 2), (top, left, 32, 48))
        assert np.abs(made.permute(0, 2, 3, 1).numpy() * 255 - wanted).max() <= 1.01


def test_frames_smaller_than_the_crop_are_not_drawn() -> None:
    """A film on a GPU has no borders: a crop larger than its frames would hold parts of others."""
    reel = Reel.open(Source(footage="any", choices=2), Soft(), NetworkSpec(name="any"), (40, 48))
    places = reel.draw(np.random.default_rng(6), 40, 1)
    assert not places.sequences.any() and places.tops.max() <= 8 and places.lefts.max() <= 16
    with pytest.raises(DatasetError, match=r"1000 windows of any in a row are smaller than 96x80: make data.crop"):
        reel.draw(np.random.default_rng(6), 4, 2)
