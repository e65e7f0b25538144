"""Layers that turn labels into planes at a network's input, and planes or logits into labels at its output."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vs_interp import label_code

UNIT = 255
"""Labels are divided by this, so that 8-bit grey in full range holds them exactly."""


class PlanesIn(nn.Module):
    """Turns labels (B×T×1×H×W in steps of 1/255) into the planes of :mod:`vs_interp.label_code` (B×T×14×H×W).

    Unknown labels become background.
    """

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("table", torch.from_numpy(label_code.table()), persistent=False)
        self.table: Tensor

    def forward(self, pictures: Tensor) -> Tensor:
        labels = (pictures[:, :, 0] * UNIT).round().long()
        labels = torch.where(labels < label_code.CLASSES, labels, torch.zeros_like(labels))
        return self.table[labels].movedim(-1, 2)


class LabelsOut(nn.Module):
    """Turns planes (N×14×H×W) into labels (N×1×H×W in steps of 1/255)."""

    def __init__(self, threshold: float) -> None:
        super().__init__()
        self.threshold = threshold

    def forward(self, planes: Tensor) -> Tensor:
        found = torch.ones_like(planes[:, :1])
        first = 0
        for count, weight in zip(label_code.GROUPS, label_code.WEIGHTS, strict=True):
            found = found + weight * planes[:, first : first + count].argmax(1, keepdim=True)
            first += count
        return torch.where(planes[:, -1:] > self.threshold, torch.zeros_like(found), found) / UNIT


class Largest(nn.Module):
    """Turns logits (N×C×H×W) into the number of the largest channel (N×1×H×W in steps of 1/255)."""

    def forward(self, logits: Tensor) -> Tensor:
        return logits.argmax(1, keepdim=True).float() / UNIT
