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
    """What fixes an FSRCNN besides its weights: the paper's d, s and m, and the scale.

    scale
        How many times higher and wider the picture becomes.
    features, shrunk, mappings
        Channels of the feature extraction (d), of the mapping layers (s), and how many of these there are (m).
    """

    scale: int = 2
    features: int = 56
    shrunk: int = 12
    mappings: int = 4


REACH = 4
"""Pixels to each side that the first and the last layer look at, two each; a mapping layer looks at one."""


def _convolution(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2), nn.PReLU(outputs))


class Fsrcnn(Network):
    """FSRCNN: all of the work at the small size, and one transposed convolution to the large one.

    Takes and gives luma alone: B×1×H×W in [0, 1].
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
        """One picture of luma in, the same enlarged out."""
        return NetworkSpec(
            name="fsrcnn",
            window=Window(offsets=(0,), channels=1),
            output=Output(channels=1, times=(0.0,), scale=self.config.scale),
            minimum=8,
        )

    def initialise(self) -> None:
        """Begin where interpolation ends: one channel carries the picture through to a bilinear enlargement.

        The other channels begin by the paper's rules, He et al. for the convolutions and little for the last layer.
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
        """Return ``None``: the paper's weights are a Caffe model, and PyTorch versions agree on no layout."""
        return None

    def made(self, frames: tuple[Tensor, ...], state: tuple[Tensor, ...], time: Tensor | None) -> Tensor:
        """Return the B×1×S·H×S·W luma.

        The last lines and columns are repeated around the picture first: zeros there, as the layers have them, would
        darken its edges.
        """
        around = REACH + self.config.mappings
        wide = functional.pad(frames[0], (around,) * 4, mode="replicate")
        enlarged: Tensor = self.enlarge(self.expand(self.map(self.shrink(self.extract(wide)))))
        cut = slice(around * self.config.scale, -around * self.config.scale)
        return enlarged[..., cut, cut]
