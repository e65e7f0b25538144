"""Recipes: what is wrong with one is said with its key, before the first step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support import ROOT
from tests.training_data import fsrcnn_recipe, recipe, super_slomo_recipe
from vs_interp.errors import ArgumentError, DatasetError
from vs_interp.training.loop import train
from vs_interp.training.recipe_file import read_recipe


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"losses": {"census2": 1.0}}, "cannot have the loss 'census2'"),
        ({"network": {"name": "fsrcnn", "width": 3}}, "fsrcnn has scale, features, shrunk, mappings"),
        ({"losses": {"perceptual": 1.0}}, "VGG16"),
        ({"losses": {"bce": 1.0}}, "fsrcnn cannot have the loss 'bce'"),
        (
            {"losses": {"ssim": 1.0}, "data": {"crop": [48, 16]}},
            "ssim compares .* at least 11 pixels, .* leaves 8: make",
        ),
        ({"losses": {"ms-ssim": 1.0}, "data": {"crop": [40, 48]}}, "at least 33 pixels, .* leaves 32"),
        ({"data": {"crop": [4096, 64]}}, "smaller than the crop"),
        ({"data": {"crop": [64, 63]}}, r"data.crop is \[64, 63\].*fsrcnn cannot.*multiples of 2, at least 16"),
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


def test_a_crop_that_the_network_cannot_take_is_said_before_the_first_step(pictures: Path, tmp_path: Path) -> None:
    values = super_slomo_recipe(pictures)
    values["network"]["flow_scales"] = [4, 2]
    with pytest.raises(DatasetError, match=r"data.crop is \[64, 64\].*super-slomo.*multiples of 128, at least 128"):
        train(recipe(values), tmp_path / "run", device="cpu")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[network", "this is not valid TOML"),
        ("", "data: Field required; losses: Field required; training: Field required: fix"),
        ('[network]\nname="fsrcnn"\n[losses]\nl1=1\n[training]\nsteps=0\nlearning_rate=1\n[data]\nbatch=1\ncrop=[8,8]\n'
         '[[data.source]]\nfootage="pictures:x"', r"training.steps \(0\): Input should be greater than or equal to 1"),
        ('[network]\nname="fsrcnn"\n[losses]\nl1=1\n[training]\nsteps=1\nlearning_rate=1\n[data]\nbatch=1\ncrop=[8,8]\n'
         '[[data.source]]\nshare=1', "give footage ="),
    ],
)  # fmt: skip
def test_a_wrong_recipe_is_named_with_the_key(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    with pytest.raises(ArgumentError, match=message) as caught:
        read_recipe(path)
    assert str(path) in str(caught.value)


def test_all_recipes_of_the_repository_can_be_read() -> None:
    for path in sorted((ROOT / "recipes").glob("*.toml")):
        recipe = read_recipe(path)
        assert recipe.network.get("name") or recipe.training.start
