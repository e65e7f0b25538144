"""Going on by a recipe that has changed, and what a run's folder says: nothing is applied, or ignored, in silence."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import tomli_w
import torch
from PIL import Image

from tests.command_line import COMMAND, run
from tests.support import names
from tests.training_data import fsrcnn_recipe, recipe, super_slomo_recipe, texture, write_pictures
from vs_interp.errors import ArgumentError, CheckpointError, DatasetError
from vs_interp.log import speak
from vs_interp.training.checkpoints import Checkpoints
from vs_interp.training.loop import train
from vs_interp.training.pause import PAUSE_FILE
from vs_interp.training.recipe_file import changed, parse_recipe, read_recipe
from vs_interp.training.report import Report
from vs_interp.training.trainer import Trainer


def rates(values: dict[str, Any], folder: Path, **options: Any) -> list[float]:
    """Train and return the rate of every step."""
    seen: list[float] = []
    train(recipe(values), folder, device="cpu", listener=lambda report: seen.append(report.learning_rate), **options)
    return seen


def test_another_rate_takes_effect_on_resume_and_is_said(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By --set, as the program's own advice has it; the schedule goes on where it was."""
    path, folder = tmp_path / "recipe.toml", tmp_path / "run"
    path.write_text(tomli_w.dumps(fsrcnn_recipe(pictures, steps=3) | {"schedule": {"kind": "constant", "warmup": 0}}))
    command = "train", path, "-o", folder, "--device", "cpu"
    assert run(*command, "--steps", "1") == 0
    capsys.readouterr()
    assert run(*command, "--resume", "--set", "learning_rate=5e-5", "--set", "data.batch=2") == 0
    said = capsys.readouterr().err
    assert (
        "from step 1 on: data.batch is 2, it was 4; training.steps is 3, it was 1; training.learning_rate is 5e-05"
        in said
    )
    log = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert [(line["step"], line["learning_rate"]) for line in log] == [(1, 1e-3), (3, 5e-5)]
    assert read_recipe(folder / "recipe.toml").training.learning_rate == 5e-5


@pytest.mark.parametrize("kind", ["cosine", "multi-step", "plateau"])
def test_every_schedule_goes_on_at_the_new_rate(pictures: Path, tmp_path: Path, kind: str) -> None:
    values = fsrcnn_recipe(pictures, steps=6)
    values["schedule"] = {
        "kind": kind,
        **({"warmup": 0, "milestones": [2]} if kind == "multi-step" else {"patience": 0}),
    }
    if kind == "plateau":
        values["data"]["source"][0]["part"] = [0.0, 0.5]
        values["validation"] = {"footage": f"pictures:{pictures / 'photos'}", "part": [0.5, 1.0], "every": 1}
    whole = rates(values, tmp_path / "whole")
    values["training"]["steps"] = 3
    rates(values, tmp_path / "run")
    values["training"] |= {"steps": 6, "learning_rate": 1e-2}
    rest = rates(values, tmp_path / "run", resume=True)
    if kind != "plateau":  # whose validations differ with the rate
        assert rest == pytest.approx([10 * rate for rate in whole[3:]])
    assert all(10 * 1e-3 >= rate > 1e-6 for rate in rest)


def test_what_makes_another_run_is_listed_and_refused(pictures: Path, tmp_path: Path) -> None:
    values = fsrcnn_recipe(pictures, steps=1)
    train(recipe(values), tmp_path / "run", device="cpu")
    values["network"]["features"] = 9
    values["training"] |= {"seed": 8, "learning_rate": 1.0, "optimiser": "adam", "frozen": ["shrink"]}
    with pytest.raises(CheckpointError) as caught:
        train(recipe(values), tmp_path / "run", device="cpu", resume=True)
    told = str(caught.value)
    for part in (
        "network.features is 9, it was 8",
        "seed is 8, it was 7",
        "optimiser is adam, it was adamw",
        "frozen is",
    ):
        assert part in told
    assert "learning_rate" not in told
    assert f"--set training.start={tmp_path / 'run' / 'step-00000001.safetensors'}" in told


def test_a_data_set_that_has_changed_is_noticed(tmp_path: Path) -> None:
    write_pictures(tmp_path)
    values = fsrcnn_recipe(tmp_path, steps=1)
    train(recipe(values), tmp_path / "run", device="cpu")
    Image.fromarray(texture(7, 160, 224)).save(tmp_path / "photos" / "new.png")
    values["training"]["steps"] = 2
    with pytest.raises(CheckpointError, match=r"the frames of pictures:\S+photos \(train\) have changed"):
        train(recipe(values), tmp_path / "run", device="cpu", resume=True)


