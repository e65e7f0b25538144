"""Train FSRCNN by a recipe on a folder of photographs, and measure it against bicubic and Lanczos enlargement.

The small pictures are made of the large ones by antialiased bicubic shrinking and rounded to 8 bits; luma is BT.601 of
the full range.  Scores are PSNR of 8-bit luma without a border of 2 pixels, the mean over the pictures of a folder.
"""

from __future__ import annotations

import json
import math
import time
import tomllib
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from ..checkpoint import load_checkpoint
from ..errors import DatasetError
from ..networks.fsrcnn import Fsrcnn, FsrcnnConfig
from .losses import charbonnier

Luma = NDArray[np.float32]
"""Lines × columns, in [0, 1]."""

BORDER = 2
PATCH_MARGIN = 4
"""Pixels at the edge of a small patch whose enlargement is not judged: they miss what lies beyond the patch."""


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


class Patches:
    """Batches of small square patches and their large counterparts (B×1×H×W), from photographs at several sizes."""

    def __init__(self, folder: Path, scale: int, side: int, shrinks: list[float], seed: int) -> None:
        self.scale, self.side = scale, side
        self.random = np.random.default_rng(seed)
        self.pairs = []
        for path in pictures(folder):
            luma = read_luma(path)
            for shrink in shrinks:
                size = round(luma.shape[1] * shrink), round(luma.shape[0] * shrink)
                if min(size) >= side * scale:
                    self.pairs.append(pair(luma if shrink == 1 else resize(luma, *size), scale))
        if not self.pairs:
            raise DatasetError(f"{folder} holds no picture of {side * scale}x{side * scale} or larger")
        areas = np.array([small.size for small, _ in self.pairs], np.float64)
        self.odds = areas / areas.sum()

    def draw(self, count: int) -> tuple[Tensor, Tensor]:
        """Return ``count`` pairs, mirrored and turned at random."""
        small, large = zip(*(self._one() for _ in range(count)), strict=True)
        return torch.from_numpy(np.stack(small)), torch.from_numpy(np.stack(large))

    def _one(self) -> tuple[Luma, Luma]:
        side = self.side
        small, large = self.pairs[self.random.choice(len(self.pairs), p=self.odds)]
        y, x = (int(self.random.integers(0, length - side + 1)) for length in small.shape)
        patch = small[y : y + side, x : x + side]
        truth = large[y * self.scale : (y + side) * self.scale, x * self.scale : (x + side) * self.scale]
        turns, mirrored = self.random.integers(4), self.random.random() < 0.5
        turned = [np.rot90(part[:, ::-1] if mirrored else part, turns)[None] for part in (patch, truth)]
        return turned[0].copy(), turned[1].copy()


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


def initialised(config: FsrcnnConfig) -> Fsrcnn:
    """Return a network to begin with: one channel carries the picture through to a linear enlargement.

    The other channels begin by the paper's rules, He et al. for the convolutions and little for the last layer, so
    that training starts where interpolation ends.
    """
    network = Fsrcnn(config)
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    for layer in layers:
        nn.init.kaiming_normal_(layer.weight, a=0.25)
        assert layer.bias is not None
        nn.init.zeros_(layer.bias)
        with torch.no_grad():
            layer.weight[0] = 0
            layer.weight[0, 0, layer.kernel_size[0] // 2, layer.kernel_size[1] // 2] = 1
    last = network.enlarge
    nn.init.normal_(last.weight, std=1e-3)
    distance = (torch.arange(9) - last.padding[0] + 0.5) / config.scale - 0.5  # type: ignore[operator]
    taps = (1 - distance.abs()).clamp(min=0)
    with torch.no_grad():
        last.weight[0, 0] = torch.outer(taps, taps)
    return network


def train(recipe: dict[str, Any], output: Path) -> None:
    """Train by the recipe (see ``recipes/fsrcnn-x2.toml``) and leave the averaged weights in ``output``."""
    training, data = recipe["training"], recipe["data"]
    torch.manual_seed(training["seed"])
    torch.set_num_threads(training["threads"])
    network = initialised(FsrcnnConfig(**recipe["network"]))
    patches = Patches(Path(data["photos"]), network.config.scale, data["side"], data["shrinks"], training["seed"])
    decay = torch.optim.swa_utils.get_ema_multi_avg_fn(training["average"])  # type: ignore[no-untyped-call]
    average = torch.optim.swa_utils.AveragedModel(network, multi_avg_fn=decay)
    optimiser = torch.optim.Adam(network.parameters(), lr=training["learning_rate"])
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, training["learning_rate"], training["steps"], pct_start=0.05, div_factor=10, final_div_factor=100
    )
    network.to(memory_format=torch.channels_last)
    margin = PATCH_MARGIN * network.config.scale
    inner = (..., slice(margin, -margin), slice(margin, -margin))
    started, running = time.time(), 0.0
    for step in range(1, training["steps"] + 1):
        small, truth = patches.draw(data["batch"])
        with torch.autocast("cpu", torch.bfloat16, enabled=step < training["exact_from"]):
            made = network(small.to(memory_format=torch.channels_last)).float()
        loss = charbonnier(made[inner], truth[inner])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), training["clip"])
        optimiser.step()
        schedule.step()
        average.update_parameters(network)
        running += (float(((made.detach()[inner] - truth[inner]) ** 2).mean()) - running) / min(step, 200)
        if step % 500 == 0:
            seconds = time.time() - started
            print(f"step {step}/{training['steps']}  psnr {-10 * math.log10(running):.2f}  {seconds:.0f} s", flush=True)
    record = {"steps": training["steps"], "seed": training["seed"], "minutes": round((time.time() - started) / 60, 1)}
    save(average.module, output / "fsrcnn.safetensors", record)


def save(network: nn.Module, path: Path, record: dict[str, Any]) -> None:
    """Write weights with the configuration and the record in the metadata, under a final name or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"network": "fsrcnn", "config": json.dumps(asdict(network.config)), "record": json.dumps(record)}  # type: ignore[call-overload]
    unfinished = path.with_suffix(".partial")
    save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, unfinished, metadata)
    unfinished.replace(path)


if __name__ == "__main__":
    import argparse

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--test", type=Path, help="a folder of pictures to measure the result on")
    arguments = parser.parse_args()
    train(tomllib.loads(arguments.recipe.read_text()), arguments.output)
    if arguments.test:
        trained = load_checkpoint(arguments.output / "fsrcnn.safetensors")
        assert isinstance(trained, Fsrcnn)
        print(json.dumps(evaluate(trained, arguments.test)))
