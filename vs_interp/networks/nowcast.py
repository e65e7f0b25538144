"""Nowcasting of satellite pictures: the first layers of a ResNet-34 on each of twelve pictures, and one decoder.

The network of CG80499/Climatehack-2022 (MIT), with its names: twelve pictures of 128×128, five minutes apart, in;
twenty-four of their central 64×64 out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from vs_interp.errors import ArgumentError
from vs_interp.spec import NetworkSpec, Output, Window

from .base import Network
from .published import with_counts, without_prefixes

MEAN, DEVIATION = (0.4302, 0.4575, 0.4539), (0.2361, 0.2347, 0.2432)
"""Normalisation of the three copies of a picture; not ImageNet's."""

SIZE, MADE, ENLARGED = 128, 64, 224
MOST_BLUR = 12
"""The largest σ whose Gaussian, mirrored at the borders, fits into the made pictures."""


@dataclass(frozen=True, kw_only=True)
class NowcastConfig:
    """Configuration of a nowcasting network.

    seen, made
        Number of pictures in and out.
    width
        Channels of the trunk's first layer; 64 is ResNet-34's.  The decoder scales with it.
    statistics
        The mean and variance in batch norms: ``"window"``, over the pictures of the window itself, as the published
        score was measured, or ``"running"``, those from training.
    blur
        σ of a Gaussian blur of the output in pixels, up to 12; 3 in the published score, 0 for none.
    """

    seen: int = 12
    made: int = 24
    width: int = 64
    statistics: Literal["window", "running"] = "window"
    blur: float = 0.0


class _Norm(nn.BatchNorm2d):
    """A batch norm that can use the statistics of its input outside of training, too."""

    def __init__(self, channels: int, own: bool) -> None:
        super().__init__(channels)
        self.own = own

    def forward(self, x: Tensor) -> Tensor:
        if self.training or not self.own:
            return super().forward(x)
        mean = x.mean((0, 2, 3), keepdim=True)
        variance = (x - mean).square().mean((0, 2, 3), keepdim=True)
        scale = self.weight.view(1, -1, 1, 1) * torch.rsqrt(variance + self.eps)
        return (x - mean) * scale + self.bias.view(1, -1, 1, 1)


class _Block(nn.Module):
    """ResNet's basic block, in torchvision's names."""

    def __init__(self, inputs: int, outputs: int, stride: int, own: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = _Norm(outputs, own)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = _Norm(outputs, own)
        self.downsample = (
            nn.Identity()
            if stride == 1
            else nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), _Norm(outputs, own))
        )

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(y)) + self.downsample(x))


def _trunk(width: int, own: bool) -> nn.Sequential:
    blocks = [_Block(width, width, 1, own) for _ in range(3)]
    halved = [_Block(2 * width if index else width, 2 * width, 1 if index else 2, own) for index in range(4)]
    return nn.Sequential(
        nn.Conv2d(3, width, 7, 2, 3, bias=False),
        _Norm(width, own),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, 1),
        nn.Sequential(*blocks),
        nn.Sequential(*halved),
    )