@pytest.mark.parametrize(
    ("change", "key", "value"),
    [
        ("learning_rate=1e-5", ("training", "learning_rate"), 1e-5),
        ("training.precision=bf16", ("training", "precision"), "bf16"),
        ("data.source.0.share=0.25", ("data", "source", 0, "share"), 0.25),
        ("still=0.5", ("data", "source", 0, "still"), 0.5),
        ("noise = 2.5", ("data", "variation", "noise"), 2.5),
        ("features=16", ("network", "features"), 16),
        ("losses.ssim=0.1", ("losses", "ssim"), 0.1),
        ("crop=[32, 32]", ("data", "crop"), (32, 32)),
        ("training.start=weights of mine.safetensors", ("training", "start"), Path("weights of mine.safetensors")),
        ("network={name='span'}", ("network",), {"name": "span"}),
    ],
)
def test_any_key_can_be_set(pictures: Path, change: str, key: tuple[str | int, ...], value: Any) -> None:
    text = "# what this is for\n" + tomli_w.dumps(fsrcnn_recipe(pictures))
    found = changed(text, [change])
    assert found.startswith("# what this is for\n")
    place: Any = parse_recipe(found)
    for name in key:
        place = place[name] if isinstance(name, int) or isinstance(place, dict) else getattr(place, name)
    assert place == value


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("learning_rat=1", "no table of a recipe has the key 'learning_rat': did you mean learning_rate"),
        ("patience=3", r"the key 'patience' is ambiguous: give one of schedule\.patience, validation\.patience"),
        (
            "footage=frames:x",
            r"'footage' is ambiguous: give one of data\.source\.0\.footage, validation\.footage",
        ),
        ("data.source.7.share=1", "'data.source.7.share' cannot be set: .*the entries 0 to 0"),
        ("training.steps.more=1", "'training.steps.more' cannot be set"),
        ("steps", "'steps' is not a change: give KEY=VALUE"),
        ("training.stepz=3", r"training\.stepz is not a key of a recipe, did you mean steps"),
        ("steps=many", r"training\.steps \('many'\): Input should be a valid integer"),
        ("training.learning_rate=nan", r"training\.learning_rate \(nan\): Input should be"),
    ],
)
def test_a_key_that_cannot_be_set_is_named(pictures: Path, change: str, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        parse_recipe(changed(tomli_w.dumps(fsrcnn_recipe(pictures)), [change]))


@pytest.mark.slow
def test_runs_under_other_hash_seeds_leave_the_same_bytes(tmp_path: Path) -> None:
    """Sets and dictionaries of strings come in another order there; weights, and files of them, do not."""
    write_pictures(tmp_path)
    values = super_slomo_recipe(tmp_path, steps=3)
    values["losses"] |= {"ssim": 0.1, "census": 0.1, "l1": 0.3}
    (tmp_path / "recipe.toml").write_text(tomli_w.dumps(values))
    for seed in ("1", "2"):
        command = [*COMMAND, "train", "recipe.toml", "-o", f"run-{seed}", "--device", "cpu", "--quiet"]
        environment = {**os.environ, "PYTHONHASHSEED": seed, "OMP_NUM_THREADS": "1"}
        subprocess.run(command, cwd=tmp_path, env=environment, check=True, timeout=250)
    one, two = ((tmp_path / f"run-{seed}" / "step-00000003.safetensors").read_bytes() for seed in ("1", "2"))
    assert one == two


def test_a_pause_leaves_nothing_in_memory_and_says_so(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No trainer, no weights: what can be on a GPU hangs on these.  The end is as without the pause."""
    speak()
    folder, left = tmp_path / "run", []
    values = fsrcnn_recipe(pictures, steps=4)
    values["data"]["workers"] = 1

    def look() -> None:
        while not (folder / "step-00000002.state").exists():
            time.sleep(0.05)
        time.sleep(1.0)
        left.append([one for one in gc.get_objects() if type(one) is Trainer])
        left.append([one for one in gc.get_objects() if type(one) is torch.nn.Parameter])
        (folder / PAUSE_FILE).unlink()

    looking = threading.Thread(target=look)
    before = len([one for one in gc.get_objects() if type(one) is torch.nn.Parameter])

    def listen(report: Report) -> None:
        if report.step == 2 and not left:
            (folder / PAUSE_FILE).touch()

    looking.start()
    train(recipe(values), folder, device="cpu", listener=listen)
    looking.join()
    assert left[0] == [] and len(left[1]) == before
    assert "paused after step 2: a checkpoint is written and memory is free; " in capsys.readouterr().err
    train(recipe(values), tmp_path / "whole", device="cpu")
    whole, paused = ((tmp_path / name / "step-00000004.safetensors").read_bytes() for name in ("whole", "run"))
    assert whole == paused


def test_the_folder_of_a_run_says_what_it_was(pictures: Path, tmp_path: Path) -> None:
    """Recipe, versions and a log with every figure, without any board; nothing of the lock is left."""
    values = fsrcnn_recipe(pictures, steps=2)
    values["data"]["source"][0]["part"] = [0.0, 0.5]
    values["validation"] = {"footage": f"pictures:{pictures / 'photos'}", "part": [0.5, 1.0], "every": 2, "windows": 1}
    train(recipe(values), tmp_path, device="cpu")
    assert names(tmp_path) == [
        "best.safetensors", "log.jsonl", "recipe.toml", "step-00000002.safetensors", "step-00000002.state",
        "versions.json",
    ]  # fmt: skip
    assert json.loads((tmp_path / "versions.json").read_text())["torch"] == torch.__version__
    first, last = (json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines())
    assert first.keys() == {
        "step", "seconds", "losses", "psnr", "ssim", "gradient_norm", "learning_rate", "images_a_second", "skipped",
    }  # fmt: skip
    assert last["validation"]["psnr"] > 5 and 0 < last["validation"]["ssim"] < 1


def test_pictures_that_are_too_small_for_ssim_have_none_in_the_log(pictures: Path, tmp_path: Path) -> None:
    values = fsrcnn_recipe(pictures, steps=1)
    values["network"] = {"name": "single-frame"}
    values["data"] |= {"crop": [8, 8], "margin": 0}
    train(recipe(values), tmp_path, device="cpu")
    (line,) = (json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines())
    assert line["ssim"] is None and line["psnr"] > 0


def test_weights_to_begin_with_are_recommended_where_nothing_better_comes(pictures: Path, tmp_path: Path) -> None:
    """A run whose rate destroys its weights says so: best are those that it began with."""
    values = fsrcnn_recipe(pictures, steps=1)
    begun = train(recipe(values), tmp_path / "first", device="cpu")
    values["training"] |= {"steps": 4, "learning_rate": 10.0, "start": begun, "average": 0.0}
    values["data"]["source"][0]["part"] = [0.0, 0.5]
    values["validation"] = {"footage": f"pictures:{pictures / 'photos'}", "part": [0.5, 1.0], "every": 2, "windows": 1}
    ended = train(recipe(values), tmp_path / "second", device="cpu")
    assert ended == tmp_path / "second" / "best.safetensors"
    assert isinstance(begun, Path) and ended.read_bytes() == begun.read_bytes()


def test_frames_to_validate_by_are_never_trained_on(pictures: Path, tmp_path: Path) -> None:
    """By whatever address they are opened; parts of frames that do not overlap are what is needed."""
    values = fsrcnn_recipe(pictures, steps=1)
    values["validation"] = {"footage": f"frames:{pictures / 'photos'}", "every": 1}
    message = r"validation and data\.source share frames of frames:.* part = \[0\.0, 0\.95\] and part = \[0\.95, 1\.0\]"
    with pytest.raises(DatasetError, match=message):
        train(recipe(values), tmp_path / "run", device="cpu")


def test_generated_frames_to_validate_by_are_never_trained_on(pictures: Path, tmp_path: Path) -> None:
    values = fsrcnn_recipe(pictures, steps=1)
    values["data"]["source"] = [{"footage": "clouds:64x64"}]
    values["validation"] = {"footage": "clouds:64x64", "split": "train", "windows": 1}
    with pytest.raises(DatasetError, match=r"share frames of clouds:64x64 \(clouds-train-0\)"):
        train(recipe(values), tmp_path / "run", device="cpu")
    values["validation"]["split"] = "validation"
    train(recipe(values), tmp_path / "run", device="cpu")


def test_checkpoints_that_a_recipe_keeps_are_the_last(pictures: Path, tmp_path: Path) -> None:
    """--steps and --set mean the same; keep can be raised on the way."""
    path = tmp_path / "recipe.toml"
    path.write_text(tomli_w.dumps(fsrcnn_recipe(pictures, save_every=1, keep=1)))
    command = "train", path, "-o", tmp_path / "run", "--device", "cpu", "--quiet"
    assert run(*command, "--set", "steps=2") == 0
    assert Checkpoints(tmp_path / "run", 1).steps() == [2]
    assert run(*command, "--resume", "--steps", "4", "--set", "keep=2") == 0
    assert Checkpoints(tmp_path / "run", 2).steps() == [3, 4]
