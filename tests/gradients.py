"""The gradients of a recipe's first batch, in this process or, run by torchrun, in all that it started.

torchrun --nproc-per-node 2 -m tests.gradients RECIPE.toml GRADIENTS.safetensors
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from vs_interp.training.batches import Batches
from vs_interp.training.processes import Processes
from vs_interp.training.recipe import Recipe
from vs_interp.training.recipe_file import read_recipe
from vs_interp.training.trainer import Trainer


def gradients(recipe: Recipe, processes: Processes) -> dict[str, torch.Tensor]:
    """Return the gradients by the names of the weights, averaged over the processes."""
    trainer = Trainer(recipe, processes)
    outcome = trainer.model(next(Batches(recipe, trainer.network.spec, processes).since(0)))
    outcome.total.backward()
    found = {}
    for name, weight in trainer.network.named_parameters():
        assert weight.grad is not None, name
        found[name] = weight.grad.contiguous()
    return found


if __name__ == "__main__":
    with Processes.join("cpu") as joined:
        shared = gradients(read_recipe(Path(sys.argv[1])), joined)
        if joined.leads:
            save_file(shared, sys.argv[2])
    threads = {file.read_text().strip() for file in Path("/proc/self/task").glob("*/comm")}
    assert not [name for name in threads if "gloo" in name], f"threads that abort the interpreter's end: {threads}"
