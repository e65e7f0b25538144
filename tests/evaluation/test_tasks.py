"""The scores of every task against arithmetic, and against metrics that tests/test_metrics.py holds to torchmetrics."""

from __future__ import annotations

import numpy as np
import pytest

from tests.moving_footage import moved
from vs_interp.evaluation.tasks import (
    LABELS,
    SCORES,
    flow_scores,
    frame_scores,
    label_scores,
    pooled,
    scores_to_come,
    task_of,
)
from vs_interp.metrics import ssim
from vs_interp.spec import NetworkSpec, Output, Window


def test_iou_is_that_of_all_pictures_together() -> None:
    """Class 3 fills one picture and is one pixel of the other: the mean of both IoU is another number."""
    random = np.random.default_rng(1)
    truths = [np.full((32, 32), 3, np.uint8), np.zeros((32, 32), np.uint8)]
    truths[1][0, 0] = 3
    made = [np.where(random.random((32, 32)) < 0.8, truth, 1).astype(np.uint8) for truth in truths]
    judged = [label_scores(one, truth) for one, truth in zip(made, truths, strict=True)]
    both = [(np.stack(made) == number, np.stack(truths) == number) for number in (0, 1, 3)]
    wanted = np.mean([(one & other).sum() / (one | other).sum() for one, other in both])
    assert pooled(judged)["iou"] == pytest.approx(wanted)
    assert abs(pooled(judged)["iou"] - np.mean([each.scores["iou"] for each in judged])) > 0.01


def test_psnr_and_ssim_are_those_of_the_whole_picture() -> None:
    made, truth = moved(1), moved(0)
    squares = (made / 255 - truth / 255) ** 2
    for found in (frame_scores(made, truth).scores, scores_to_come(made, truth).scores):
        assert found["psnr"] == pytest.approx(-10 * np.log10(squares.mean()))
        assert found["ssim"] == ssim(made, truth)
    assert scores_to_come(made, truth).scores["mse"] == pytest.approx(squares.sum())


def test_flow_is_scored_where_it_is_known() -> None:
    """Of six pixels one is unknown, two are right, and the others end 5, 2 and 0.5 pixels away."""
    truth = np.zeros((2, 3, 2), np.float32)
    truth[0, 0] = np.nan
    made = np.zeros((2, 3, 2), np.float32)
    made[0, 1], made[0, 2], made[1, 0] = (3, -4), (0, 2), (0.5, 0)
    assert flow_scores(made, truth).scores == pytest.approx({"epe": 7.5 / 5, "over1": 2 / 5, "over3": 1 / 5})


def test_every_score_has_a_title_and_comes_in_its_order() -> None:
    picture = moved(0)
    for found in (
        frame_scores(picture, picture),
        frame_scores(picture[..., 0], picture[..., 0]),
        scores_to_come(picture, picture),
        label_scores(picture[..., 0], picture[..., 0]),
    ):
        assert set(found.scores) <= set(SCORES)
    assert "ms_ssim" not in scores_to_come(picture[:40], picture[:40]).scores


def test_what_a_network_makes_decides_its_task() -> None:
    assert (
        task_of(NetworkSpec(name="u", window=Window(offsets=(0,)), output=Output(kind="labels", times=(0.0,))))
        is LABELS
    )
