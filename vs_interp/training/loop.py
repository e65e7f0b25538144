"""Train Super-SloMo by a recipe: one file to read from top to bottom."""

from __future__ import annotations

import json
import math
import time
import tomllib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.utils.data import DataLoader

from ..checkpoint import load_checkpoint
from ..errors import DatasetError
from ..networks.rife import Rife
from ..networks.super_slomo import SuperSloMo, SuperSloMoConfig
from .data import Batch, Batches
from .film import Film
from .losses import charbonnier, flow_distance, smoothness
from .synthetic import Scenes


def loss(network: SuperSloMo, batch: Batch, weights: dict[str, float]) -> tuple[Tensor, Tensor]:
    """Return the weighted sum of all losses, and the mean squared error of the made frames."""
    layout = torch.channels_last
    frame0, frame1 = batch.frame0.to(memory_format=layout), batch.frame1.to(memory_format=layout)
    with torch.autocast("cpu", torch.bfloat16):
        flows = network.flow(frame0, frame1)
        made = network.synthesise(frame0, frame1, *flows, batch.time)
    truth = batch.truth
    warps = sum(charbonnier(p, truth) for p in (made.guessed0, made.guessed1, made.warped0, made.warped1))
    worse = (made.frame.detach() - truth).abs().mean(1, keepdim=True) > batch.doubt - 0.002
    taught = sum(
        flow_distance(flow, batch.flow[:, side : side + 2], worse)
        for flow, side in ((made.guess_t0, 0), (made.guess_t1, 2), (made.flow_t0, 0), (made.flow_t1, 2))
    )
    total = (
        weights["reconstruction"] * charbonnier(made.frame, truth)
        + weights["warp"] * warps
        + weights["smoothness"] * sum(smoothness(flow) for flow in flows)
        + weights["teacher"] * taught
    )
    return total, ((made.frame.detach() - truth) ** 2).mean()


def learning_rate(step: int, steps: int, highest: float, warmup: int = 300) -> float:
    """A linear rise over ``warmup`` steps, then half a cosine down to a hundredth."""
    if step < warmup:
        return highest * (step + 1) / warmup
    progress = (step - warmup) / max(1, steps - warmup)
    return highest * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))


def save(path: Path, tensors: dict[str, Tensor], config: SuperSloMoConfig, record: dict[str, Any]) -> None:
    """Write weights as safetensors, configuration and record in the metadata, under a final name or not at all."""
    metadata = {"network": "super-slomo", "config": json.dumps(asdict(config)), "record": json.dumps(record)}
    unfinished = path.with_suffix(".partial")
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, unfinished, metadata)
    unfinished.replace(path)


def train(recipe: dict[str, Any], output: Path) -> None:
    """Train by the recipe (see ``recipes/super-slomo-small.toml``) and leave checkpoints in ``output``."""
    training, data = recipe["training"], recipe["data"]
    torch.manual_seed(training["seed"])
    torch.set_num_threads(training.get("threads", torch.get_num_threads()))
    network = SuperSloMo.from_config(recipe["network"]).to(memory_format=torch.channels_last)
    if "start" in training:
        network.load_state_dict(load_checkpoint(Path(training["start"])).state_dict())
    average = {name: tensor.clone().float() for name, tensor in network.state_dict().items()}
    optimiser = torch.optim.AdamW(network.parameters(), lr=1.0, weight_decay=training["weight_decay"])
    teacher = load_checkpoint(Path(data["teacher"])).eval() if "teacher" in data else None
    if not isinstance(teacher, Rife | None):
        raise DatasetError(f"{data['teacher']} holds {teacher.spec.name}, and the teacher must be rife")
    scenes = Scenes(Path(data["photos"]), Path(data["sprites"]), data["height"], data["width"])
    batches = Batches(
        Film.open(Path(data["film"])),
        scenes,
        teacher,
        training["seed"],
        data["batch"],
        data["synthetic"],
        data.get("still", 0.0),
    )
    output.mkdir(parents=True, exist_ok=True)
    started, steps, running = time.time(), training["steps"], 0.0
    for step, batch in enumerate(DataLoader(batches, batch_size=None, num_workers=1, prefetch_factor=8)):
        if step == steps:
            break
        rate = learning_rate(step, steps, training["learning_rate"])
        for group in optimiser.param_groups:
            group["lr"] = rate
        total, error = loss(network, batch, recipe["losses"])
        optimiser.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(network.parameters(), training["clip"])
        if torch.isfinite(norm):
            optimiser.step()
        decay = min(training["average"], (step + 1) / (step + 10))
        for name, tensor in network.state_dict().items():
            average[name].lerp_(tensor.float(), 1 - decay)
        running = float(error) if step == 0 else 0.99 * running + 0.01 * float(error)
        if (step + 1) % 100 == 0:
            hours = (time.time() - started) / 3600
            print(
                f"step {step + 1}/{steps}  loss {float(total.detach()):.4f}  psnr {-10 * math.log10(running):.2f}  "
                f"{hours * 3600 / (step + 1):.3f} s/step  left {hours / (step + 1) * (steps - step - 1):.2f} h",
                flush=True,
            )
        if (step + 1) % 1000 == 0 or step + 1 == steps:
            record = {"steps": step + 1, "seed": training["seed"], "hours": round((time.time() - started) / 3600, 3)}
            save(output / "super-slomo.safetensors", average, network.config, record)
            state = {"network": network.state_dict(), "optimiser": optimiser.state_dict(), "step": step + 1}
            torch.save(state, output / "state.partial")
            (output / "state.partial").replace(output / "state.pt")


if __name__ == "__main__":
    import argparse

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/super-slomo"))
    arguments = parser.parse_args()
    train(tomllib.loads(arguments.recipe.read_text()), arguments.output)
