"""FLAVR: Kalluri et al. 2020, "Flow-Agnostic Video Representations for Fast Frame Interpolation" (arXiv:2012.08512)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from vs_interp.spec import NetworkSpec, Output, Window

from .base import Network


@dataclass(frozen=True, kw_only=True)
class FlavrConfig:
    """Configuration of a FLAVR network.  The defaults are the published 2× network.

    factor
        Multiple of the frame rate: ``factor`` − 1 frames are made per window.  2, 4 and 8 are published.
    width
        Channels of the first convolution; 64 is the paper's, the other layers scale with it.
    encoder_bias
        Whether the encoder's convolutions have a bias; they do in the published networks for 4× and 8×, not 2×.
    residual
        Whether the output is added to a blend of the middle two frames at each time instead of to the window's mean.
        Our own addition, so that networks with few channels need not carry the whole picture through them.
    """

    factor: int = 2
    width: int = 64
    encoder_bias: bool = False
    residual: bool = False

    @property
    def times(self) -> tuple[float, ...]:
        """The times of the frames that are made, between frame 0 at 0 and frame 1 at 1."""
        return tuple(index / self.factor for index in range(1, self.factor))


class _GlobalMean(nn.Module):
    """The mean over frames, height and width (B×C×1×1×1); a module so that an FP16 engine can keep it in FP32."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3, 4), keepdim=True)


class _Gate(nn.Module):
    """Weights for the channels, computed from their global means (the paper's squeeze-and-excitation gate)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.pool = _GlobalMean()
        self.attn_layer = nn.Sequential(nn.Conv3d(channels, channels, 1), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        weights: Tensor = self.attn_layer(self.pool(x))
        return x * weights


class _Block(nn.Module):
    """A residual block of two 3D convolutions and a gate."""

    def __init__(self, inputs: int, outputs: int, stride: int, bias: bool) -> None:
        super().__init__()
        strides = (1, stride, stride)
        self.conv1 = nn.Sequential(nn.Conv3d(inputs, outputs, 3, strides, 1, bias=bias), nn.ReLU())
        self.conv2 = nn.Sequential(nn.Conv3d(outputs, outputs, 3, 1, 1, bias=bias))
        self.fg = _Gate(outputs)
        self.downsample = (
            nn.Identity() if inputs == outputs else nn.Sequential(nn.Conv3d(inputs, outputs, 1, strides, bias=False))
        )

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.fg(self.conv2(self.conv1(x))) + self.downsample(x))


class _Encoder(nn.Module):
    """A 3D ResNet-18 without strides in time; returns the features after its stem and after each of its four layers."""

    def __init__(self, width: int, bias: bool) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv3d(3, width, (3, 7, 7), (1, 2, 2), (1, 3, 3), bias=bias), nn.ReLU())
        self.layer1 = self._layer(width, width, 1, bias)
        self.layer2 = self._layer(width, 2 * width, 2, bias)
        self.layer3 = self._layer(2 * width, 4 * width, 2, bias)
        self.layer4 = self._layer(4 * width, 8 * width, 1, bias)

    @staticmethod
    def _layer(inputs: int, outputs: int, stride: int, bias: bool) -> nn.Sequential:
        return nn.Sequential(_Block(inputs, outputs, stride, bias), _Block(outputs, outputs, 1, bias))

    def forward(self, x: Tensor) -> list[Tensor]:
        features = [self.stem(x)]
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            features.append(layer(features[-1]))
        return features


class _Same(nn.Module):
    """A gated 3D convolution."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(nn.Conv3d(inputs, outputs, 3, 1, 1), _Gate(outputs), nn.LeakyReLU(0.2))

    def forward(self, x: Tensor) -> Tensor:
        convolved: Tensor = self.conv(x)
        return convolved


