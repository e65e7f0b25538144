"""The parts of RIFE: blocks that refine flow and mask, and the head that extracts features of a frame."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional


class Estimate(NamedTuple):
    """The estimate for the requested time.

    flow
        The flow from the requested time to both frames in pixels (B×4×H×W: u and v to frame 0, u and v to frame 1).
    mask
        The logit of frame 0's weight in the blend (B×1×H×W).
    features
        Features that a block of 4.25 passes on to the next (B×8×H×W); none in earlier versions.
    """

    flow: Tensor
    mask: Tensor
    features: tuple[Tensor, ...] = ()


def _enlarge(x: Tensor, factor: int) -> Tensor:
    if factor == 1:
        return x
    return functional.interpolate(x, scale_factor=float(factor), mode="bilinear", align_corners=False)


def _shrink(x: Tensor, factor: int) -> Tensor:
    if factor == 1:
        return x
    size = x.shape[2] // factor, x.shape[3] // factor
    return functional.interpolate(x, size=size, mode="bilinear", align_corners=False)


def _joined(inputs: Tensor, flow: Tensor | None, scale: int) -> Tensor:
    """Return a block's inputs at its scale, with the flow so far in pixels of that scale."""
    inputs = _shrink(inputs, scale)
    return inputs if flow is None else torch.cat((inputs, _shrink(flow, scale) / scale), 1)


class Block40(nn.Module):
    """A block of 4.0: PReLU, one residual around all eight convolutions, the change at half of the block's scale."""

    def __init__(self, inputs: int, width: int, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.conv0 = nn.Sequential(self._layer(inputs, width // 2, 2), self._layer(width // 2, width, 2))
        self.convblock = nn.Sequential(*(self._layer(width, width) for _ in range(8)))
        self.lastconv = nn.ConvTranspose2d(width, 5, 4, 2, 1)

    @staticmethod
    def _layer(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1), nn.PReLU(outputs))

    def forward(self, inputs: Tensor, flow: Tensor | None) -> Estimate:
        """Return the change of the flow and the block's mask, at full size."""
        features = self.conv0(_joined(inputs, flow, self.scale))
        features = self.convblock(features) + features
        change = _enlarge(self.lastconv(features), self.scale * 2)
        return Estimate(change[:, :4].float() * (self.scale * 2), change[:, 4:5].float())


class _Residual(nn.Module):
    """A residual convolution with a learned weight per channel."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, 1, 1)
        self.beta = nn.Parameter(torch.ones(1, width, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return functional.leaky_relu(self.conv(x) * self.beta + x, 0.2)


class Block(nn.Module):
    """A block of 4.6 and later: LeakyReLU, eight residual convolutions, the change at the block's scale."""

    def __init__(self, inputs: int, width: int, scale: int, features: int) -> None:
        super().__init__()
        self.scale, self.features = scale, features
        self.conv0 = nn.Sequential(self._layer(inputs, width // 2), self._layer(width // 2, width))
        self.convblock = nn.Sequential(*(_Residual(width) for _ in range(8)))
        outputs = 5 + features if features else 6  # the last output of 4.6 is unused
        self.lastconv = nn.Sequential(nn.ConvTranspose2d(width, 4 * outputs, 4, 2, 1), nn.PixelShuffle(2))

    @staticmethod
    def _layer(inputs: int, outputs: int) -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(inputs, outputs, 3, 2, 1), nn.LeakyReLU(0.2))

    def forward(self, inputs: Tensor, flow: Tensor | None) -> Estimate:
        """Return the change of the flow, the block's mask and its features, at full size."""
        change = self.lastconv(self.convblock(self.conv0(_joined(inputs, flow, self.scale))))
        change = _enlarge(change, self.scale)
        features = (change[:, 5:],) if self.features else ()
        return Estimate(change[:, :4].float() * self.scale, change[:, 4:5].float(), features)


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
