"""The loop: going on exactly, pausing, skipping what is not finite, and when a run ends."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import threading
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.exported import OTHER_KINDS
from tests.training_data import fsrcnn_recipe, recipe, super_slomo_recipe
from vs_interp.errors import ArgumentError, DatasetError
from vs_interp.registry import NETWORKS
from vs_interp.training.batches import Batches
from vs_interp.training.checkpoints import Checkpoints
from vs_interp.training.loop import train
from vs_interp.training.pause import PAUSE_FILE
from vs_interp.training.processes import Processes
from vs_interp.training.report import Report
from vs_interp.training.scenes.samples import Batch
from vs_interp.training.trainer import Trainer

CPU = torch.device("cpu")


def first_batch(trainer: Trainer) -> Batch:
    return next(Batches(trainer.recipe, trainer.network.spec, trainer.processes).since(0))


class Stop:
    """A listener that sends this process a signal after a step."""

    def __init__(self, step: int, number: int) -> None:
        self.step, self.number = step, number

    def __call__(self, report: Report) -> None:
        if report.step == self.step:
            os.kill(os.getpid(), self.number)


@pytest.mark.parametrize(("precision", "threads"), [("fp32", 1), ("bf16", 1), ("bf16", 3)])
def test_a_run_that_was_stopped_and_resumed_equals_the_unbroken_one_bit_for_bit(
    pictures: Path, tmp_path: Path, precision: str, threads: int
) -> None:
    """Weights, average, optimiser, schedule and data position: all of the state after 6 steps is the same."""
    wanted = recipe(super_slomo_recipe(pictures, precision=precision, threads=threads, save_every=2))
    train(wanted, tmp_path / "whole", device="cpu")
    assert train(wanted, tmp_path / "broken", device="cpu", listener=Stop(3, signal.SIGTERM)) == signal.SIGTERM
    assert Checkpoints(tmp_path / "broken", 3).steps() == [2, 3]
    train(wanted, tmp_path / "broken", device="cpu", resume=True)
    whole, broken = (load_file(tmp_path / name / "step-00000006.state") for name in ("whole", "broken"))
    assert whole.keys() == broken.keys()
    for name in whole:
        assert torch.equal(whole[name], broken[name]), name


def test_a_run_that_its_minutes_end_says_so_from_the_start(pictures: Path, tmp_path: Path) -> None:
    """The steps that a terminal counts to, and the time left, follow from the time limit and the speed."""
    trainer = Trainer(recipe(fsrcnn_recipe(pictures, steps=1000, minutes=1)), Processes(0, 1, CPU))
    trainer.step, trainer.seconds = 10, 30.0
    assert trainer.expected_steps(speed=8.0) == 10 + 30 * 8 / 4
    assert trainer.expected_steps(speed=800.0) == 1000
    reports: list[Report] = []
    train(recipe(fsrcnn_recipe(pictures, minutes=1e-6)), tmp_path / "run", device="cpu", listener=reports.append)
    assert [(report.step, report.steps) for report in reports] == [(1, 1)]


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


def test_a_stop_that_comes_while_the_processes_agree_leaves_a_checkpoint(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a process said of itself is old by then: the run stops after its next step, with its weights."""
    agree = Processes.agree

    def interrupted(processes: Processes, *wanted: bool) -> tuple[bool, ...]:
        agreed = agree(processes, *wanted)
        if not signalled:
            signalled.append(True)
            os.kill(os.getpid(), signal.SIGTERM)
        return agreed

    signalled: list[bool] = []
    monkeypatch.setattr(Processes, "agree", interrupted)
    wanted = recipe(super_slomo_recipe(pictures, save_every=6))
    assert train(wanted, tmp_path / "run", device="cpu") == signal.SIGTERM
    assert Checkpoints(tmp_path / "run", 3).steps() == [2]


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


