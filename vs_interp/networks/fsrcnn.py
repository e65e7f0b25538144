"""FSRCNN: Dong et al. 2016, "Accelerating the Super-Resolution Convolutional Neural Network" (arXiv:1608.00367)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from ..spec import NetworkSpec, Output, Window
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

    @classmethod
    def from_published(cls, tensors: Mapping[str, Tensor]) -> tuple[FsrcnnConfig, dict[str, Tensor]] | None:
        """Return ``None``: the paper's weights are a Caffe model, and PyTorch versions agree on no layout."""
        return None

    def made(self, frames: tuple[Tensor, ...], state: tuple[Tensor, ...], time: Tensor | None) -> Tensor:
        """Return the B×1×S·H×S·W luma."""
        features = self.expand(self.map(self.shrink(self.extract(frames[0]))))
        enlarged: Tensor = self.enlarge(features)
        return enlarged
