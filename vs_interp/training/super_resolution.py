"""Measure FSRCNN on a folder of photographs, beside bicubic and Lanczos enlargement.

The small pictures are made of the large ones by antialiased bicubic shrinking and rounded to 8 bits; luma is BT.601 of
the full range.  Scores are PSNR of 8-bit luma without a border of 2 pixels, the mean over the pictures of a folder.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from vs_interp.errors import DatasetError
from vs_interp.networks.fsrcnn import Fsrcnn
from vs_interp.weights.checkpoint import load_checkpoint

Luma = NDArray[np.float32]
"""Lines × columns, in [0, 1]."""

BORDER = 2


def read_luma(path: Path) -> Luma:
    """Return the BT.601 luma of a picture."""
    with Image.open(path) as image:
        colours = np.asarray(image.convert("RGB"), np.float32)
    luma: Luma = (colours @ np.array((0.299, 0.587, 0.114)) / 255).astype(np.float32)
    return luma


def resize(luma: Luma, width: int, height: int, kernel: Image.Resampling = Image.Resampling.BICUBIC) -> Luma:
    """Return a picture of another size, antialiased where it shrinks, rounded to 8 bits."""
    return rounded(np.asarray(Image.fromarray(luma).resize((width, height), kernel), np.float32))


def rounded(luma: Luma) -> Luma:
    """Return what 8 bits can hold of a picture."""
    return (np.round(luma.clip(0, 1) * 255) / 255).astype(np.float32)


def pictures(folder: Path) -> list[Path]:
    """Return the pictures of a folder.  Raises :class:`DatasetError` where there are none."""
    found = sorted(path for path in folder.glob("*") if path.suffix in (".png", ".jpg", ".jpeg"))
    if not found:
        raise DatasetError(f"{folder} holds no pictures (.png, .jpg): name the folder of the photographs")
    return found


def pair(luma: Luma, scale: int) -> tuple[Luma, Luma]:
    """Return a picture ``scale`` times smaller, and the picture, cut to a multiple of ``scale``."""
    height, width = luma.shape[0] // scale, luma.shape[1] // scale
    large = rounded(luma[: height * scale, : width * scale])
    return resize(large, width, height), large


def psnr(made: Luma, truth: Luma) -> float:
    """Return the PSNR in decibels, for values in [0, 1], without the border."""
    inner = (slice(BORDER, -BORDER), slice(BORDER, -BORDER))
    error = float(np.mean((made[inner].astype(np.float64) - truth[inner]) ** 2))
    return -10 * math.log10(error) if error else math.inf


def evaluate(network: Fsrcnn, folder: Path) -> dict[str, float]:
    """Return the mean PSNR over a folder's pictures of the network, of bicubic and of Lanczos enlargement."""
    scale = network.config.scale

    def enlarge(small: Luma) -> Luma:
        with torch.no_grad():
            made: Luma = network(torch.from_numpy(small)[None, None])[0, 0].numpy()
        return rounded(made)

    def by(kernel: Image.Resampling) -> Callable[[Luma], Luma]:
        return lambda small: resize(small, small.shape[1] * scale, small.shape[0] * scale, kernel)

    ways = {"network": enlarge, "bicubic": by(Image.Resampling.BICUBIC), "lanczos": by(Image.Resampling.LANCZOS)}
    pairs = [pair(read_luma(path), scale) for path in pictures(folder)]
    return {
        name: round(float(np.mean([psnr(way(small), large) for small, large in pairs])), 3)
        for name, way in ways.items()
    }


if __name__ == "__main__":
    import argparse

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path, help="of FSRCNN, as vs-interp train writes it")
    parser.add_argument("pictures", type=Path, help="a folder of pictures that it was not trained on")
    arguments = parser.parse_args()
    measured = load_checkpoint(arguments.checkpoint)
    if not isinstance(measured, Fsrcnn):
        raise SystemExit(f"{arguments.checkpoint} holds {measured.spec.name}: give a checkpoint of fsrcnn")
    print(json.dumps(evaluate(measured, arguments.pictures)))
