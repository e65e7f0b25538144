"""Checkpoints: which ones a run leaves, what it may begin with, and that none is lost to another run or a full disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.training_data import fsrcnn_recipe, recipe, super_slomo_recipe
from vs_interp.errors import CheckpointError
from vs_interp.training.beginning import first_network
from vs_interp.training.checkpoints import Checkpoints, State
from vs_interp.training.loop import train
from vs_interp.weights.checkpoint import load_checkpoint


def test_checkpoints_are_the_last_few_and_the_best_and_carry_the_configuration(pictures: Path, tmp_path: Path) -> None:
    values = fsrcnn_recipe(pictures, save_every=2, keep=2)
    values["data"]["source"][0]["part"] = [0.0, 0.4]
    values["validation"] = {
        "footage": f"pictures:{pictures / 'photos'}", "part": [0.4, 1.0], "windows": 2, "every": 2
    }  # fmt: skip
    seen: list[float] = []
    ended = train(
        recipe(values),
        tmp_path / "run",
        device="cpu",
        listener=lambda r: seen.append(r.validation.psnr if r.validation else 0),
    )
    assert ended == tmp_path / "run" / "best.safetensors"
    assert Checkpoints(tmp_path / "run", 2).steps() == [4, 6]
    best = load_checkpoint(tmp_path / "run" / "best.safetensors")
    assert best.config.features == 8
    assert [score > 0 for score in seen] == [False, True] * 3


def test_a_run_begins_with_given_weights_or_with_their_mean(pictures: Path, tmp_path: Path) -> None:
    """One checkpoint, the mean of two, and one for a part of the network; another configuration is refused."""
    wanted = fsrcnn_recipe(pictures, steps=1)
    paths = []
    for seed in (1, 2):
        wanted["training"]["seed"] = seed
        paths.append(train(recipe(wanted), tmp_path / str(seed), device="cpu"))
    one, two = (load_file(str(path)) for path in paths)
    wanted["training"]["start"] = paths
    mean = first_network(recipe(wanted)).state_dict()
    for name, tensor in mean.items():
        torch.testing.assert_close(tensor, (one[name] + two[name]) / 2)
    wanted["training"]["start"] = {"enlarger": paths[0]}
    wanted["network"]["name"] = "fsrcnn+delta"
    part = first_network(recipe(wanted)).state_dict()
    assert all(torch.equal(part[f"enlarger.{name}"], tensor) for name, tensor in one.items())
    wanted["network"]["features"] = 9
    with pytest.raises(CheckpointError, match="make them agree"):
        first_network(recipe(wanted))


def test_a_list_of_parts_begins_with_the_same_part_of_another_network(pictures: Path, tmp_path: Path) -> None:
    """Five-parallel's five 2D networks begin with the refiner of a network that sees one frame."""
    wanted = fsrcnn_recipe(pictures, steps=1)
    wanted["network"]["name"] = "fsrcnn+single-frame"
    path = train(recipe(wanted), tmp_path / "single", device="cpu")
    single = load_file(str(path))
    wanted["network"]["name"] = "fsrcnn+five-parallel"
    wanted["training"]["start"] = {"enlarger": path, "refiner.alone": path}
    begun = first_network(recipe(wanted)).state_dict()
    for name, tensor in single.items():
        if name.startswith("enlarger."):
            assert torch.equal(begun[name], tensor)
        else:
            change = name.removeprefix("refiner.")
            assert all(torch.equal(begun[f"refiner.alone.{number}.{change}"], tensor) for number in range(5))
    wanted["training"]["start"] = {"refiner.together": path}
    with pytest.raises(CheckpointError, match="make them agree"):
        first_network(recipe(wanted))


def test_a_layer_that_the_start_has_not_keeps_what_it_begins_with(pictures: Path, tmp_path: Path) -> None:
    """A network may grow; it may not lose weights that were trained."""
    plain, grown = super_slomo_recipe(pictures, steps=1), super_slomo_recipe(pictures, steps=1)
    grown["network"]["in_place"] = True
    grown["training"]["start"] = str(train(recipe(plain), tmp_path / "plain", device="cpu"))
    network = first_network(recipe(grown))
    assert network.in_place.weigh.bias.item() == pytest.approx(-3.0)
    before = load_file(grown["training"]["start"])
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items() if name in before)
    plain["training"]["start"] = str(train(recipe(grown), tmp_path / "grown", device="cpu"))
    with pytest.raises(CheckpointError, match="make them agree"):
        first_network(recipe(plain))


def test_another_run_is_never_overwritten_nor_resumed_by_mistake(pictures: Path, tmp_path: Path) -> None:
    train(recipe(super_slomo_recipe(pictures, steps=1)), tmp_path / "run", device="cpu")
    with pytest.raises(CheckpointError, match="holds a run at step 1"):
        train(recipe(super_slomo_recipe(pictures)), tmp_path / "run", device="cpu")
    wider = super_slomo_recipe(pictures)
    wider["network"]["width"] = 4
    with pytest.raises(CheckpointError, match=r"\(network.width is 4, it was 2\): undo the change"):
        train(recipe(wider), tmp_path / "run", device="cpu", resume=True)


def test_a_copy_of_a_checkpoint_is_not_taken_for_one(tmp_path: Path) -> None:
    (tmp_path / "step-00000002 (copy).state").touch()
    assert Checkpoints(tmp_path, 3).steps() == [] and Checkpoints(tmp_path, 3).read_last() is None


def test_a_full_disk_leaves_the_last_checkpoint_whole(tmp_path: Path) -> None:
    """/dev/full stands for the disk: every write to it fails as one on a full disk does."""
    checkpoints = Checkpoints(tmp_path, 2)
    state = State({"weight": torch.ones(3)}, {"step": 1})
    checkpoints.write(1, state, state.tensors, {"network": "fsrcnn"})
    (tmp_path / f".step-00000002.safetensors.{os.getpid()}.partial").symlink_to("/dev/full")
    with pytest.raises(CheckpointError, match="No space left on device"):
        checkpoints.write(2, state, state.tensors, {"network": "fsrcnn"})
    last = checkpoints.read_last()
    assert last is not None and last.values == {"step": 1}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000001.safetensors", "step-00000001.state"]
