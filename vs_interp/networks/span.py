"""SPAN: Wan et al. 2023, "Swift Parameter-free Attention Network for Efficient Super-Resolution" (arXiv:2311.12770)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from vs_interp.spec import NetworkSpec, Output, Window

from .base import Network

BLOCKS = 6


@dataclass(frozen=True, kw_only=True)
class SpanConfig:
    """Configuration of a SPAN network.

    scale
        Upscaling factor.
    features
        Channels of the convolutions: 48 and 52 are published.
    mean, gain
        The input is ``(picture − mean) · gain``.
    """

    scale: int = 4
    features: int = 48
    mean: tuple[float, float, float] = (0.4488, 0.4371, 0.4040)
    gain: float = 255.0


class _Fused(nn.Module):
    """A 3×3 convolution, into which the four convolutions used in training were fused (``eval_conv``)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.eval_conv = nn.Conv2d(inputs, outputs, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        convolved: Tensor = self.eval_conv(x)
        return convolved


class _Attention(nn.Module):
    """The paper's parameter-free attention; a module so that an FP16 engine can keep its products in FP32."""

    def forward(self, features: Tensor, x: Tensor) -> Tensor:
        return (features + x) * (torch.sigmoid(features) - 0.5)


class _Normalise(nn.Module):
    """Normalise a picture; a module so that an FP16 engine can keep it in FP32."""

    def __init__(self, config: SpanConfig) -> None:
        super().__init__()
        self.gain = config.gain
        self.register_buffer("mean", torch.tensor(config.mean).view(1, 3, 1, 1), persistent=False)
        self.mean: Tensor

    def forward(self, picture: Tensor) -> Tensor:
        return (picture - self.mean) * self.gain


class _Block(nn.Module):
    """Three convolutions and the attention; also returns the features after the first convolution."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.c1_r = _Fused(width, width)
        self.c2_r = _Fused(width, width)
        self.c3_r = _Fused(width, width)
        self.attention = _Attention()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        first = functional.silu(self.c1_r(x))
        last = self.c3_r(functional.silu(self.c2_r(first)))
        return self.attention(last, x), first


class Span(Network):
    """SPAN in its fused form.  Frames are B×3×H×W RGB in [0, 1]; names are those of the published checkpoints."""

    Config = SpanConfig

    def __init__(self, config: SpanConfig | None = None) -> None:
        super().__init__()
        self.config: SpanConfig = config or SpanConfig()
        width, scale = self.config.features, self.config.scale
        self.normalise = _Normalise(self.config)
        self.conv_1 = _Fused(3, width)
        for number in range(1, BLOCKS + 1):
            self.add_module(f"block_{number}", _Block(width))
        self.conv_2 = _Fused(width, width)
        self.conv_cat = nn.Conv2d(4 * width, width, 1)
        self.upsampler = nn.Sequential(nn.Conv2d(width, 3 * scale**2, 3, 1, 1), nn.PixelShuffle(scale))

    @property
    def spec(self) -> NetworkSpec:
        """One picture in, the upscaled picture out.

        With black and white pictures, values reach ±114 in the first layers, for which FP16 is not precise enough:
        these layers and the attention stay FP32 (measured: 58 dB, 43 dB otherwise).
        """
        return NetworkSpec(
            name="span",
            window=Window(offsets=(0,)),
            output=Output(times=(0.0,), scale=self.config.scale),
            minimum=8,
            fp32_islands=("/normalise/*", "/conv_1/*", "/block_1/*", "*/attention/*"),
        )

    @classmethod
    def from_published(cls, tensors: Mapping[str, Tensor]) -> tuple[SpanConfig, dict[str, Tensor]] | None:
        """Read a ``.pth`` (``params``, ``params_ema``, or without a prefix), or the layers of an ncnn file.

        If a file has the convolutions used in training, they are fused here, since its ``eval_conv`` may be outdated.
        """
        state = {}
        for name, value in tensors.items():
            layer = name.removeprefix("params_ema.").removeprefix("params.").strip("/").replace("/Conv.", ".")
            state[layer.replace("/", ".").replace("upsampler.upsampler.", "upsampler.")] = value
        first, last = state.get("conv_1.eval_conv.weight"), state.get("upsampler.0.weight")
        if first is None or last is None:
            return None
        mean, gain = state.pop("Constant_output_0.data", None), state.pop("Mul.factor", None)
        if state.pop("no_norm", None) is not None:
            mean, gain = torch.zeros(3), torch.tensor(1.0)
        config = SpanConfig(
            scale=round((last.shape[0] / 3) ** 0.5),
            features=first.shape[0],
            mean=SpanConfig.mean if mean is None else tuple(mean.flatten().tolist()),
            gain=SpanConfig.gain if gain is None else float(gain),
        )
        kept = {name: value for name, value in state.items() if ".sk." not in name and ".conv." not in name}
        for layer in [name.removesuffix(".sk.weight") for name in state if name.endswith(".sk.weight")]:
            kept[f"{layer}.eval_conv.weight"], kept[f"{layer}.eval_conv.bias"] = _fused(state, layer)
        return config, kept

    def made(self, frames: tuple[Tensor, ...], state: tuple[Tensor, ...], time: Tensor | None) -> Tensor:
        """Return the B×3×S·H×S·W picture."""
        features = self.conv_1(self.normalise(frames[0]))
        first, inner = self.get_submodule("block_1")(features)
        x = first
        for number in range(2, BLOCKS + 1):
            x, inner = self.get_submodule(f"block_{number}")(x)
        enlarged: Tensor = self.upsampler(self.conv_cat(torch.cat((features, self.conv_2(x), first, inner), 1)))
        return enlarged


def _fused(state: Mapping[str, Tensor], layer: str) -> tuple[Tensor, Tensor]:
    """Fuse a 1×1, a 3×3 and a 1×1 convolution in sequence, and a parallel 1×1, into the weight and bias of a 3×3."""
    (w1, b1), (w2, b2), (w3, b3), (skip, skip_bias) = (
        (state[f"{layer}.{part}.weight"].double(), state[f"{layer}.{part}.bias"].double())
        for part in ("conv.0", "conv.1", "conv.2", "sk")
    )
    weight = torch.einsum("on,nmyx,mi->oiyx", w3[..., 0, 0], w2, w1[..., 0, 0])
    weight[..., 1, 1] += skip[..., 0, 0]
    bias = b3 + w3[..., 0, 0] @ (b2 + w2.sum((2, 3)) @ b1) + skip_bias
    return weight.float(), bias.float()
