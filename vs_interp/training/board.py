"""TensorBoard: the scalars and pictures of a run."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from vs_interp.errors import BackendError

from .report import Report

EVERY = 50
"""Steps from one set of scalars to the next."""

PICTURES = 500
"""Steps from one set of pictures to the next."""


class Board:
    """Writes reports into a folder that ``tensorboard --logdir`` shows.

    Raises :class:`BackendError` if TensorBoard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise BackendError("TensorBoard is not installed: pip install tensorboard, or omit --board") from error
        self._writer = SummaryWriter(str(folder))

    def __call__(self, report: Report) -> None:
        """Write a report, every :data:`EVERY` or :data:`PICTURES` steps."""
        step = report.step
        if report.validation is not None:
            self._scalar("psnr/validation", report.validation.psnr, step)
            if report.validation.ssim is not None:
                self._scalar("ssim/validation", report.validation.ssim, step)
        if step % EVERY == 0:
            for name, value in report.losses.items():
                self._scalar(f"loss/{name}", value, step)
            self._scalar("psnr/training", report.psnr, step)
            self._scalar("learning rate", report.learning_rate, step)
            self._scalar("gradient norm", float(report.norm), step)
            self._scalar("images a second", report.speed, step)
        if step % PICTURES == 0 or step == 1:
            outcome = report.outcome
            sheet = contact_sheet(report.batch.frames, outcome.made, report.batch.truth, outcome.flow)
            self._writer.add_image("inputs, made, truth, error, flow", sheet, step)

    def close(self) -> None:
        """Write what is still buffered, and close the files."""
        self._writer.close()

    def _scalar(self, name: str, value: float, step: int) -> None:
        self._writer.add_scalar(name, value, step)


def contact_sheet(
    frames: tuple[Tensor, ...], made: Tensor, truth: Tensor, flow: Tensor | None, rows: int = 4
) -> Tensor:
    """Return a picture (3×H×W in [0, 1]) with one row per sample: inputs, made picture, truth, error ×4, flow.

    Inputs smaller than the made picture are enlarged without interpolation.  Of several pictures made from one window
    the first is shown.
    """
    pictures = len(made) // len(frames[0])
    first, wanted = made[::pictures][:rows].float().clamp(0, 1), truth[::pictures][:rows]
    inputs = [torch.nn.functional.interpolate(frame[:rows], first.shape[2:]) for frame in frames]
    columns = [*inputs, first, wanted, ((first - wanted).abs() * 4).clamp(0, 1)]
    columns = [column.expand(-1, 3, -1, -1) for column in columns]
    if flow is not None:
        columns.append(flow_colours(flow[:rows].detach().float()))
    return torch.cat([torch.cat(list(column), 1) for column in columns], 2).cpu()


def flow_colours(flow: Tensor) -> Tensor:
    """Return a flow (B×2×H×W) as colours (B×3×H×W): hue for direction, saturation for length, the longest being 1."""
    length = flow.square().sum(1, keepdim=True).sqrt()
    strength = length / length.amax((1, 2, 3), keepdim=True).clamp(min=1.0)
    angle = torch.atan2(flow[:, 1:], flow[:, :1])
    thirds = flow.new_tensor([0.0, 2.0, 4.0]).view(1, 3, 1, 1) * (torch.pi / 3)
    hue = 0.5 + 0.5 * torch.cos(angle - thirds)
    return 1 - strength * (1 - hue)
