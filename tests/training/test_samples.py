"""Samples: exact motion, one change for all frames of a window, batches that depend on seed and step alone."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from tests.training_data import some_scenes, super_slomo_recipe, write_pictures
from vs_interp.networks.super_slomo import SuperSloMo
from vs_interp.spec import NetworkSpec, Output, Window
from vs_interp.training.recipe_data import Data, Variation
from vs_interp.training.scenes.changes import Changes, varied
from vs_interp.training.scenes.drafts import Drafts
from vs_interp.training.scenes.samples import Batch, BatchMaker, luma, shrunk
from vs_interp.training.scenes.synthetic import Scenes

CPU = torch.device("cpu")

TIMES = (0.0, 1.0, 0.5)


def batch_maker_of(drafts: Drafts) -> BatchMaker:
    width, height = drafts.data.crop
    return BatchMaker(drafts.spec, CPU, (height, width), drafts.scenes)


@pytest.fixture
def scenes(tmp_path: Path) -> Scenes:
    return some_scenes(tmp_path)


def sample_at(picture: torch.Tensor, flow: torch.Tensor) -> torch.Tensor:
    """Return the picture where the flow points, by PyTorch's own sampling."""
    height, width = picture.shape[1:]
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    x, y = (columns + flow[0]) * 2 / (width - 1) - 1, (rows + flow[1]) * 2 / (height - 1) - 1
    return functional.grid_sample(picture[None], torch.stack((x, y), -1)[None], align_corners=True)[0]


def test_the_flow_of_a_scene_leads_to_the_same_picture_at_the_other_time(scenes: Scenes) -> None:
    """Where the background is seen at both times, the frame sampled along the exact flow is the made one."""
    layers = scenes.draw(np.random.default_rng(3), 0, np.tile(TIMES, (4, 1)))[:1]
    pictures, top = scenes.render(layers)
    flows = scenes.flow(layers, top[:, 2], 2, (0, 1))
    for shown, flow in zip(pictures, flows, strict=True):
        for other in (0, 1):
            found = sample_at(shown[other], flow[2 * other : 2 * other + 2])[:, 16:-16, 24:-24]
            assert (found - shown[2][:, 16:-16, 24:-24]).abs().mean() < 0.01


def test_motion_is_linear_in_the_time(scenes: Scenes) -> None:
    """The flow from the middle to both ends of a shift is opposite (rotation and zoom bend it by a pixel at most)."""
    layers = scenes.draw(np.random.default_rng(5), 0, np.tile(TIMES, (4, 1)))[:1]
    back, forth = scenes.flow(layers, scenes.render(layers)[1][:, 2], 2, (0, 1)).split(2, 1)
    assert (back + forth).abs().max() < 1.0
    assert (back.abs().amax((1, 2, 3)) > 0.5).all()


def test_a_change_moves_pictures_and_flow_alike() -> None:
    """A flow that leads from the truth to frame 0 still does after mirroring, turning and reversal."""
    generator = torch.Generator().manual_seed(1)
    base = functional.interpolate(torch.rand(1, 3, 12, 12, generator=generator), (48, 48), mode="bicubic")[0].clamp(
        0, 1
    )
    shifts = ((3, 1), (-3, -1), (0, 0))
    pictures = torch.stack([base.roll((dy, dx), (1, 2)) for dx, dy in shifts])
    flow = torch.tensor([3.0, 1.0, -3.0, -1.0]).view(4, 1, 1).expand(4, 48, 48)
    ways = np.array(list(product((False, True), repeat=4)))
    count = len(ways)
    changes = replace(Changes.none(count), mirrored=ways[:, :2], turned=ways[:, 2], reversed=ways[:, 3])
    every = pictures.expand(count, -1, -1, -1, -1), flow.expand(count, -1, -1, -1), torch.full((count,), 0.25)
    changed, moved, times = varied(*every, 2, changes)
    assert times.tolist() == [0.75 if backwards else 0.25 for backwards in ways[:, 3]]
    inner = (slice(None), slice(6, -6), slice(6, -6))
    for shown, flows in zip(changed, moved, strict=True):
        for frame, side in ((shown[0], flows[:2]), (shown[1], flows[2:])):
            assert (sample_at(frame, side)[inner] - shown[2][inner]).abs().max() < 1e-4


