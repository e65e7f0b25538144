"""From pictures to frames: a minute of training, an export, and a clip of known motion that is served."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tomli_w
import vapoursynth as vs
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image

from tests.training_data import fsrcnn_recipe, super_slomo_recipe, texture, write_pictures
from tests.training_data import recipe as parsed
from trt_build.pytorch.export import export
from vs_interp import super_slomo
from vs_interp.cli.train import command
from vs_interp.training.loop import train
from vs_interp.training.report import Report
from vs_interp.weights.checkpoint import load_checkpoint

core = vs.core
FRAMES, SHIFT, SIZE = 8, 4, 128


def panned(seed: int) -> NDArray[np.uint8]:
    """Return frames of a picture that moves by SHIFT pixels a frame, and those half-way between: 2·FRAMES − 1."""
    picture = texture(seed, SIZE, SIZE + SHIFT * FRAMES)
    step = SHIFT // 2
    return np.stack([picture[:, index * step : index * step + SIZE] for index in range(2 * FRAMES - 1)])


def as_clip(frames: NDArray[np.uint8]) -> vs.VideoNode:
    """Return RGB frames as a clip."""

    def fill(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        copy = f.copy()
        for plane in range(3):
            np.copyto(np.asarray(copy[plane]), frames[n][..., plane])
        return copy

    blank = core.std.BlankClip(format=vs.RGB24, width=SIZE, height=SIZE, length=len(frames), fpsnum=24, fpsden=1)
    return core.std.ModifyFrame(blank, blank, fill)


def psnr(made: NDArray[np.uint8], truth: NDArray[np.uint8]) -> float:
    return float(-10 * np.log10(np.mean((made.astype(float) - truth) ** 2) / 255**2))


@pytest.mark.slow
def test_a_minute_of_training_beats_frame_blending_on_known_motion(tmp_path: Path) -> None:
    """Loss falls, the checkpoint exports, is served, and makes a pan that it never saw better than a blend does."""
    for number in range(4):
        folder = tmp_path / "clips" / "train" / str(number)
        folder.mkdir(parents=True)
        for index, frame in enumerate(panned(seed=number)[:12]):
            Image.fromarray(frame).save(folder / f"{index:02}.png")
    values = super_slomo_recipe(tmp_path, steps=80, learning_rate=2e-3, average=0.95)
    values["network"]["width"] = 4
    values["data"]["source"] = [{"footage": f"adobe240:{tmp_path / 'clips'}"}]
    values["data"]["variation"] = {"mirror": False, "reverse": False, "noise": 1.0}
    values["losses"] = {"charbonnier": 1.0, "warp": 0.5}
    recipe = parsed(values)
    losses: list[float] = []

    def listen(report: Report) -> None:
        losses.append(report.losses["charbonnier"])

    weights = train(recipe, tmp_path / "run", device="cpu", listener=listen)
    assert isinstance(weights, Path)
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:10])
    export(load_checkpoint(weights), tmp_path / "model.onnx")
    frames = panned(seed=12345)
    served = super_slomo(as_clip(frames[::2]), factor=2, model=tmp_path / "model.onnx", scene_threshold=None)
    inner = (slice(16, -16), slice(16, -16))
    made, blended = [], []
    for number in range(1, 2 * FRAMES - 2, 2):
        with served.get_frame(number) as frame:
            made.append(psnr(np.dstack([np.asarray(frame[p]) for p in range(3)])[inner], frames[number][inner]))
        mean = (frames[number - 1].astype(float) + frames[number + 1]) / 2
        blended.append(psnr(mean.round().astype(np.uint8)[inner], frames[number][inner]))
    assert np.mean(made) > np.mean(blended) + 6.0


def test_the_command_trains_resumes_and_says_what_it_left(tmp_path: Path) -> None:
    """`vs-interp train`: JSON on standard output; a second call needs --resume; --steps goes further."""
    write_pictures(tmp_path)
    recipe = tmp_path / "small.toml"
    recipe.write_text(tomli_w.dumps(fsrcnn_recipe(tmp_path, steps=2)))
    arguments = [str(recipe), "-o", str(tmp_path / "run"), "--device", "cpu"]
    first = CliRunner().invoke(command, [*arguments, "--json", "--board"])
    assert first.exit_code == 0, first.output
    assert json.loads(first.stdout)["step"] == 2
    assert (tmp_path / "run" / "step-00000002.safetensors").is_file()
    assert list((tmp_path / "run" / "board").glob("events*"))
    again = CliRunner().invoke(command, arguments)
    assert "holds a run at step 2" in str(again.exception)
    resumed = CliRunner().invoke(command, [*arguments, "--resume", "--steps", "5", "--json"])
    assert json.loads(resumed.stdout)["step"] == 5
