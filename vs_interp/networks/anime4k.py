"""Anime4K's CNNs that enlarge twice (bloc97, 4.0): tiny networks, made for players, for drawn film."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from vs_interp.spec import NetworkSpec, Output, Window

from .base import Network

AROUND = 8
"""Pixels that the layers look at to each side, at most."""


@dataclass(frozen=True, kw_only=True)
class Anime4kConfig:
    """What fixes one of Anime4K's networks besides its weights.

    features, convolutions
        Channels of the 3×3 convolutions, and how many there are before the last layer.
    all_layers
        Whether the last layer, 1×1, sees what all others made, and makes red, green and blue each; else it is 3×3, sees
        the layer before it, and makes what is added to all three.
    """

    features: int = 8
    convolutions: int = 7
    all_layers: bool = True


class Anime4k(Network):
    """3×3 convolutions whose negative parts go on beside the positive ones; what they make is added to the picture.

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
        """One picture in, the same enlarged out."""
        return NetworkSpec(
            name="anime4k",
            window=Window(offsets=(0,)),
            output=Output(times=(0.0,), scale=2),
            minimum=8,
        )

    @classmethod
    def from_published(cls, tensors: Mapping[str, Tensor]) -> tuple[Anime4kConfig, dict[str, Tensor]] | None:
        """Read what :func:`~vs_interp.weights.websr.read_websr` gives: S, M or L (the shaders' VL)."""
        if "conv2d_tf.weight" not in tensors or "conv2d_out_tf.weight" in tensors:
            return None  # the latter are for restoring, and keep the size
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

        The last lines and columns are repeated around the picture, since zeros there would be black lines.
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
    """Return the names that make up each layer: ``conv2d_3_tf`` and, where it has eight channels, ``conv2d_3_tf1``."""
    names: dict[str, list[str]] = {}
    for name in tensors:
        if name.endswith(".weight"):
            names.setdefault(name.partition("_tf")[0], []).append(name.removesuffix(".weight"))
    return [sorted(parts) for parts in names.values()]


def _joined(tensors: Mapping[str, Tensor], names: list[str]) -> tuple[Tensor, Tensor]:
    """Return weight and bias of one convolution, of the parts that make four of its channels each."""
    weights = [_weight(tensors[f"{name}.weight"]) for name in names]
    return torch.cat(weights), torch.cat([tensors[f"{name}.bias"] for name in names])


def _weight(matrices: Tensor) -> Tensor:
    """Return a convolution's weight, outputs × inputs × lines × columns, of matrices × inputs × outputs."""
    size = 3 if len(matrices) % 9 == 0 else 1
    parts = matrices.view(-1, size, size, 4, 4)  # groups of four inputs, columns, lines, inputs, outputs
    weight = parts.permute(4, 0, 3, 2, 1).reshape(4, -1, size, size)
    return weight[:, :3] if weight.shape[1] == 4 else weight  # a picture's fourth channel counts for nothing
