"""What networks are scored by: a task each for frames between frames, enlargement, frames to come, flow and labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vs_interp.errors import ArgumentError
from vs_interp.flow_fields import coloured
from vs_interp.label_code import palette
from vs_interp.metrics import (
    MS_SMALLEST,
    interpolation_error,
    luma,
    ms_ssim,
    mse,
    overlap,
    overlap_score,
    psnr,
    rand_index,
    ssim,
)
from vs_interp.spec import NetworkSpec

Picture = NDArray[np.uint8]
"""Height × width × 3 (RGB), or height × width: luma in the full range for networks of luma, or labels."""

Made = NDArray[Any]
"""What methods make and truths are: a :data:`Picture`, or flow, height × width × 2 in pixels, float32."""

EQUAL = 100.0
"""Decibels that stand for pictures that are equal, so that there is a mean."""

CLASSES = 256


@dataclass(frozen=True)
class Score:
    """How a score is shown, and whether more of it is better."""

    title: str
    form: str
    higher: bool = True

    def text(self, value: float) -> str:
        """Return a value as tables show it."""
        return self.form.format(value)


SCORES = {
    "psnr": Score("PSNR", "{:.2f} dB"),
    "ssim": Score("SSIM", "{:.4f}"),
    "ms_ssim": Score("MS-SSIM", "{:.4f}"),
    "mse": Score("MSE", "{:.2f}", higher=False),
    "ie": Score("IE", "{:.2f}", higher=False),
    "psnr_luma": Score("PSNR luma", "{:.2f} dB"),
    "ssim_luma": Score("SSIM luma", "{:.4f}"),
    "epe": Score("EPE", "{:.3f} px", higher=False),
    "over1": Score("over 1 px", "{:.2%}", higher=False),
    "over3": Score("over 3 px", "{:.2%}", higher=False),
    "iou": Score("IoU", "{:.4f}"),
    "equal": Score("equal", "{:.2%}"),
    "ari": Score("ARI", "{:.4f}"),
}
"""All scores; those of a picture come in this order, and the first of them is the one that it is judged by."""


@dataclass(frozen=True)
class Judged:
    """The scores of one picture, and how many pixels of each class it has, where classes are scored over all pictures.

    ``overlap`` is what :func:`~vs_interp.metrics.overlap` counts.
    """

    scores: Mapping[str, float]
    overlap: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class Task:
    """How what a network makes is compared with the truth, and shown.

    judge
        Takes what was made, the truth, and how many pixels at the borders do not count.
    shown
        Returns what was made as RGB; the truth that it stands beside decides how long the longest vector is.
    amplified
        How many times larger errors are shown.
    """

    name: str
    judge: Callable[[Made, Made, int], Judged]
    shown: Callable[[Made, Made], Picture]
    amplified: int = 8


def task_of(spec: NetworkSpec) -> Task:
    """Return what a network is scored by.

    Raises :class:`ArgumentError` where no data set can hold the truth of what it makes.
    """
    output = spec.output
    if output.kind == "flow":
        return FLOW
    if output.kind == "labels":
        return LABELS_TO_COME if spec.foresees else LABELS
    if output.kind != "frame" or output.channels != spec.window.channels:
        raise ArgumentError(f"{spec.name} makes {output.kind}s that no data set has the truth of: name another model")
    if spec.between:
        if not {0, 1} <= set(spec.window.offsets) or output.scale != 1:
            raise ArgumentError(f"{spec.name} looks at the frames {spec.window.offsets}: 0 and 1 must be among them")
        return BETWEEN
    if spec.foresees:
        return TO_COME
    if output.scale == 1:
        raise ArgumentError(
            f"{spec.name} refines frames that are enlarged already: name one that enlarges them too, such as "
            f"fsrcnn+{spec.name}"
        )
    return ENLARGED


def pooled(judged: list[Judged]) -> dict[str, float]:
    """Return the scores of many pictures: means in which every picture counts the same, but for IoU.

    IoU is that of all pixels of all pictures together: the mean of single pictures' would weigh a class by how many
    pictures it is in.
    """
    mean = {name: float(np.mean([each.scores[name] for each in judged])) for name in judged[0].scores}
    counts = [each.overlap for each in judged if each.overlap is not None]
    return {**mean, "iou": overlap_score(np.sum(counts, 0))} if counts else mean


def frame_scores(made: Made, truth: Made, border: int = 0) -> Judged:
    """Return PSNR (dB), SSIM and IE of colours, and PSNR and SSIM of luma, without a border of so many pixels."""
    made, truth = _inner(made, border), _inner(truth, border)
    grey = luma(made), luma(truth)
    found = {"psnr_luma": min(psnr(*grey), EQUAL), "ssim_luma": ssim(*grey)}
    if truth.ndim == 3:
        colours = {"psnr": min(psnr(made, truth), EQUAL), "ssim": ssim(made, truth)}
        found = {**colours, "ie": interpolation_error(made, truth), **found}
    return Judged(found)


def scores_to_come(made: Made, truth: Made, border: int = 0) -> Judged:
    """Return PSNR, SSIM and MS-SSIM (of pictures that are large enough), and MSE: squares added up over the pixels.

    All of grey or colours in the full range; MSE is of values in [0, 1], as tables of video prediction have it.
    """
    found = {"psnr": min(psnr(made, truth), EQUAL), "ssim": ssim(made, truth)}
    if min(truth.shape[:2]) >= MS_SMALLEST:
        planes = (
            [(made, truth)] if truth.ndim == 2 else zip(np.moveaxis(made, 2, 0), np.moveaxis(truth, 2, 0), strict=True)
        )
        found["ms_ssim"] = float(np.mean([ms_ssim(a / 255, b / 255) for a, b in planes]))
    return Judged({**found, "mse": mse(made, truth) / 255**2 * truth.size})


def flow_scores(made: Made, truth: Made, border: int = 0) -> Judged:
    """Return how far vectors end from where they should, in pixels (EPE), and how many end over 1 and 3 away.

    Pixels whose flow is not known do not count.
    """
    away = np.hypot(*np.moveaxis(made - truth, 2, 0)).astype(np.float64)
    away = away[~np.isnan(truth).any(2)]
    return Judged({"epe": float(away.mean()), "over1": float((away > 1).mean()), "over3": float((away > 3).mean())})


def label_scores(made: Made, truth: Made, border: int = 0) -> Judged:
    """Return the mean intersection over union of the classes that there are, the share of equal labels, and ARI.

    The last alone means something for networks whose numbers have no meaning.
    """
    counts = overlap(made, truth, CLASSES)
    found = {"iou": overlap_score(counts), "equal": float((made == truth).mean()), "ari": rand_index(made, truth)}
    return Judged(found, counts)


def _inner(picture: Made, border: int) -> Made:
    inner: Made = picture[(slice(border, -border or None),) * 2]
    return inner


def _frame(made: Made, truth: Made) -> Picture:
    return made if made.ndim == 3 else np.repeat(made[..., None], 3, 2)


def _flow(made: Made, truth: Made) -> Picture:
    longest = float(np.nanmax(np.hypot(truth[..., 0], truth[..., 1]), initial=0.0))
    return coloured(made[..., 0], made[..., 1], max(longest, 1.0))


def _labels(made: Made, truth: Made) -> Picture:
    colours: Picture = palette()[made]
    return colours


BETWEEN = Task("frames between frames", frame_scores, _frame)
ENLARGED = Task("enlarged frames", frame_scores, _frame)
TO_COME = Task("frames to come", scores_to_come, _frame, amplified=2)
FLOW = Task("optical flow", flow_scores, _flow, amplified=1)
LABELS = Task("labels", label_scores, _labels, amplified=1)
LABELS_TO_COME = Task("labels to come", label_scores, _labels, amplified=1)
