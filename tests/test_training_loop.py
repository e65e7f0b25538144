"""The loop: going on exactly, sharing a batch, pausing, skipping what is not finite, and what a run leaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import tomli_w
import torch
from safetensors.torch import load_file

from vs_interp.checkpoint import load_checkpoint
from vs_interp.errors import ArgumentError, CheckpointError, DatasetError
from vs_interp.registry import NETWORKS
from vs_interp.training.checkpoints import Checkpoints, State
from vs_interp.training.drafts import Drafts
from vs_interp.training.loop import Report, train
from vs_interp.training.pause import PAUSE_FILE
from vs_interp.training.processes import Processes
from vs_interp.training.recipe import Recipe
from vs_interp.training.samples import Workshop
from vs_interp.training.trainer import Trainer, first_network

from .support import ROOT
from .training import fsrcnn_recipe, super_slomo_recipe, write_pictures

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    write_pictures(folder)
    return folder


def recipe(values: dict[str, Any]) -> Recipe:
    return Recipe.model_validate(values)


class Stop:
    """A listener that sends this process a signal after a step."""

    def __init__(self, step: int, number: int) -> None:
        self.step, self.number = step, number

    def __call__(self, report: Report) -> None:
        if report.step == self.step:
            os.kill(os.getpid(), self.number)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_run_that_was_stopped_and_resumed_equals_the_unbroken_one_bit_for_bit(
    pictures: Path, tmp_path: Path, precision: str
) -> None:
    """Weights, average, optimiser, schedule and data position: all of the state after 6 steps is the same."""
    wanted = recipe(super_slomo_recipe(pictures, precision=precision, save_every=2))
    train(wanted, tmp_path / "whole", device="cpu")
    assert train(wanted, tmp_path / "broken", device="cpu", listener=Stop(3, signal.SIGTERM)) == signal.SIGTERM
    assert Checkpoints(tmp_path / "broken", 3).steps() == [2, 3]
    train(wanted, tmp_path / "broken", device="cpu", resume=True)
    whole, broken = (load_file(tmp_path / name / "step-00000006.state") for name in ("whole", "broken"))
    assert whole.keys() == broken.keys()
    for name in whole:
        assert torch.equal(whole[name], broken[name]), name


def test_a_killed_run_goes_on_from_its_last_checkpoint(pictures: Path, tmp_path: Path) -> None:
    """A state cut short by a crash is passed over for the one before; the end is the same."""
    wanted = recipe(super_slomo_recipe(pictures, save_every=2))
    train(wanted, tmp_path / "run", device="cpu")
    whole = load_file(tmp_path / "run" / "step-00000006.safetensors")
    broken = tmp_path / "run" / "step-00000006.state"
    broken.write_bytes(broken.read_bytes()[:1000])
    train(wanted, tmp_path / "run", device="cpu", resume=True)
    for name, tensor in load_file(tmp_path / "run" / "step-00000006.safetensors").items():
        assert torch.equal(tensor, whole[name]), name


GRADIENTS = """
import sys, torch
from vs_interp.training.drafts import Drafts
from vs_interp.training.drafts import Drafts
from vs_interp.training.trainer import Trainer, first_network
from vs_interp.training.processes import Processes
from vs_interp.training.recipe import Recipe
from vs_interp.training.samples import Workshop
from vs_interp.training.trainer import Trainer, first_network
from vs_interp.training.samples import Workshop
from vs_interp.training.trainer import Trainer, first_network
from safetensors.torch import save_file
from pathlib import Path
with Processes.join("cpu") as processes:
    recipe = Recipe.read(Path(sys.argv[1]))
    trainer = Trainer(recipe, processes)
    spec = trainer.network.spec
    drafts = Drafts(recipe.data, spec, recipe.training.seed, processes.rank, processes.world)
    outcome = trainer.model(Workshop(spec, drafts.scenes, None, processes.device)(drafts[0]))
    outcome.total.backward()
    if processes.leads:
        save_file({n: p.grad.contiguous() for n, p in trainer.network.named_parameters()}, sys.argv[2])