def test_a_stop_during_a_pause_takes_no_step_more(pictures: Path, tmp_path: Path) -> None:
    """What the GPU was left to would be in the way: the checkpoint of the pause is the run's last."""
    folder, steps = tmp_path / "run", []
    folder.mkdir()

    def stop() -> None:
        while not (folder / "step-00000002.safetensors").exists():
            time.sleep(0.05)
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)

    def listen(report: Report) -> None:
        steps.append(report.step)
        if report.step == 2:
            (folder / PAUSE_FILE).touch()

    stopper = threading.Thread(target=stop)
    stopper.start()
    assert train(recipe(super_slomo_recipe(pictures)), folder, device="cpu", listener=listen) == signal.SIGTERM
    stopper.join()
    assert steps == [1, 2]
    assert Checkpoints(folder, 3).steps() == [2]


SMALL = {"flavr": {"width": 8}, "super-slomo": {"width": 2}, "compact": {"features": 8}, "span": {"features": 8}}
"""Configurations that make large networks quick."""


@pytest.mark.parametrize("name", sorted(NETWORKS.keys() - OTHER_KINDS))
def test_every_network_of_the_registry_takes_a_step(pictures: Path, name: str) -> None:
    """Windows, channels, scale and times follow from the spec alone: one recipe serves all of them."""
    values = super_slomo_recipe(pictures, precision="bf16")
    values["network"] = {"name": name, **SMALL.get(name, {})}
    values["losses"] = {"l1": 1.0}
    values["data"] |= {"batch": 2}
    trainer = Trainer(recipe(values), Processes(0, 1, CPU))
    outcome = trainer.train(first_batch(trainer))
    assert outcome.made.shape[2:] == (64, 64)
    assert trainer.skipped == 0 and torch.isfinite(outcome.total)


def test_frozen_parts_stay_what_they_were(pictures: Path) -> None:
    """Weight decay and average leave them alone, too; a part that is not there is named with those that are."""
    values = super_slomo_recipe(pictures, frozen=["enlarger"], weight_decay=0.1)
    values["network"] = {"name": "fsrcnn+delta", "scale": 2}
    values["losses"] = {"l1": 1.0}
    trainer = Trainer(recipe(values), Processes(0, 1, CPU))
    before = {name: tensor.clone() for name, tensor in trainer.network.state_dict().items()}
    trainer.train(first_batch(trainer))
    changed = {name for name, tensor in trainer.network.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed and all(name.startswith("refiner.") for name in changed)
    assert all(torch.equal(before[name], trainer.average[name]) for name in before if name.startswith("enlarger."))
    values["training"]["frozen"] = ["encoder"]
    with pytest.raises(ArgumentError, match=r"'encoder', .*enlarger, refiner"):
        Trainer(recipe(values), Processes(0, 1, CPU))


def test_a_gradient_that_is_not_finite_is_skipped_and_counted(pictures: Path) -> None:
    """The weights stay as they are; the next step is taken."""
    trainer = Trainer(recipe(super_slomo_recipe(pictures)), Processes(0, 1, CPU))
    batch = first_batch(trainer)
    before = {name: tensor.clone() for name, tensor in trainer.network.state_dict().items()}
    trainer.train(batch._replace(truth=torch.full_like(batch.truth, torch.nan)))
    assert trainer.skipped == 1
    assert all(torch.equal(tensor, before[name]) for name, tensor in trainer.network.state_dict().items())
    trainer.train(batch)
    assert trainer.skipped == 1
    assert any(not torch.equal(tensor, before[name]) for name, tensor in trainer.network.state_dict().items())


def test_data_that_cannot_be_read_ends_a_run_with_workers_in_one_line(pictures: Path, tmp_path: Path) -> None:
    """An error in a worker is raised where the run is, with its message, and the worker has ended."""
    folder = tmp_path / "photos"
    shutil.copytree(pictures / "photos", folder)
    values = fsrcnn_recipe(pictures)
    values["data"] |= {"workers": 1, "source": [{"footage": f"pictures:{folder}"}]}
    wanted = recipe(values)
    batches = Batches(wanted, Trainer(wanted, Processes(0, 1, CPU)).network.spec, Processes(0, 1, CPU))
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes()[:60])
    begun = time.monotonic()
    with pytest.raises(DatasetError, match=r"windows in a row cannot be read; the last: .*fetch or unpack it again"):
        next(batches.since(0))
    assert time.monotonic() - begun < 60
    assert not multiprocessing.active_children()