def test_every_sample_has_a_change_of_its_own() -> None:
    """Channels, gamma, gain and offset are those of the sample alone (NumPy, one by one)."""
    pictures = torch.rand(5, 3, 3, 8, 8, generator=torch.Generator().manual_seed(2))
    by = Variation(mirror=False, reverse=False)
    changes = Changes.draw(np.random.default_rng(4), by, 5)
    made, *_ = varied(pictures, torch.zeros(5, 4, 8, 8), torch.full((5,), 0.5), 2, changes)
    for index, one in enumerate(pictures.double().numpy()):
        wanted = one[:, changes.channels[index]].clip(1e-4) ** changes.gamma[index]
        wanted = (wanted * changes.gain[index] + changes.offset[index]).clip(0, 1)
        np.testing.assert_allclose(made[index].numpy(), wanted, atol=1e-5)
    assert len({tuple(channels) for channels in changes.channels.tolist()}) > 1


def test_luma_and_shrinking_are_pillows(tmp_path: Path) -> None:
    """BT.601 luma within rounding of Pillow's, antialiased bicubic within two codes of Pillow's."""
    from PIL import Image

    photos, _ = write_pictures(tmp_path, count=1)
    image = Image.open(photos / "0.png")
    picture = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None] / 255
    assert np.abs(luma(picture)[0, 0].numpy() * 255 - np.array(image.convert("L"), np.float64)).max() <= 1.0
    small = np.array(image.resize((112, 80), Image.Resampling.BICUBIC), np.float64)
    assert np.abs(shrunk(picture, 2)[0].permute(1, 2, 0).numpy() * 255 - small).max() <= 2.0


def data(folder: Path, **changes: Any) -> Data:
    return Data.model_validate({**super_slomo_recipe(folder)["data"], **changes})


def test_a_batch_depends_on_seed_and_step_alone_and_is_shared_out_whole(tmp_path: Path) -> None:
    """Any order of steps gives the same batch; two processes draw together what one draws."""
    write_pictures(tmp_path)
    spec = SuperSloMo().spec
    spec = replace(spec, multiple_of=32)
    alone = Drafts(data(tmp_path), spec, seed=5)
    batch_maker = batch_maker_of(alone)
    third = batch_maker(alone[3])
    again = Drafts(data(tmp_path), spec, seed=5)
    again[0], again[9]
    assert torch.equal(batch_maker(again[3]).truth, third.truth)
    assert not torch.equal(batch_maker(Drafts(data(tmp_path), spec, seed=6)[3]).truth, third.truth)
    halves = [batch_maker(Drafts(data(tmp_path), spec, 5, rank, 2)[3]) for rank in (0, 1)]
    woven = torch.stack([half.frames[0] for half in halves], 1).flatten(0, 1)
    assert torch.equal(woven, third.frames[0])


def test_scenes_that_are_shrunk_are_sharper_and_their_flow_is_as_much_shorter(tmp_path: Path) -> None:
    """Sampled at twice the size and shrunk, a scene holds the finest detail; its flow still leads to the frames."""
    write_pictures(tmp_path)
    spec = replace(SuperSloMo().spec, multiple_of=32)

    def batch(shrink: int) -> Batch:
        source = {**super_slomo_recipe(tmp_path)["data"]["source"][0], "shrinks": {shrink: 1.0}, "reach": (16.0, 1e-6)}
        variation = {"noise": 0.0}
        drafts = Drafts(data(tmp_path, source=[source], variation=variation), spec, seed=7)
        return batch_maker_of(drafts)(drafts[0])

    def off(made: torch.Tensor, truth: torch.Tensor) -> float:
        return float((made - truth)[:, 12:-12, 12:-12].abs().median())

    small = batch(2)
    assert small.truth.shape == batch(1).truth.shape
    for frame, truth, flow in zip(small.frames[0], small.truth, small.flow[:, :2], strict=True):
        assert off(sample_at(frame, flow), truth) < 0.5 * off(frame, truth)
    fine = [float((made.truth[..., 1:] - made.truth[..., :-1]).abs().mean()) for made in (batch(1), small)]
    assert fine[1] > fine[0]


def test_a_luma_network_gets_small_luma_and_large_truth(tmp_path: Path) -> None:
    """Scale 2 and one channel: inputs are half the size of the truth, which is the crop."""
    write_pictures(tmp_path)
    spec = NetworkSpec(
        name="fsrcnn", window=Window(offsets=(0,), channels=1), output=Output(channels=1, times=(0.0,), scale=2)
    )
    drafts = Drafts(data(tmp_path, source=[{"footage": f"pictures:{tmp_path / 'photos'}"}]), spec, seed=1)
    batch = batch_maker_of(drafts)(drafts[0])
    assert batch.frames[0].shape == (4, 1, 32, 32)
    assert batch.truth.shape == (4, 1, 64, 64)
    enlarged = functional.interpolate(batch.frames[0], scale_factor=2, mode="bicubic")
    assert (enlarged - batch.truth).abs().mean() < 0.1
