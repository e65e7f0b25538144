"""FSRCNN: Dong et al. 2016, "Accelerating the Super-Resolution Convolutional Neural Network" (arXiv:1608.00367)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from vs_interp.spec import NetworkSpec, Output, Window

from .base import Network


@dataclass(frozen=True, kw_only=True)
class FsrcnnConfig:
    """Configuration of an FSRCNN.

    scale
        Upscaling factor.
    features, shrunk, mappings
        Channels of the feature extraction (d in the paper) and of the mapping layers (s), and the number of these (m).
    """

    scale: int = 2
    features: int = 56
    shrunk: int = 12
    mappings: int = 4


REACH = 4
"""Radius in pixels of the first and the last layer's receptive fields together; each mapping layer adds one."""


def _convolution(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2), nn.PReLU(outputs))


class Fsrcnn(Network):
    """FSRCNN: convolutions at the small size, and one transposed convolution to the large size.

    Frames are luma, B×1×H×W in [0, 1].
    """

    Config = FsrcnnConfig

    def __init__(self, config: FsrcnnConfig | None = None) -> None:
        super().__init__()
        self.config: FsrcnnConfig = config or FsrcnnConfig()
        features, shrunk, scale = self.config.features, self.config.shrunk, self.config.scale
        self.extract = _convolution(1, features, 5)
        self.shrink = _convolution(features, shrunk, 1)
        self.map = nn.Sequential(*(_convolution(shrunk, shrunk, 3) for _ in range(self.config.mappings)))
        self.expand = _convolution(shrunk, features, 1)
        padding = (10 - scale) // 2
        self.enlarge = nn.ConvTranspose2d(features, 1, 9, scale, padding, output_padding=2 * padding + scale - 9)

    @property
    def spec(self) -> NetworkSpec:
        """The luma of one picture in, the upscaled luma out."""
        return NetworkSpec(
            name="fsrcnn",
            window=Window(offsets=(0,), channels=1),
            output=Output(channels=1, times=(0.0,), scale=self.config.scale),
            minimum=8,
        )

    def initialise(self) -> None:
        """Start as bilinear interpolation: one channel carries the picture through to the last layer.

        The other channels are initialised as in the paper: He et al. for the convolutions, small values for the last
        layer.
        """
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, a=0.25)
                assert layer.bias is not None
                nn.init.zeros_(layer.bias)
                with torch.no_grad():
                    layer.weight[0] = 0
                    layer.weight[0, 0, layer.kernel_size[0] // 2, layer.kernel_size[1] // 2] = 1
        nn.init.normal_(self.enlarge.weight, std=1e-3)
        distance = (torch.arange(9) - int(self.enlarge.padding[0]) + 0.5) / self.config.scale - 0.5
        taps = (1 - distance.abs()).clamp(min=0)
        with torch.no_grad():
            self.enlarge.weight[0, 0] = torch.outer(taps, taps)

    @classmethod
    def from_published(cls, tensors: Mapping[str, Tensor]) -> tuple[FsrcnnConfig, dict[str, Tensor]] | None:
        """Return ``None``: the paper's weights are a Caffe model, and PyTorch versions have no common layout."""
        return None

    def made(self, frames: tuple[Tensor, ...], state: tuple[Tensor, ...], time: Tensor | None) -> Tensor:
        """Return the B×1×S·H×S·W luma.

        The picture is first padded by repeating its edges: the zero padding of the layers would darken them.
        """
        around = REACH + self.config.mappings
        wide = functional.pad(frames[0], (around,) * 4, mode="replicate")
        enlarged: Tensor = self.enlarge(self.expand(self.map(self.shrink(self.extract(wide)))))
        cut = slice(around * self.config.scale, -around * self.config.scale)
        return enlarged[..., cut, cut]
