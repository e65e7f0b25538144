"""Anime4K's upscaling CNNs (bloc97, version 4.0): tiny ×2 networks for animation, made for video players."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from vs_interp.spec import NetworkSpec, Output, Window

from .base import Network

AROUND = 8
"""The largest radius, in pixels, of a network's receptive field."""


@dataclass(frozen=True, kw_only=True)
class Anime4kConfig:
    """Configuration of an Anime4K network.

    features, convolutions
        Channels of the 3×3 convolutions, and their number before the last layer.
    all_layers
        Whether the last layer is 1×1 over the outputs of all others, with an output for each of R, G and B; otherwise
        it is 3×3 over the layer before, and its output is added to all three.
    """

    features: int = 8
    convolutions: int = 7
    all_layers: bool = True


class Anime4k(Network):
    """3×3 convolutions with concatenated ReLU (of x and −x), whose output is added to the bilinearly enlarged picture.

    Frames are B×3×H×W RGB in [0, 1].
    """

    Config = Anime4kConfig

    def __init__(self, config: Anime4kConfig | None = None) -> None:
        super().__init__()
        self.config: Anime4kConfig = config or Anime4kConfig()
        features, count = self.config.features, self.config.convolutions
        inputs = [3, *[2 * features] * (count - 1)]
        self.convolutions = nn.ModuleList(nn.Conv2d(channels, features, 3, padding=1) for channels in inputs)
        if self.config.all_layers:
            self.last = nn.Conv2d(2 * features * count, 12, 1)
        else:
            self.last = nn.Conv2d(2 * features, 4, 3, padding=1)

    @property
    def spec(self) -> NetworkSpec:
        """One picture in, the upscaled picture out."""
        return NetworkSpec(
            name="anime4k",
            window=Window(offsets=(0,)),
            output=Output(times=(0.0,), scale=2),
            minimum=8,
        )

    @classmethod
    def from_published(cls, tensors: Mapping[str, Tensor]) -> tuple[Anime4kConfig, dict[str, Tensor]] | None:
        """Read the tensors of :func:`~vs_interp.weights.websr.read_websr`: S, M or L (the shaders' VL)."""
        if "conv2d_tf.weight" not in tensors or "conv2d_out_tf.weight" in tensors:
            return None  # networks with the latter restore pictures without upscaling
        layers = _layers(tensors)
        state = {}
        for number, layer in enumerate(layers[:-1]):
            state[f"convolutions.{number}.weight"], state[f"convolutions.{number}.bias"] = _joined(tensors, layer)
        state["last.weight"], state["last.bias"] = _joined(tensors, layers[-1])
        config = Anime4kConfig(
            features=state["convolutions.0.weight"].shape[0],
            convolutions=len(layers) - 1,
            all_layers=state["last.weight"].shape[2] == 1,
        )
        return config, state

    def made(self, frames: tuple[Tensor, ...], state: tuple[Tensor, ...], time: Tensor | None) -> Tensor:
        """Return the B×3×2·H×2·W picture.

        The picture is padded by repeating its edges, since zeros would show as black lines.
        """
        x, seen = functional.pad(frames[0], (AROUND,) * 4, mode="replicate"), []
        for layer in self.convolutions:
            x = layer(x)
            x = torch.cat((functional.relu(x), functional.relu(-x)), 1)
            seen.append(x)
        added = self.last(torch.cat(seen, 1) if self.config.all_layers else x)
        added = functional.pixel_shuffle(added[..., AROUND:-AROUND, AROUND:-AROUND], 2)
        return added + functional.interpolate(frames[0], scale_factor=2.0, mode="bilinear", align_corners=False)


def _layers(tensors: Mapping[str, Tensor]) -> list[list[str]]:
    """Return the parts of each layer by name: ``conv2d_3_tf`` and, with eight channels, also ``conv2d_3_tf1``."""
    names: dict[str, list[str]] = {}
    for name in tensors:
        if name.endswith(".weight"):
            names.setdefault(name.partition("_tf")[0], []).append(name.removesuffix(".weight"))
    return [sorted(parts) for parts in names.values()]


def _joined(tensors: Mapping[str, Tensor], names: list[str]) -> tuple[Tensor, Tensor]:
    """Return weight and bias of a convolution from its parts, each with four output channels."""
    weights = [_weight(tensors[f"{name}.weight"]) for name in names]
    return torch.cat(weights), torch.cat([tensors[f"{name}.bias"] for name in names])


def _weight(matrices: Tensor) -> Tensor:
    """Turn matrices (matrices × inputs × outputs) into a convolution's weight (outputs × inputs × lines × columns)."""
    size = 3 if len(matrices) % 9 == 0 else 1
    parts = matrices.view(-1, size, size, 4, 4)  # groups of four inputs, columns, lines, inputs, outputs
    weight = parts.permute(4, 0, 3, 2, 1).reshape(4, -1, size, size)
    return weight[:, :3] if weight.shape[1] == 4 else weight  # the fourth channel of a picture is unused
