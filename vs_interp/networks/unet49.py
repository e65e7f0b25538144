"""The U-Net of a student project (pdtraver/DL_Final_Project), which assigns each pixel one of 49 classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vs_interp import label_code
from vs_interp.errors import ArgumentError
from vs_interp.spec import NetworkSpec, Output, Window

from .base import Compared, Network
from .label_planes import UNIT, Largest
from .published import with_counts, without_prefixes

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""ImageNet's, to normalise RGB in [0, 1]."""


@dataclass(frozen=True, kw_only=True)
class Unet49Config:
    """Configuration of the network.

    classes
        The number of classes.
    width
        Channels of the first layer; the following ones have 2, 4 and 8 times as many.
    """

    classes: int = label_code.CLASSES
    width: int = 64


def _down(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, 1, kernel // 2),
        nn.ReLU(),
        nn.BatchNorm2d(outputs),
        nn.MaxPool2d(3, 2, 1),
    )


def _up(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ConvTranspose2d(inputs, outputs, 3, 2, 1, output_padding=1),
        nn.ReLU(),
        nn.BatchNorm2d(outputs),
        nn.Conv2d(outputs, outputs, 3, 1, 1),
        nn.ReLU(),
        nn.BatchNorm2d(outputs),
    )


class Unet49(Network):
    """A U-Net with additive skip connections.  Frames are B×3×H×W RGB in [0, 1], H and W multiples of 16."""

    Config = Unet49Config

    def __init__(self, config: Unet49Config | None = None) -> None:
        super().__init__()
        self.config: Unet49Config = config or Unet49Config()
        classes, width = self.config.classes, self.config.width
        if not 2 <= classes <= 256 or width < 1:
            raise ArgumentError(
                f"unet49 of {classes} classes and width {width}: give 2 to 256 classes, width 1 or more"
            )
        self.down1 = _down(3, width, 7)
        self.down2, self.down3, self.down4 = (_down(n * width, 2 * n * width, 3) for n in (1, 2, 4))
        self.up3, self.up2, self.up1 = (_up(2 * n * width, n * width) for n in (4, 2, 1))
        self.final_up = nn.ConvTranspose2d(width, classes, 3, 2, 1, output_padding=1)
        self.final = nn.Conv2d(classes, classes, 1)
        self.largest = Largest()
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(DEVIATION).view(1, 3, 1, 1), persistent=False)
        self.mean: Tensor
        self.deviation: Tensor

    @property
    def spec(self) -> NetworkSpec:
        """A frame in, the class of each of its pixels out."""
        return NetworkSpec(
            name="unet49",
            window=Window(offsets=(0,)),
            output=Output(kind="labels", channels=1, times=(0.0,)),
            multiple_of=16,
            minimum=32,
            fp32_islands=("*/largest/*",),
        )

    @classmethod
    def from_published(cls, tensors: Mapping[str, Tensor]) -> tuple[Unet49Config, dict[str, Tensor]] | None:
        """Read the project's ``state_dict``; the shapes tell width and classes."""
        state = without_prefixes(tensors, "state_dict.", "module.", "model.")
        first, last = state.get("down1.0.weight"), state.get("final.weight")
        if first is None or last is None or "final_up.weight" not in state:
            return None
        return Unet49Config(classes=last.shape[0], width=first.shape[0]), with_counts(state)

    def logits(self, frame: Tensor) -> Tensor:
        """Return B×classes×H×W logits."""
        x1 = self.down1((frame - self.mean) / self.deviation)
        x2 = self.down2(x1)
        x3 = self.down3(x2)
        x = self.up3(self.down4(x3))
        x = self.up1(self.up2(x + x3) + x2)
        logits: Tensor = self.final(self.final_up(x + x1))
        return logits

    def compared(self, inputs: tuple[Tensor, ...], truth: Tensor) -> Compared:
        """Compare logits with one-hot classes."""
        logits = self.logits(inputs[0]).float()
        numbers = (truth[:, 0] * UNIT).round().long().clamp(max=self.config.classes - 1)
        right = nn.functional.one_hot(numbers, self.config.classes).movedim(3, 1).float()
        return Compared(logits, right, self.largest(logits))

    def made(self, frames: tuple[Tensor, ...], state: tuple[Tensor, ...], time: Tensor | None) -> Tensor:
        """Return the class of every pixel, B×1×H×W in steps of 1/255."""
        classes: Tensor = self.largest(self.logits(frames[0]))
        return classes