def _decoder(inputs: int, width: int, made: int, own: bool) -> nn.Sequential:
    def layer(before: int, after: int, padding: int) -> list[nn.Module]:
        return [nn.Conv2d(before, after, 3, 1, padding), _Norm(after, own), nn.ReLU()]

    return nn.Sequential(
        *layer(inputs, 4 * width, 1),
        *layer(4 * width, 2 * width, 2),
        nn.Upsample(scale_factor=2),
        *layer(2 * width, width, 2),
        *layer(width, width // 2, 2),
        nn.Conv2d(width // 2, made, 3, 1, 1),
    )


class Blur(nn.Module):
    """A Gaussian of standard deviation σ pixels, mirrored at the borders."""

    def __init__(self, sigma: float) -> None:
        super().__init__()
        self.radius = max(1, round(5 * sigma))
        taps = torch.exp(-0.5 * (torch.arange(-self.radius, self.radius + 1) / sigma) ** 2)
        self.register_buffer("taps", taps / taps.sum(), persistent=False)
        self.taps: Tensor

    def forward(self, pictures: Tensor) -> Tensor:
        """Return N×C×H×W pictures blurred."""
        batch, channels, height, width = pictures.shape
        x = functional.pad(pictures, (self.radius,) * 4, mode="reflect")
        x = x.reshape(batch * channels, 1, *x.shape[2:])
        x = functional.conv2d(functional.conv2d(x, self.taps.view(1, 1, -1, 1)), self.taps.view(1, 1, 1, -1))
        return x.view(batch, channels, height, width)


class Nowcast(Network):
    """Predicts the pictures of the next hours: B×1×128×128 in [0, 1] in, their central 64×64 out."""

    Config = NowcastConfig

    def __init__(self, config: NowcastConfig | None = None) -> None:
        super().__init__()
        self.config: NowcastConfig = config or NowcastConfig()
        c = self.config
        if c.statistics not in ("window", "running"):
            raise ArgumentError(f"statistics is {c.statistics!r}: it must be 'window' or 'running'")
        if min(c.seen, c.made) < 1 or c.width < 2 or not 0 <= c.blur <= MOST_BLUR:
            raise ArgumentError(f"nowcast of {c}: give 1 or more pictures, width 2 or more, blur 0 to {MOST_BLUR}")
        own = c.statistics == "window"
        self.encoder = _trunk(c.width, own)
        self.decoder = _decoder(2 * c.width * c.seen, c.width, c.made, own)
        self.blur = Blur(c.blur) if c.blur else nn.Identity()
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(DEVIATION).view(1, 3, 1, 1), persistent=False)
        self.mean: Tensor
        self.deviation: Tensor

    @property
    def spec(self) -> NetworkSpec:
        """Pictures up to the newest in, the centres of the following ones out, at one size only."""
        edge = (SIZE - MADE) // 2
        return NetworkSpec(
            name="nowcast",
            window=Window(offsets=tuple(range(1 - self.config.seen, 1)), channels=1),
            output=Output(
                channels=1,
                times=tuple(float(time) for time in range(1, self.config.made + 1)),
                crop=(edge, edge, MADE, MADE),
            ),
            fixed=(SIZE, SIZE),
            tileable=False,
            fp32_islands=("*bn1/*", "*bn2/*", "/encoder/1/*", "*downsample/1/*", "/decoder/1/*", "/decoder/4/*",
                          "/decoder/8/*", "/decoder/11/*", "/blur/*"),
        )  # fmt: skip

    @classmethod
    def from_published(cls, tensors: Mapping[str, Tensor]) -> tuple[NowcastConfig, dict[str, Tensor]] | None:
        """Read the project's ``state_dict``; the shapes tell the number of pictures in and out."""
        state = without_prefixes(tensors, "state_dict.", "module.")
        first, last = state.get("decoder.0.weight"), state.get("decoder.13.weight")
        if first is None or last is None or "encoder.5.0.bn1.weight" not in state:
            return None
        width = state["encoder.0.weight"].shape[0]
        return NowcastConfig(seen=first.shape[1] // (2 * width), made=last.shape[0], width=width), with_counts(state)

    def features(self, pictures: Tensor) -> Tensor:
        """Return the features (N×2·width×28×28) of N×1×128×128 pictures in [0, 1], normalised together."""
        size = (ENLARGED, ENLARGED)
        enlarged = functional.interpolate(pictures, size, mode="bilinear", align_corners=False)
        features: Tensor = self.encoder((enlarged.expand(-1, 3, -1, -1) - self.mean) / self.deviation)
        return features

    def following(self, windows: Tensor) -> Tensor:
        """Return the predicted pictures (B×made×64×64) for windows of B×seen×128×128, before the blur.

        Outside of training, norms with statistics over the window process each window separately.
        """
        if self.training or self.config.statistics == "running":
            features = self.features(windows.flatten(0, 1)[:, None])
            return self._decoded(features.view(*windows.shape[:2], *features.shape[1:]))
        return torch.cat([self._decoded(self.features(window[:, None])[None]) for window in windows])

    def _decoded(self, features: Tensor) -> Tensor:
        made: Tensor = self.decoder(features.flatten(1, 2)) * 0.5 + 0.5
        return made

    def made(self, frames: tuple[Tensor, ...], state: tuple[Tensor, ...], time: Tensor | None) -> Tensor:
        """Return the centres of the following pictures, B·M×1×64×64; not clamped."""
        made: Tensor = self.blur(self.following(torch.cat(frames, 1)))
        return made.flatten(0, 1)[:, None]