class _Double(nn.Module):
    """A gated transposed 3D convolution that doubles height and width."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        transposed = nn.ConvTranspose3d(inputs, outputs, (3, 4, 4), (1, 2, 2), 1)
        self.upconv = nn.Sequential(transposed, _Gate(outputs), nn.LeakyReLU(0.2))

    def forward(self, x: Tensor) -> Tensor:
        enlarged: Tensor = self.upconv(x)
        return enlarged


class _Fuse(nn.Module):
    """Fuse the features of the four frames, earliest first, into those of one picture."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(4 * width, width, 1, bias=False), nn.LeakyReLU(0.2))

    def forward(self, x: Tensor) -> Tensor:
        fused: Tensor = self.conv(torch.cat(torch.unbind(x, 2), 1))
        return fused


class Flavr(Network):
    """FLAVR: 3D convolutions over four frames make all frames between the middle two at once, without optical flow.

    Frames are B×3×H×W RGB in [0, 1], H and W multiples of 8.  Module names are those of the published checkpoints.
    """

    Config = FlavrConfig

    def __init__(self, config: FlavrConfig | None = None) -> None:
        super().__init__()
        self.config: FlavrConfig = config or FlavrConfig()
        width, made = self.config.width, self.config.factor - 1
        self.mean = _GlobalMean()
        self.encoder = _Encoder(width, self.config.encoder_bias)
        self.decoder = nn.Sequential(
            _Same(8 * width, 4 * width),
            _Double(8 * width, 2 * width),
            _Double(4 * width, width),
            _Same(2 * width, width),
            _Double(2 * width, width),
        )
        self.feature_fuse = _Fuse(width)
        self.outconv = nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(width, 3 * made, 7))

    @property
    def spec(self) -> NetworkSpec:
        """Four frames in, all frames between the middle two out; not tileable, as its means are over whole pictures."""
        return NetworkSpec(
            name="flavr",
            window=Window(offsets=(-1, 0, 1, 2), edge="mirror"),
            output=Output(times=self.config.times),
            multiple_of=8,
            minimum=16,
            tileable=False,
            fp32_islands=("/mean/*", "*/pool/*"),
        )

    @classmethod
    def from_published(cls, tensors: Mapping[str, Tensor]) -> tuple[FlavrConfig, dict[str, Tensor]] | None:
        """Read the layout of the published ``.pth`` files: a ``state_dict`` whose names begin with ``module.``."""
        state = {
            name.removeprefix("state_dict.").removeprefix("module."): tensor
            for name, tensor in tensors.items()
            if name.startswith(("state_dict.", "module.", "encoder.", "decoder.", "feature_fuse.", "outconv."))
        }
        stem, last = state.get("encoder.stem.0.weight"), state.get("outconv.1.weight")
        if stem is None or last is None:
            return None
        config = FlavrConfig(
            factor=last.shape[0] // 3 + 1, width=stem.shape[0], encoder_bias="encoder.stem.0.bias" in state
        )
        return config, state

    def initialise(self) -> None:
        """Start a residual network at the blended frames."""
        if self.config.residual:
            for parameter in self.outconv.parameters():
                nn.init.zeros_(parameter)

    def made(self, frames: tuple[Tensor, ...], state: tuple[Tensor, ...], time: Tensor | None) -> Tensor:
        """Return the frames at the spec's times, B·M×3×H×W, those of each window in a row."""
        window = torch.stack(frames, 2)
        mean = self.mean(window)
        *skips, x = self.encoder(window - mean)
        for step in self.decoder:
            x = step(x)
            x = torch.cat((x, skips.pop()), 1) if skips else x
        pictures: Tensor = self.outconv(self.feature_fuse(x))
        batch, _, height, width = pictures.shape
        pictures = pictures.view(batch, self.config.factor - 1, 3, height, width)
        return (pictures + (self._blended(frames) if self.config.residual else mean.transpose(1, 2))).flatten(0, 1)

    def _blended(self, frames: tuple[Tensor, ...]) -> Tensor:
        """Return the middle two frames blended for each of the spec's times: B×M×3×H×W."""
        _, before, after, _ = frames
        return torch.stack([(1 - time) * before + time * after for time in self.config.times], 1)
