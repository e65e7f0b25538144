"""Tiny training data made on the spot: textured photographs, a sprite, and recipes on them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w
from numpy.typing import NDArray
from PIL import Image

from vs_interp.training.recipe import Recipe
from vs_interp.training.recipe_data import Source
from vs_interp.training.recipe_file import parse_recipe
from vs_interp.training.scenes.synthetic import Scenes


def texture(seed: int, height: int, width: int) -> NDArray[np.uint8]:
    """Return a smooth coloured random picture: noise without the frequencies that no motion could be told by."""
    from scipy.ndimage import gaussian_filter  # which takes a second to import

    noise = np.random.default_rng(seed).standard_normal((height, width, 3))
    soft = gaussian_filter(noise, (3, 3, 0), mode="wrap")
    return ((soft - soft.min()) / np.ptp(soft) * 255).astype(np.uint8)


def write_pictures(folder: Path, count: int = 3, height: int = 160, width: int = 224) -> tuple[Path, Path]:
    """Write photographs and a round sprite; return their two folders."""
    photos, sprites = folder / "photos", folder / "sprites"
    photos.mkdir()
    sprites.mkdir()
    for number in range(count):
        Image.fromarray(texture(number, height, width)).save(photos / f"{number}.png")
    rows, columns = np.mgrid[:48, :48]
    disc = ((rows - 24) ** 2 + (columns - 24) ** 2 < 400).astype(np.uint8) * 255
    Image.fromarray(np.dstack((texture(99, 48, 48), disc))).save(sprites / "disc.png")
    return photos, sprites


def some_scenes(folder: Path, **source: Any) -> Scenes:
    """Return scenes of 96×64 pixels made of such pictures, those of the source 0."""
    photos, sprites = write_pictures(folder)
    return Scenes.open({0: Source(photos=photos, sprites=sprites, **source)}, 64, 96)


def recipe(values: dict[str, Any]) -> Recipe:
    """Return the recipe of such tables."""
    return parse_recipe(tomli_w.dumps(json.loads(json.dumps(values, default=str))))


def super_slomo_recipe(folder: Path, **training: Any) -> dict[str, Any]:
    """Return the tables of a recipe that trains a tiny Super-SloMo on scenes made of ``folder``'s pictures."""
    return {
        "network": {
            "name": "super-slomo", "width": 2, "first_kernel": 3, "padding": "border", "exact_warp": True,
            "align_corners": False, "flow_gain": 8.0, "linear_output": True,
        },
        "data": {
            "batch": 4, "crop": [64, 64], "workers": 0,
            "source": [{"photos": str(folder / "photos"), "sprites": str(folder / "sprites")}],
        },
        "losses": {"charbonnier": 1.0, "warp": 0.2, "smoothness": 0.001, "teacher": 0.01},
        "training": {"steps": 6, "seed": 7, "learning_rate": 1e-3, "threads": 1, "precision": "fp32", **training},
        "schedule": {"kind": "cosine", "warmup": 2},
    }  # fmt: skip


def fsrcnn_recipe(folder: Path, **training: Any) -> dict[str, Any]:
    """Return the tables of a recipe that trains a tiny FSRCNN on the same pictures."""
    return {
        "network": {"name": "fsrcnn", "scale": 2, "features": 8, "shrunk": 4, "mappings": 1},
        "data": {
            "batch": 4, "crop": [48, 48], "margin": 4, "workers": 0,
            "source": [{"footage": f"pictures:{folder / 'photos'}"}],
            "variation": {"noise": 0.0, "turn": True},
        },
        "losses": {"charbonnier": 1.0},
        "training": {"steps": 6, "seed": 7, "learning_rate": 1e-3, "threads": 1, "precision": "fp32", **training},
    }  # fmt: skip


def frames(folder: Path, count: int, height: int = 96, width: int = 128) -> Path:
    """Write consecutive frames that move; return their folder."""
    folder.mkdir(parents=True)
    whole = texture(3, height, width + 4 * count)
    for number in range(count):
        Image.fromarray(whole[:, 4 * number : 4 * number + width]).save(folder / f"{number}.png")
    return folder
