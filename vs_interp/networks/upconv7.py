"""upconv_7, the smaller network of waifu2x (nagadomi): six convolutions, then a transposed one that upscales ×2."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from vs_interp.spec import NetworkSpec, Output, Window

from .base import Network
from .published import in_order

CHANNELS = 3, 16, 32, 64, 128, 128, 256
AROUND = 7
"""Pixels that the unpadded convolutions remove on each side of the small picture."""


@dataclass(frozen=True, kw_only=True)
class UpConv7Config:
    """Configuration of upconv_7, which has no options."""


class UpConv7(Network):
    """3×3 convolutions with LeakyReLU 0.1, then a transposed 4×4 one.

    Frames are B×3×H×W RGB in [0, 1].  They are padded by repeating their edges, as in waifu2x.
    """

    Config = UpConv7Config

    def __init__(self, config: UpConv7Config | None = None) -> None:
        super().__init__()
        self.config: UpConv7Config = config or UpConv7Config()
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(CHANNELS):
            layers += [nn.Conv2d(inputs, outputs, 3), nn.LeakyReLU(0.1)]
        self.layers = nn.Sequential(*layers, nn.ConvTranspose2d(CHANNELS[-1], 3, 4, 2, 3))

    @property
    def spec(self) -> NetworkSpec:
        """One picture in, the upscaled picture out."""
        return NetworkSpec(
            name="upconv7",
            window=Window(offsets=(0,)),
            output=Output(times=(0.0,), scale=2),
            minimum=8,
        )

    @classmethod
    def from_published(cls, tensors: Mapping[str, Tensor]) -> tuple[UpConv7Config, dict[str, Tensor]] | None:
        """Read the layers of an ncnn file."""
        with torch.device("meta"):
            found = in_order(tensors, cls().state_dict())
        return None if found is None else (UpConv7Config(), found)

    def made(self, frames: tuple[Tensor, ...], state: tuple[Tensor, ...], time: Tensor | None) -> Tensor:
        """Return the B×3×2·H×2·W picture."""
        enlarged: Tensor = self.layers(functional.pad(frames[0], (AROUND,) * 4, mode="replicate"))
        return enlarged
