"""MS-SSIM and the Jaccard index against torchmetrics and the nowcasting project's own numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchmetrics import JaccardIndex

from tests.prediction_reference import vectors
from vs_interp.errors import ArgumentError
from vs_interp.metrics import ms_ssim, overlap, overlap_score
from vs_interp.training.losses import ms_ssim_loss


def test_the_jaccard_index_is_torchmetrics() -> None:
    random = np.random.default_rng(1)
    truth = random.integers(0, 30, (4, 24, 32)).astype(np.uint8)
    made = np.where(random.random(truth.shape) < 0.7, truth, random.integers(0, 30, truth.shape)).astype(np.uint8)
    theirs = JaccardIndex(task="multiclass", num_classes=49)(torch.from_numpy(made), torch.from_numpy(truth))
    assert abs(overlap_score(overlap(made, truth, 49)) - float(theirs)) < 1e-6
    assert overlap_score(overlap(truth, truth, 49)) == 1


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