"""


@pytest.mark.slow
def test_two_processes_give_the_gradients_of_one(pictures: Path, tmp_path: Path) -> None:
    """gloo on the CPU, started by torchrun, against one process with the whole batch."""
    script, file = tmp_path / "gradients.py", tmp_path / "recipe.toml"
    script.write_text(GRADIENTS)
    file.write_text(tomli_w.dumps(super_slomo_recipe(pictures)))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    for launcher, name in (([sys.executable], "one"), (torchrun, "two")):
        command = [*launcher, str(script), str(file), str(tmp_path / f"{name}.safetensors")]
        finished = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=200)
        assert finished.returncode == 0, finished.stderr
    one, two = (load_file(tmp_path / f"{name}.safetensors") for name in ("one", "two"))
    for name, gradient in one.items():
        torch.testing.assert_close(two[name], gradient, rtol=1e-4, atol=1e-6)


SMALL = {"flavr": {"width": 8}, "super-slomo": {"width": 2}, "compact": {"features": 8}, "span": {"features": 8}}
"""Configurations that make large networks quick."""


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_every_network_of_the_registry_takes_a_step(pictures: Path, name: str) -> None:
    """Windows, channels, scale and times follow from the spec alone: one recipe serves all of them."""
    values = super_slomo_recipe(pictures, precision="bf16")
    values["network"] = {"name": name, **SMALL.get(name, {})}
    values["losses"] = {"l1": 1.0}
    values["data"] |= {"batch": 2}
    trainer = Trainer(recipe(values), Processes(0, 1, CPU))
    drafts = Drafts(trainer.recipe.data, trainer.network.spec, 1)
    outcome = trainer.train(Workshop(trainer.network.spec, drafts.scenes, None, CPU)(drafts[0]))
    assert outcome.made.shape[2:] == (64, 64)
    assert trainer.skipped == 0 and torch.isfinite(outcome.total)


@pytest.mark.parametrize("how", ["signal", "file"])
def test_a_pause_saves_and_waits_for_the_next_signal(pictures: Path, tmp_path: Path, how: str) -> None:
    """At step 2 the run pauses with a checkpoint; it takes no step until it is woken, then ends as if nothing was."""
    folder, moments = tmp_path / "run", {}
    wanted = recipe(super_slomo_recipe(pictures, steps=4))

    def wake() -> None:
        while not (folder / "step-00000002.state").exists():
            time.sleep(0.05)
        time.sleep(0.5)
        moments["woken"] = time.monotonic()
        if how == "signal":
            os.kill(os.getpid(), signal.SIGUSR1)
        else:
            (folder / PAUSE_FILE).unlink()

    def listen(report: Report) -> None:
        moments[report.step] = time.monotonic()
        if report.step == 2 and how == "signal":
            os.kill(os.getpid(), signal.SIGUSR1)
        elif report.step == 2:
            (folder / PAUSE_FILE).touch()

    waker = threading.Thread(target=wake)
    waker.start()
    train(wanted, folder, device="cpu", listener=listen)
    waker.join()
    assert moments[2] < moments["woken"] < moments[3]
    assert Checkpoints(folder, 3).steps() == [2, 4]


def test_a_gradient_that_is_not_finite_is_skipped_and_counted(pictures: Path) -> None:
    """The weights stay as they are; the next step is taken."""
    trainer = Trainer(recipe(super_slomo_recipe(pictures)), Processes(0, 1, CPU))
    drafts = Drafts(trainer.recipe.data, trainer.network.spec, 1)
    batch = Workshop(trainer.network.spec, drafts.scenes, None, CPU)(drafts[0])
    before = {name: tensor.clone() for name, tensor in trainer.network.state_dict().items()}
    trainer.train(batch._replace(truth=torch.full_like(batch.truth, torch.nan)))
    assert trainer.skipped == 1
    assert all(torch.equal(tensor, before[name]) for name, tensor in trainer.network.state_dict().items())
    trainer.train(batch)
    assert trainer.skipped == 1
    assert any(not torch.equal(tensor, before[name]) for name, tensor in trainer.network.state_dict().items())


def test_checkpoints_are_the_last_few_and_the_best_and_carry_the_configuration(pictures: Path, tmp_path: Path) -> None:
    values = fsrcnn_recipe(pictures, save_every=2, keep=2)
    values["validation"] = {"footage": f"pictures:{pictures / 'photos'}", "split": "train", "windows": 2, "every": 2}
    seen: list[float] = []
    train(recipe(values), tmp_path / "run", device="cpu", listener=lambda r: seen.append(r.validation or 0.0))
    assert Checkpoints(tmp_path / "run", 2).steps() == [4, 6]
    best = load_checkpoint(tmp_path / "run" / "best.safetensors")
    assert best.config.features == 8
    assert [score > 0 for score in seen] == [False, True] * 3


def test_validation_that_does_not_get_better_ends_the_run(pictures: Path, tmp_path: Path) -> None:
    """With a learning rate of nothing no validation is better than the first."""
    values = fsrcnn_recipe(pictures, steps=50, learning_rate=1e-30)
    values["validation"] = {
        "footage": f"pictures:{pictures / 'photos'}", "split": "train", "windows": 1, "every": 1, "patience": 3,
    }  # fmt: skip
    steps: list[int] = []
    train(recipe(values), tmp_path / "run", device="cpu", listener=lambda report: steps.append(report.step))
    assert steps[-1] == 4


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


def test_another_run_is_never_overwritten_nor_resumed_by_mistake(pictures: Path, tmp_path: Path) -> None:
    train(recipe(super_slomo_recipe(pictures, steps=1)), tmp_path / "run", device="cpu")
    with pytest.raises(CheckpointError, match="holds a run at step 1"):
        train(recipe(super_slomo_recipe(pictures)), tmp_path / "run", device="cpu")
    wider = super_slomo_recipe(pictures)
    wider["network"]["width"] = 4
    with pytest.raises(CheckpointError, match="resume with the recipe that began it"):
        train(recipe(wider), tmp_path / "run", device="cpu", resume=True)


def test_a_full_disk_leaves_the_last_checkpoint_whole(tmp_path: Path) -> None:
    """/dev/full stands for the disk: every write to it fails as one on a full disk does."""
    checkpoints = Checkpoints(tmp_path, 2)
    state = State({"weight": torch.ones(3)}, {"step": 1})
    checkpoints.write(1, state, state.tensors, {"network": "fsrcnn"})
    (tmp_path / ".step-00000002.safetensors.partial").symlink_to("/dev/full")
    with pytest.raises(CheckpointError, match="No space left on device"):
        checkpoints.write(2, state, state.tensors, {"network": "fsrcnn"})
    last = checkpoints.read_last()
    assert last is not None and last.values == {"step": 1}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000001.safetensors", "step-00000001.state"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"losses": {"census2": 1.0}}, "cannot have the loss 'census2'"),
        ({"network": {"name": "fsrcnn", "width": 3}}, "fsrcnn takes scale, features, shrunk, mappings"),
        ({"losses": {"perceptual": 1.0}}, "VGG16"),
        ({"data": {"crop": [4096, 64]}}, "smaller than the crop"),
        ({"data": {"source": [{"footage": "pictures:/nowhere"}]}}, "nowhere"),
    ],
)
def test_what_cannot_be_trained_is_said_before_the_first_step(
    pictures: Path, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    values = fsrcnn_recipe(pictures)
    for table, content in change.items():
        values[table] = content if table != "data" else {**values[table], **content}
    with pytest.raises((ArgumentError, DatasetError), match=message):
        train(recipe(values), tmp_path / "run", device="cpu")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[network", "no TOML"),
        ("", "network: Field required"),
        ('[network]\nname="fsrcnn"\n[losses]\nl1=1\n[training]\nsteps=0\nlearning_rate=1\n[data]\nbatch=1\ncrop=[8,8]\n'
         '[[data.source]]\nfootage="pictures:x"', "training.steps: Input should be greater than or equal to 1"),
        ('[network]\nname="fsrcnn"\n[losses]\nl1=1\n[training]\nsteps=1\nlearning_rate=1\n[data]\nbatch=1\ncrop=[8,8]\n'
         '[[data.source]]\nshare=1', "give footage ="),
    ],
)  # fmt: skip
def test_a_wrong_recipe_is_named_with_the_key(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    with pytest.raises(ArgumentError, match=message) as caught:
        Recipe.read(path)
    assert str(path) in str(caught.value)


def test_all_recipes_of_the_repository_can_be_read() -> None:
    for path in sorted((ROOT / "recipes").glob("*.toml")):
        assert Recipe.read(path).network["name"]
