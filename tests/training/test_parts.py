"""Batches that several threads compute in parts: the step is that of the whole batch."""

from __future__ import annotations

import gc
import threading
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training_data import frames, fsrcnn_recipe, recipe, super_slomo_recipe
from vs_interp.registry import network_class
from vs_interp.training.batches import Batches
from vs_interp.training.loop import train
from vs_interp.training.parts import parts_of, threads_kept
from vs_interp.training.processes import Processes
from vs_interp.training.trainer import Trainer

ALONE = Processes(0, 1, torch.device("cpu"))


def trainer(values: dict[str, Any], processes: Processes = ALONE, **training: Any) -> Trainer:
    """Return the trainer of a recipe that is changed in some settings of its training."""
    return Trainer(recipe({**values, "training": {**values["training"], **training}}), processes)


def values_for(name: str, pictures: Path, folder: Path) -> dict[str, Any]:
    """Return a recipe of a network that takes a time and follows flows, for luma, or that makes three frames."""
    values = fsrcnn_recipe(pictures) if name == "fsrcnn" else super_slomo_recipe(pictures)
    if name == "flavr":
        values |= {"network": {"name": name, "width": 4, "factor": 4}, "losses": {"charbonnier": 1.0, "ssim": 0.5}}
        values["data"]["source"] = [{"footage": f"frames:{frames(folder / 'film', 20).parent}"}]
    return values


@pytest.mark.parametrize("threads", [2, 3])
@pytest.mark.parametrize("name", ["super-slomo", "fsrcnn", "flavr"])
def test_parts_have_the_losses_and_gradients_of_the_whole(
    pictures: Path, tmp_path: Path, name: str, threads: int
) -> None:
    """Five samples, so that the parts differ in size."""
    values = values_for(name, pictures, tmp_path)
    values["data"]["batch"] = 5
    whole, shared = trainer(values), trainer(values, threads=threads)
    assert (whole.parts, shared.parts and shared.parts.count) == (None, threads)
    batch = next(Batches(whole.recipe, whole.network.spec, ALONE).since(0))
    expected, found = whole.train(batch), shared.train(batch)
    torch.testing.assert_close(found.made, expected.made.detach())
    torch.testing.assert_close(found.losses, {name: loss.detach() for name, loss in expected.losses.items()})
    for mine, theirs in zip(shared.learning, whole.learning, strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-3, atol=1e-6)
        assert mine.grad is not None
        assert mine.grad.stride() == mine.stride()  # a fused step takes them for granted


@pytest.mark.parametrize("name", ["unet49", "slot-attention", "simvp", "flavr"])
def test_a_batch_whose_samples_depend_on_each_other_is_not_divided(pictures: Path, name: str) -> None:
    """U-Net and SimVP take statistics of a batch; new noise for slots comes from one generator, in order."""
    asked = recipe(fsrcnn_recipe(pictures))
    assert parts_of(asked, network_class(name)(), threads=2) == (2 if name == "flavr" else 1)


@pytest.mark.parametrize("training", [{"precision": "fp16"}, {"compile": True}])
def test_compiled_code_and_scaled_gradients_are_not_divided(pictures: Path, training: dict[str, Any]) -> None:
    """Neither is made for threads."""
    asked = recipe(fsrcnn_recipe(pictures, **training))
    assert parts_of(asked, network_class("fsrcnn")(), threads=2) == 1


def test_a_trainer_that_is_gone_leaves_no_threads(pictures: Path) -> None:
    """A pause frees everything, and begins with another trainer."""
    made = trainer(super_slomo_recipe(pictures), threads=2)
    made.train(next(Batches(made.recipe, made.network.spec, ALONE).since(0)))
    working = [thread for thread in threading.enumerate() if thread.name.startswith("part of a batch")]
    assert len(working) == 2
    del made
    gc.collect()
    for thread in working:
        thread.join(10)
    assert not any(thread.is_alive() for thread in working)


def test_a_run_leaves_pytorch_as_many_threads_as_it_found(pictures: Path, tmp_path: Path) -> None:
    """Each part has one, which the next run in this process, of a network that is not divided, should not inherit."""
    with threads_kept():
        torch.set_num_threads(2)
        train(recipe(super_slomo_recipe(pictures, steps=1, threads=0)), tmp_path / "run", device="cpu")
        assert torch.get_num_threads() == 2
