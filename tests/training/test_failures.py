"""What goes wrong on the way ends a run soon and in one line, its data workers with it."""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import tomli_w
import torch
from PIL import Image
from torch import Tensor

from tests.command_line import COMMAND, refused, run
from tests.training_data import frames, fsrcnn_recipe, recipe, super_slomo_recipe
from tests.video import make_film
from vs_interp.errors import BackendError, DatasetError
from vs_interp.networks.fsrcnn import Fsrcnn
from vs_interp.registry import NETWORKS
from vs_interp.training.batches import Batches
from vs_interp.training.beginning import first_network
from vs_interp.training.loop import train
from vs_interp.training.processes import Processes
from vs_interp.training.report import Report
from vs_interp.training.scenes.drafts import Drafts

Spoil = Callable[[Path], Any]


def cut_short(folder: Path) -> None:
    for path in folder.rglob("*.png"):
        path.write_bytes(path.read_bytes()[:60])


def take_away(folder: Path) -> None:
    shutil.rmtree(folder)


def shrink(folder: Path) -> None:
    for path in list(folder.rglob("*.png"))[1:]:
        with Image.open(path) as image:
            image.resize((32, 24)).save(path)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (cut_short, r"20 windows in a row cannot be read; the last: .* is not a readable picture"),
        (take_away, r"20 windows in a row cannot be read; the last: .* is missing: the data set is incomplete"),
        (shrink, r"20 windows in a row cannot be read; the last: .* they must be of one size"),
    ],
)
def test_frames_that_are_spoilt_while_a_worker_reads_end_the_run(tmp_path: Path, spoil: Spoil, message: str) -> None:
    folder = frames(tmp_path / "film" / "a", 8).parent
    values = super_slomo_recipe(tmp_path)
    values["data"] |= {"workers": 2, "source": [{"footage": f"frames:{folder}"}]}
    assert_ends(values, lambda: spoil(folder), message)


@pytest.mark.timeout(60)
def test_a_film_smaller_than_the_crop_among_larger_ones_ends_the_run(tmp_path: Path) -> None:
    """The first sequences are looked at before anything is read; the seventeenth is not."""
    folder = tmp_path / "film"
    for number in range(20):
        frames(folder / f"{number:02}", 3, *((96, 128) if number < 16 else (48, 48)))
    values = super_slomo_recipe(tmp_path)
    values["data"] |= {"workers": 1, "source": [{"footage": f"frames:{folder}", "part": [0.85, 1.0]}]}
    assert_ends(values, lambda: None, r"in a row are smaller than 64x64: make data.crop smaller")


@pytest.mark.timeout(60)
def test_shards_that_vanish_end_the_run(tmp_path: Path) -> None:
    make_film(tmp_path / "in.mkv")
    assert run("dataset", "make", tmp_path / "in.mkv", "-o", tmp_path / "shards", "--quiet") == 0
    values = super_slomo_recipe(tmp_path)
    values["data"] |= {"workers": 1, "source": [{"footage": f"shards:{tmp_path / 'shards'}"}]}
    assert_ends(values, (tmp_path / "shards" / "00000.yuv").unlink, r"00000\.yuv cannot be mapped")


@pytest.mark.timeout(60)
def test_labels_that_a_data_set_does_not_have_end_the_run(pictures: Path) -> None:
    values = super_slomo_recipe(pictures) | {"losses": {"bce": 1.0}, "network": {"name": "unet49", "width": 4}}
    values["data"] |= {"workers": 1, "source": [{"footage": f"pictures:{pictures / 'photos'}"}]}
    assert_ends(values, lambda: None, r"has no labels, which unet49 needs")


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("network", "message"),
    [
        ({"name": "unet49", "width": 4}, r"has no labels, which unet49 needs"),
        (
            {"name": "simvp", "frames": 2, "width": 4, "inner": 8, "layers": 2, "channels": 14, "labels": True},
            r"has the label \d+, but classes are 0 to 48",
        ),
    ],
)
def test_film_in_a_gpu_s_memory_is_not_taken_for_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, network: dict[str, Any], message: str
) -> None:
    """Its colours would be classes there, without a word; a CPU stands in for a GPU that has room for the film."""
    monkeypatch.setattr("vs_interp.training.batches.fits", lambda footages, device: True)
    make_film(tmp_path / "in.mkv")
    assert run("dataset", "make", tmp_path / "in.mkv", "-o", tmp_path / "shards", "--quiet") == 0
    values = super_slomo_recipe(tmp_path) | {"losses": {"mse": 1.0}, "network": network}
    values["data"] |= {"workers": 1, "source": [{"footage": f"shards:{tmp_path / 'shards'}"}]}
    assert_ends(values, lambda: None, message)


