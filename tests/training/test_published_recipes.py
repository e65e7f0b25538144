"""Recipes as they are published, on data that is made for it: their first steps, and the commands that pages show."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

from tests.command_line import run
from tests.published import published_model
from tests.support import ROOT
from tests.training_data import texture
from vs_interp.weights.checkpoint import load_checkpoint

QUICK = "--set", "data.batch=1", "--set", "training.steps=2", "--set", "validation.windows=1", "--device", "cpu"


def adobe240(root: Path) -> Path:
    """Write clips of 12 frames that pan, as Super-SloMo's own data set has them."""
    for split in ("train", "validation"):
        for clip in range(2):
            folder = root / split / str(clip)
            folder.mkdir(parents=True)
            whole = texture(clip, 80, 160)
            for number in range(12):
                Image.fromarray(whole[:, 4 * number : 4 * number + 96]).save(folder / f"{number}.png")
    return root


@pytest.mark.slow
@pytest.mark.parametrize("data", ["adobe240", "Big Buck Bunny"])
def test_super_slomo_as_published_takes_its_first_two_hundred_steps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], data: str
) -> None:
    """Without VGG16's weights, which is said; network, crops and batches are smaller, all else is the recipe's."""
    if data == "adobe240":
        train = valid = f"adobe240:{adobe240(tmp_path / 'adobe240')}"
        parts: tuple[str, ...] = ()
    else:
        clip = ROOT / "vs_interp" / "clips" / "bbb_360p24.mp4"
        assert run("dataset", "make", clip, "-o", tmp_path / "film", "--height", "90", "--quiet") == 0
        train = valid = f"shards:{tmp_path / 'film'}"
        parts = "--set", "data.source.0.part=[0.0, 0.5]", "--set", "validation.part=[0.5, 1.0]"
    capsys.readouterr()
    command = "train", ROOT / "recipes" / "super-slomo.toml", "-o", tmp_path / "run", *QUICK, *parts, "--steps", "200"
    smaller = "--set", "network.width=2", "--set", "data.crop=[64, 64]", "--set", "data.workers=1"
    addresses = "--set", f"data.source.0.footage={train}", "--set", f"validation.footage={valid}"
    assert run(*command, *smaller, *addresses) == 0
    said = capsys.readouterr().err
    assert "no data/vgg16.pth: training without the perceptual loss" in said
    assert "run/best.safetensors: trained" in said
    last = json.loads((tmp_path / "run" / "log.jsonl").read_text().splitlines()[-1])
    assert (last["step"], last["skipped"]) == (200, 0)


def documented() -> list[str]:
    """Return the three commands of the recipe for one's own clips, which docs/training.md shows as well."""
    recipe = (ROOT / "recipes" / "own-clips.toml").read_text(encoding="utf-8")
    commands = re.findall(r"^#     (vs-interp .*)$", recipe, re.MULTILINE)
    assert len(commands) == 3
    page = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    assert all(command in page for command in commands)
    return commands


@pytest.mark.slow
@pytest.mark.timeout(1200)  # an export of RIFE: half a minute, and ten times that beside other work
@pytest.mark.parametrize(
    "start", ["super-slomo-small", "flavr-small-2x", pytest.param("rife-4.25", marks=pytest.mark.published)]
)
def test_the_documented_commands_make_a_model_of_ones_own_film(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: str
) -> None:
    """From the repository's root; fewer steps and smaller crops are all that is changed."""
    wanted = load_checkpoint(published_model(start))
    (tmp_path / "films").mkdir()
    for path in (ROOT / "recipes", ROOT / "examples"):
        (tmp_path / path.name).symlink_to(path)
    shutil.copy(ROOT / "vs_interp" / "clips" / "bbb_360p24.mp4", tmp_path / "films" / "in.mkv")
    monkeypatch.chdir(tmp_path)
    make, train, export = documented()
    assert run(*make.replace("films/*.mkv", "films/in.mkv").split()[1:], "--quiet") == 0
    smaller = "--set", "data.crop=[128, 128]", "--set", f"start={start}", "--quiet"
    assert run(*train.split()[1:], *QUICK, *smaller) == 0
    assert run(*export.split()[1:], "--quiet") == 0
    assert type(load_checkpoint(Path("mine.onnx"))) is type(wanted)
