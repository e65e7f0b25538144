"""The parts of RIFE: blocks that refine flow and mask, and the head that extracts features of a frame."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional


class Change(NamedTuple):
    """What a block makes, in pictures that are smaller than the frames by the block's ``step``.

    flow
        The change of the flow in pixels of the frames (B×4×h×w: u and v to frame 0, u and v to frame 1).
    passed
        The change of the mask (B×1×h×w); in 4.25 the mask itself and eight features, for the next block (B×9×h×w).
    """

    flow: Tensor
    passed: Tensor


class Block40(nn.Module):
    """A block of 4.0: PReLU, one residual around all eight convolutions, the change half as large as the inputs."""

    def __init__(self, inputs: int, width: int, scale: int) -> None:
        super().__init__()
        self.scale, self.step = scale, scale * 2
        self.conv0 = nn.Sequential(self._layer(inputs, width // 2, 2), self._layer(width // 2, width, 2))
        self.convblock = nn.Sequential(*(self._layer(width, width) for _ in range(8)))
        self.lastconv = nn.ConvTranspose2d(width, 5, 4, 2, 1)

    @staticmethod
    def _layer(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1), nn.PReLU(outputs))

    def forward(self, inputs: Tensor) -> Change:
        """Return the change, from inputs ``scale`` times smaller than the frames."""
        features = self.conv0(inputs)
        change = self.lastconv(self.convblock(features) + features)
        return Change(change[:, :4].float() * self.step, change[:, 4:].float())


class _Residual(nn.Module):
    """A residual convolution with a learned weight per channel."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, 1, 1)
        self.beta = nn.Parameter(torch.ones(1, width, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return functional.leaky_relu(self.conv(x) * self.beta + x, 0.2)


class Block(nn.Module):
    """A block of 4.6 and later: LeakyReLU, eight residual convolutions, the change as large as the inputs."""

    def __init__(self, inputs: int, width: int, scale: int, features: int) -> None:
        super().__init__()
        self.scale, self.step, self.features = scale, scale, features
        self.conv0 = nn.Sequential(self._layer(inputs, width // 2), self._layer(width // 2, width))
        self.convblock = nn.Sequential(*(_Residual(width) for _ in range(8)))
        outputs = 5 + features if features else 6  # the last output of 4.6 is unused
        self.lastconv = nn.Sequential(nn.ConvTranspose2d(width, 4 * outputs, 4, 2, 1), nn.PixelShuffle(2))

    @staticmethod
    def _layer(inputs: int, outputs: int) -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(inputs, outputs, 3, 2, 1), nn.LeakyReLU(0.2))

    def forward(self, inputs: Tensor) -> Change:
        """Return the change, from inputs ``scale`` times smaller than the frames."""
        change = self.lastconv(self.convblock(self.conv0(inputs)))
        return Change(change[:, :4].float() * self.step, change[:, 4 : 5 + self.features].float())


class Head(nn.Module):
    """Features of a frame in 4.25, which do not depend on the time: B×3×H×W to B×4×H×W."""

    def __init__(self) -> None:
        super().__init__()
        self.cnn0 = nn.Conv2d(3, 16, 3, 2, 1)
        self.cnn1 = nn.Conv2d(16, 16, 3, 1, 1)
        self.cnn2 = nn.Conv2d(16, 16, 3, 1, 1)
        self.cnn3 = nn.ConvTranspose2d(16, 4, 4, 2, 1)

    def forward(self, frame: Tensor) -> Tensor:
        """Return the features."""
        for layer in (self.cnn0, self.cnn1, self.cnn2):
            frame = functional.leaky_relu(layer(frame), 0.2)
        features: Tensor = self.cnn3(frame)
        return features
