"""Recipes that begin where others end: trained in order, each once, and wrong ones are refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.command_line import refused, run
from tests.training_data import fsrcnn_recipe, write_pictures
from vs_interp.errors import ArgumentError
from vs_interp.training.stages import stages
from vs_interp.weights.checkpoint import load_checkpoint


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def toml(values: dict[str, Any], table: str = "") -> str:
    """Return values as TOML: enough of it for a recipe."""
    plain = [f"{key} = {literal(value)}" for key, value in values.items() if not isinstance(value, dict)]
    below = [toml(value, f"{table}{key}.") for key, value in values.items() if isinstance(value, dict)]
    return "\n".join(([f"[{table[:-1]}]"] if table else []) + plain + below) + "\n"


def literal(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(literal(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {literal(item)}" for key, item in value.items()) + " }"
    return str(value).lower() if isinstance(value, bool) else repr(value)


def write_recipe(folder: Path, name: str, steps: int = 1, **training: Any) -> Path:
    """Write the recipe of a tiny FSRCNN and return its path."""
    path = folder / f"{name}.toml"
    path.write_text(toml(fsrcnn_recipe(folder, steps=steps, save_every=1, **training)))
    return path


def weights(folder: str, step: int) -> dict[str, torch.Tensor]:
    return load_checkpoint(Path("runs") / folder / f"step-{step:08}.safetensors").state_dict()


def test_what_a_recipe_begins_with_is_trained_first_and_once(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Three begin with the first, the last with the mean of two: four runs.  Its first step is all that it adds."""
    write_pictures(here)
    write_recipe(here, "first", steps=2)
    write_recipe(here, "left", start="first.toml", seed=1)
    write_recipe(here, "right", start="first.toml", seed=2)
    path = write_recipe(here, "last", start=["left.toml", "right.toml"], learning_rate=1e-12)
    assert run("train", path) == 0
    told = [line for line in capsys.readouterr().err.splitlines() if "to train first" in line]
    assert [line.partition(",")[0] for line in told] == ["first.toml", "left.toml", "right.toml"]
    last, left, right = weights("last", 1), weights("left", 1), weights("right", 1)
    assert any(not torch.equal(left[name], right[name]) for name in left)
    for name, tensor in last.items():
        torch.testing.assert_close(tensor, (left[name] + right[name]) / 2, rtol=0, atol=1e-6)


def test_runs_that_have_ended_are_not_run_again_and_others_go_on(here: Path) -> None:
    """The last weights stand for a run; one with fewer steps goes on, and needs no more what it began with."""
    write_pictures(here)
    write_recipe(here, "first")
    write_recipe(here, "second", steps=2, start="first.toml")
    path = write_recipe(here, "third", start={"shrink": "second.toml"})
    assert [stage.path.stem for stage in stages(path)] == ["first", "second", "third"]
    assert run("train", "second.toml", "--steps", "1", "--quiet") == 0
    found = stages(path)
    assert [stage.path.stem for stage in found] == ["second", "third"]
    assert found[1].recipe.training.start == {"shrink": Path("runs/second/step-00000002.safetensors")}
    shutil.rmtree("runs/first")
    assert run("train", "second.toml", "--resume", "--quiet") == 0
    assert [stage.path.stem for stage in stages(path)] == ["third"]


def test_a_circle_and_an_end_that_is_not_known_are_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_pictures(here)
    write_recipe(here, "hen", start="egg.toml")
    write_recipe(here, "egg", start="hen.toml")
    assert "hen.toml starts from egg.toml starts from hen.toml: " in refused(capsys, run("train", "hen.toml"))
    recipe = fsrcnn_recipe(here) | {"validation": {"footage": "pictures:photos", "patience": 3}}
    (here / "patient.toml").write_text(toml(recipe))
    write_recipe(here, "after", start="patient.toml")
    with pytest.raises(ArgumentError, match=r"after\.toml starts from patient\.toml, which may end early \(.*= 3\)"):
        stages(Path("after.toml"))
    (here / "copies").mkdir()
    write_recipe(here, "lone")
    write_recipe(here, "copies/lone", start="lone.toml")
    with pytest.raises(ArgumentError, match=r"lone\.toml and copies/lone\.toml would both be run in runs/lone"):
        stages(Path("copies/lone.toml"))
    write_recipe(here, "lost", start="nowhere.toml")
    assert "nowhere.toml" in refused(capsys, run("train", "lost.toml"))
    assert not (here / "runs").exists()
