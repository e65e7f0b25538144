"""MS-SSIM and the Jaccard index against torchmetrics and the nowcasting project's own numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.prediction_reference import vectors
from vs_interp.errors import ArgumentError
from vs_interp.metrics import ms_ssim, overlap, overlap_score, rand_index
from vs_interp.training.losses import ms_ssim_loss


def test_the_jaccard_index_is_torchmetrics() -> None:
    from torchmetrics import JaccardIndex  # which takes seconds to import

    random = np.random.default_rng(1)
    truth = random.integers(0, 30, (4, 24, 32)).astype(np.uint8)
    made = np.where(random.random(truth.shape) < 0.7, truth, random.integers(0, 30, truth.shape)).astype(np.uint8)
    theirs = JaccardIndex(task="multiclass", num_classes=49)(torch.from_numpy(made), torch.from_numpy(truth))
    assert abs(overlap_score(overlap(made, truth, 49)) - float(theirs)) < 1e-6
    assert overlap_score(overlap(truth, truth, 49)) == 1


def test_the_rand_index_is_scikit_learn_s_whatever_the_numbers() -> None:
    """The numbers are those of the examples of scikit-learn's page on ``adjusted_rand_score``."""
    truth, made = np.array([[1, 1, 2, 2]], np.uint8), np.array([[1, 1, 2, 3]], np.uint8)
    assert rand_index(made, truth) == pytest.approx(0.5714285714285714)
    assert rand_index(truth + 7, truth) == 1 == rand_index(np.full_like(truth, 3), np.full_like(truth, 5))
    assert rand_index(np.zeros_like(truth), truth) == 0
    assert rand_index(np.array([[1, 2, 1, 2]], np.uint8), truth) == pytest.approx(-0.5)
    scenery = np.array([[0, 0, 0, 0, 9]], np.uint8)
    assert rand_index(np.arange(5, dtype=np.uint8)[None], scenery) == 1  # what is no object does not count


def test_labels_beyond_the_classes_are_refused() -> None:
    made = np.array([[0, 70]], np.uint8)
    with pytest.raises(ArgumentError, match="there is the label 70, but 49 classes end at 48"):
        overlap(made, np.zeros((1, 2), np.uint8), 49)


def test_ms_ssim_is_pytorch_msssim_s_with_a_window_of_3() -> None:
    """The numbers are those of pytorch-msssim 1.0.0, ``1 - ms_ssim(…, data_range=1, win_size=3)``, in float64."""
    known = vectors("nowcast")
    window = known["window"][:, 32:96, 32:96].astype(np.float32) / 1023
    truth, later = window[:2], np.repeat(window[-1:], 2, 0)
    cases = ((known["out0_batch"], 0.94215156), (known["out0_blurred"], 0.80070976), (later, 0.74403033))
    for pictures, theirs in cases:
        loss = float(ms_ssim_loss(torch.from_numpy(pictures)[None], torch.from_numpy(truth)[None]))
        ours = 1 - np.mean([ms_ssim(a, b) for a, b in zip(pictures, truth, strict=True)])
        assert abs(loss - theirs) < 2e-5
        assert abs(ours - theirs) < 2e-5
    assert ms_ssim(truth[0], truth[0]) == 1
