"""The tasks of networks (interpolation, upscaling, prediction, flow, labels), and how each is scored."""

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
"""RGB (height × width × 3), or height × width: luma in full range for luma networks, or labels."""

Made = NDArray[Any]
"""The output of a method, or the truth: a :data:`Picture`, or flow (height × width × 2, in pixels, float32)."""

EQUAL = 100.0
"""The PSNR in decibels for equal pictures, so that there is a mean."""

CLASSES = 256


@dataclass(frozen=True)
class Score:
    """The heading and format of a score, and whether higher values are better."""

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
"""All scores in order; the first that a picture has is its main score."""


@dataclass(frozen=True)
class Judged:
    """The scores of one picture, and how many pixels of each class it has, where classes are scored over all pictures.

    ``overlap`` is what :func:`~vs_interp.metrics.overlap` counts.
    """

    scores: Mapping[str, float]
    overlap: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class Task:
    """How the output of a network is scored and shown.

    judge
        Scores an output against the truth, without so many pixels at the borders.
    shown
        Returns an output as RGB; the truth sets the scale of flow vectors.
    amplified
        The factor by which errors are amplified in pictures.
    """

    name: str
    judge: Callable[[Made, Made, int], Judged]
    shown: Callable[[Made, Made], Picture]
    amplified: int = 8


def task_of(spec: NetworkSpec) -> Task:
    """Return the task of a network.  Raises :class:`ArgumentError` if no data set has the truth for it."""
    output = spec.output
    if output.kind == "flow":
        return FLOW
    if output.kind == "labels":
        return LABELS_TO_COME if spec.foresees else LABELS
    if output.kind != "frame" or output.channels != spec.window.channels:
        raise ArgumentError(
            f"{spec.name} makes {output.kind}s, for which no data set has the truth: name another model"
        )
    if spec.between:
        if not {0, 1} <= set(spec.window.offsets) or output.scale != 1:
            raise ArgumentError(f"{spec.name} takes the frames {spec.window.offsets}: 0 and 1 must be among them")
        return BETWEEN
    if spec.foresees:
        return TO_COME
    if output.scale == 1:
        raise ArgumentError(
            f"{spec.name} refines frames that are already upscaled: name a model that upscales them too, such as "
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
    """Return PSNR (dB), SSIM and IE of RGB, and PSNR and SSIM of luma, without ``border`` pixels at the edges."""
    made, truth = _inner(made, border), _inner(truth, border)
    grey = luma(made), luma(truth)
    found = {"psnr_luma": min(psnr(*grey), EQUAL), "ssim_luma": ssim(*grey)}
    if truth.ndim == 3:
        colours = {"psnr": min(psnr(made, truth), EQUAL), "ssim": ssim(made, truth)}
        found = {**colours, "ie": interpolation_error(made, truth), **found}
    return Judged(found)


def scores_to_come(made: Made, truth: Made, border: int = 0) -> Judged:
    """Return PSNR, SSIM, MS-SSIM (if the picture is large enough) and MSE, of grey or RGB in full range.

    As usual in video prediction, MSE is the *sum* of squared errors over the pixels, for values in [0, 1].
    """
    found = {"psnr": min(psnr(made, truth), EQUAL), "ssim": ssim(made, truth)}
    if min(truth.shape[:2]) >= MS_SMALLEST:
        planes = (
            [(made, truth)] if truth.ndim == 2 else zip(np.moveaxis(made, 2, 0), np.moveaxis(truth, 2, 0), strict=True)
        )
        found["ms_ssim"] = float(np.mean([ms_ssim(a / 255, b / 255) for a, b in planes]))
    return Judged({**found, "mse": mse(made, truth) / 255**2 * truth.size})


def flow_scores(made: Made, truth: Made, border: int = 0) -> Judged:
    """Return the mean end-point error in pixels (EPE), and the shares of errors above 1 and 3 pixels.

    Pixels whose true flow is unknown (NaN) do not count.
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
