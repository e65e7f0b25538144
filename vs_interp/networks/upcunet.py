"""UpCUNet, two U-Nets in sequence: waifu2x's "cunet" (nagadomi), and Real-CUGAN (bilibili), which is based on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from vs_interp.spec import NetworkSpec, Output, Window

from .base import Network
from .published import in_order

SLOPE = 0.1

AROUND = {2: 18, 3: 14, 4: 19}
"""Scale → pixels that the unpadded convolutions remove on each side."""


@dataclass(frozen=True, kw_only=True)
class UpCunetConfig:
    """Configuration of an UpCUNet.

    scale
        Upscaling factor: 2, 3 or 4.
    gated
        Whether there are squeeze-and-excitation gates; Real-CUGAN's "nose" weights have none.
    gain, offset
        The networks get ``gain · picture + offset``, and their output is converted back: 0.7 and 0.15 in Real-CUGAN's
        "pro" weights.
    edge
        How pictures are padded: Real-CUGAN mirrors them, waifu2x repeats their edges.
    """

    scale: int = 2
    gated: bool = True
    gain: float = 1.0
    offset: float = 0.0
    edge: Literal["reflect", "replicate"] = "reflect"


def _leaky(x: Tensor) -> Tensor:
    return functional.leaky_relu(x, SLOPE)


def _inner(x: Tensor, border: int) -> Tensor:
    """Remove a border of so many pixels."""
    return x[..., border:-border, border:-border]


class _Gate(nn.Module):
    """Squeeze and excitation: weights for the channels (B×C×1×1), computed from the means of all."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels // 8, 1)
        self.conv2 = nn.Conv2d(channels // 8, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.conv2(functional.relu(self.conv1(x.mean((2, 3), keepdim=True)))))


class _Pair(nn.Module):
    """Two 3×3 convolutions, with or without a gate."""

    def __init__(self, inputs: int, inner: int, outputs: int, *, gated: bool) -> None:
        super().__init__()
        first, second = nn.Conv2d(inputs, inner, 3), nn.Conv2d(inner, outputs, 3)
        self.conv = nn.Sequential(first, nn.LeakyReLU(SLOPE), second, nn.LeakyReLU(SLOPE))
        self.seblock = _Gate(outputs) if gated else None

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return x if self.seblock is None else x * self.seblock(x)


class _Shallow(nn.Module):
    """The first U-Net, one level deep, which upscales ×2, or ×3 with another last layer."""

    def __init__(self, outputs: int, scale: int, *, gated: bool) -> None:
        super().__init__()
        self.conv1 = _Pair(3, 32, 64, gated=False)
        self.conv1_down = nn.Conv2d(64, 64, 2, 2)
        self.conv2 = _Pair(64, 128, 64, gated=gated)
        self.conv2_up = nn.ConvTranspose2d(64, 64, 2, 2)
        self.conv3 = nn.Conv2d(64, 64, 3)
        last = (5, 3, 2) if scale == 3 else (4, 2, 3)
        self.conv_bottom = nn.ConvTranspose2d(64, outputs, *last)

    def forward(self, x: Tensor) -> Tensor:
        wide = self.conv1(x)
        deep = _leaky(self.conv2_up(self.conv2(_leaky(self.conv1_down(wide)))))
        made: Tensor = self.conv_bottom(_leaky(self.conv3(_inner(wide, 4) + deep)))
        return made


class _Deep(nn.Module):
    """The second U-Net, two levels deep, which keeps the size."""

    def __init__(self, channels: int, *, gated: bool) -> None:
        super().__init__()
        self.conv1 = _Pair(channels, 32, 64, gated=False)
        self.conv1_down = nn.Conv2d(64, 64, 2, 2)
        self.conv2 = _Pair(64, 64, 128, gated=gated)
        self.conv2_down = nn.Conv2d(128, 128, 2, 2)
        self.conv3 = _Pair(128, 256, 128, gated=gated)
        self.conv3_up = nn.ConvTranspose2d(128, 128, 2, 2)
        self.conv4 = _Pair(128, 64, 64, gated=gated)
        self.conv4_up = nn.ConvTranspose2d(64, 64, 2, 2)
        self.conv5 = nn.Conv2d(64, 64, 3)
        self.conv_bottom = nn.Conv2d(64, channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        wide = self.conv1(x)
        middle = self.conv2(_leaky(self.conv1_down(wide)))
        deep = _leaky(self.conv3_up(self.conv3(_leaky(self.conv2_down(middle)))))
        middle = self.conv4(_inner(middle, 4) + deep)
        made: Tensor = self.conv_bottom(_leaky(self.conv5(_inner(wide, 16) + _leaky(self.conv4_up(middle)))))
        return made


class UpCunet(Network):
    """UpCUNet; ×4 is ×2 of 64 channels, a pixel shuffle, and the picture added.

    Frames are B×3×H×W RGB in [0, 1].  Names are those of Real-CUGAN's checkpoints.
    """

    Config = UpCunetConfig

    def __init__(self, config: UpCunetConfig | None = None) -> None:
        super().__init__()
        self.config: UpCunetConfig = config or UpCunetConfig()
        channels = 64 if self.config.scale == 4 else 3
        self.unet1 = _Shallow(channels, self.config.scale, gated=self.config.gated)
        self.unet2 = _Deep(channels, gated=self.config.gated)
        if self.config.scale == 4:
            self.conv_final = nn.Conv2d(64, 12, 3)

    @property
    def spec(self) -> NetworkSpec:
        """One picture in, the upscaled picture out; gates average over whole pictures, which FP16 cannot sum up."""
        return NetworkSpec(
            name="upcunet",
            window=Window(offsets=(0,)),
            output=Output(times=(0.0,), scale=self.config.scale),
            multiple_of=4 if self.config.scale == 3 else 2,
            minimum=20,
            tileable=not self.config.gated,
            fp32_islands=("*/seblock/*",),
        )

    @classmethod
    def from_published(cls, tensors: Mapping[str, Tensor]) -> tuple[UpCunetConfig, dict[str, Tensor]] | None:
        """Read Real-CUGAN's ``.pth``, or the layers of an ncnn file of Real-CUGAN or waifu2x.

        An ncnn file does not tell whether its weights are "pro" ones: set ``gain`` and ``offset`` for those.
        """
        known = UpCunetConfig(edge="replicate" if "Convolution1.weight" in tensors else "reflect")
        if "pro" in tensors:
            known = replace(known, gain=0.7, offset=0.15)
        layers = {name: tensor for name, tensor in tensors.items() if name != "pro"}
        for scale in AROUND:
            for gated in (True, False):
                config = replace(known, scale=scale, gated=gated)
                with torch.device("meta"):
                    found = in_order(layers, cls(config).state_dict())
                if found is not None:
                    return config, found
        return None

    def made(self, frames: tuple[Tensor, ...], state: tuple[Tensor, ...], time: Tensor | None) -> Tensor:
        """Return the B×3×S·H×S·W picture."""
        gain, offset, scale = self.config.gain, self.config.offset, self.config.scale
        picture = frames[0] * gain + offset if gain != 1 or offset else frames[0]
        first = self.unet1(functional.pad(picture, (AROUND[scale],) * 4, mode=self.config.edge))
        enlarged: Tensor = self.unet2(first) + _inner(first, 20)
        if scale == 4:
            enlarged = functional.pixel_shuffle(_inner(self.conv_final(enlarged), 1), 2)
            enlarged = enlarged + functional.interpolate(picture, scale_factor=4.0, mode="nearest")
        return (enlarged - offset) / gain if gain != 1 or offset else enlarged