@pytest.mark.timeout(60)
def test_files_that_the_system_cannot_open_end_the_run(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no error of ours, but of the system: here, too many files are open in the worker."""
    kept, drawn = Drafts.__getitem__, resource.getrlimit(resource.RLIMIT_NOFILE)

    def crowded(drafts: Drafts, step: int) -> Any:
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, drawn[1]))
        with Path(os.devnull).open(encoding="utf-8"):
            return kept(drafts, step)

    monkeypatch.setattr(Drafts, "__getitem__", crowded)
    values = fsrcnn_recipe(pictures)
    values["data"] |= {"workers": 1}
    assert_ends(values, lambda: None, r"batch 0 cannot be read \(.*Too many open files")


def assert_ends(values: dict[str, Any], spoil: Callable[[], Any], message: str) -> None:
    """Open the data, spoil it, and see the first batch fail with its message and every worker end."""
    wanted, alone = recipe(values), Processes(0, 1, torch.device("cpu"))
    batches = Batches(wanted, first_network(wanted).spec, alone)
    spoil()
    with pytest.raises(DatasetError, match=message) as caught:
        next(batches.since(0))
    assert "\n" not in str(caught.value)
    assert not multiprocessing.active_children()


@pytest.mark.timeout(60)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the worker's sockets, left open
def test_a_worker_that_the_system_kills_ends_the_run(pictures: Path, tmp_path: Path) -> None:
    """As Linux does where memory is full.  What to do is said with the last checkpoint."""

    def listen(report: Report) -> None:
        if report.step == 2:
            for child in multiprocessing.active_children():
                os.kill(child.pid or 0, signal.SIGKILL)

    values = super_slomo_recipe(pictures, steps=1000, save_every=1)
    values["data"] |= {"workers": 1}
    with pytest.raises(BackendError, match=r"a data worker was killed .*--resume --set data\.batch=2"):
        train(recipe(values), tmp_path / "run", device="cpu", listener=listen)
    gc.collect()  # what the worker leaves is told here, not in a later test


class Greedy(Fsrcnn):
    """A network whose third step asks for more memory than a GPU has."""

    steps_taken = 0

    def made(self, frames: tuple[Tensor, ...], state: tuple[Tensor, ...], time: Tensor | None) -> Tensor:
        Greedy.steps_taken += 1
        if Greedy.steps_taken > 2:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")
        return super().made(frames, state, time)


def test_a_gpu_that_is_full_keeps_the_checkpoint_and_says_what_helps(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("vs_interp.networks.greedy")
    module.Greedy = Greedy  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(NETWORKS, "greedy", "greedy:Greedy")
    monkeypatch.setattr(Greedy, "steps_taken", 0)
    values = fsrcnn_recipe(pictures, save_every=1)
    values["network"]["name"] = "greedy"
    with pytest.raises(BackendError, match=r"out of memory after step 2 .*step-00000002\.safetensors .*data\.batch=2"):
        train(recipe(values), tmp_path / "run", device="cpu")
    values["data"]["batch"] = 2
    monkeypatch.setattr(Greedy, "steps_taken", -100)
    assert (
        train(recipe(values), tmp_path / "run", device="cpu", resume=True) == tmp_path / "run/step-00000006.safetensors"
    )


@contextlib.contextmanager
def files_end_at(size: int) -> Iterator[None]:
    """The system refuses to make a file larger, as it would beyond the disk's end."""
    drawn = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, drawn[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, drawn)


def test_a_disk_that_fills_up_leaves_the_last_checkpoint_whole(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, and what is there goes on."""
    monkeypatch.chdir(tmp_path)
    Path("recipe.toml").write_text(tomli_w.dumps(fsrcnn_recipe(pictures, steps=400, save_every=2)))
    begin = ["train", "recipe.toml", "-o", "run", "--device", "cpu", "--quiet"]
    assert run(*begin, "--steps", "2") == 0
    with files_end_at(Path("run/step-00000002.state").stat().st_size // 2):
        code = run(*begin, "--resume")
    assert re.fullmatch(
        r"vs-interp: run/step-\S+ cannot be written \(File too large\): make room and resume\n",
        refused(capsys, code),
    )
    assert not list(Path("run").glob("*.partial"))
    assert run(*begin, "--resume", "--steps", "4") == 0


def test_two_trainers_in_one_folder_are_refused(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second says who trains there; when the first has ended nothing keeps the folder."""
    path, told = tmp_path / "recipe.toml", []
    path.write_text(tomli_w.dumps(fsrcnn_recipe(pictures, steps=2)))

    def listen(report: Report) -> None:
        command = [*COMMAND, "train", str(path), "-o", str(tmp_path / "run"), "--device", "cpu", "--resume"]
        told.append(subprocess.run(command, capture_output=True, text=True, check=False, timeout=200))

    train(recipe(fsrcnn_recipe(pictures, steps=1)), tmp_path / "run", device="cpu", listener=listen)
    assert told[0].returncode == 2
    assert re.fullmatch(rf"vs-interp: process {os.getpid()} on \S+ is training in \S+run: [^\n]+\n", told[0].stderr)
    assert run("train", path, "-o", tmp_path / "run", "--device", "cpu", "--resume", "--quiet") == 0


def test_nothing_is_left_of_a_run_that_could_not_begin(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(tomli_w.dumps(fsrcnn_recipe(pictures)))
    code = run("train", path, "-o", tmp_path / "run", "--set", "data.source.0.footage=pictures:/nowhere")
    assert "/nowhere is not a folder" in refused(capsys, code)
    assert not (tmp_path / "run").exists()
