"""Optical flow by Perceiver IO: Jaegle et al. 2021 (arXiv:2107.14795), in the layout of Hugging Face's transformers.

The catalogue has no weights for it, and it takes 28 times the work of the small RAFT per pixel: this is an importer
for users of ``deepmind/optical-flow-perceiver``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from vs_interp.errors import ArgumentError
from vs_interp.spec import NetworkSpec, Output, Window

from .base import Network

BANDS, PATCH, FEATURES = 64, 27, 64
WIDTH = FEATURES + 2 + 4 * BANDS
"""Channels per pixel: features of both frames' patches, its position, and sines and cosines of that."""

PIXELS = 20
"""The unit of the published network's flow, in pixels (DeepMind's issue 266)."""


@dataclass(frozen=True, kw_only=True)
class PerceiverFlowConfig:
    """Configuration of the network.

    size
        The only height and width that it works at.
    latents, latent_width
        Number and channels of the latent vectors.
    layers, heads
        Self-attention layers among them, and their heads.
    """

    size: tuple[int, int] = (368, 496)
    latents: int = 2048
    latent_width: int = 512
    layers: int = 24
    heads: int = 16


class _MultiHead(nn.Module):
    """Multi-head attention from one array to another, or within one (then there is no second norm)."""

    def __init__(self, queries: int, inputs: int | None, inner: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.layernorm1 = nn.LayerNorm(queries)
        self.layernorm2 = None if inputs is None else nn.LayerNorm(inputs)
        source = queries if inputs is None else inputs
        self.query, self.key, self.value = nn.Linear(queries, inner), nn.Linear(source, inner), nn.Linear(source, inner)

    def forward(self, x: Tensor, inputs: Tensor | None) -> Tensor:
        normed = self.layernorm1(x)
        source = normed if inputs is None or self.layernorm2 is None else self.layernorm2(inputs)
        query, key, value = (
            each.view(*each.shape[:2], self.heads, -1).transpose(1, 2)
            for each in (self.query(normed), self.key(source), self.value(source))
        )
        weights = (query @ key.transpose(2, 3) / math.sqrt(query.shape[-1])).softmax(-1)
        attended: Tensor = (weights @ value).transpose(1, 2).flatten(2)
        return attended


class _Attention(nn.Module):
    """Multi-head attention and the linear layer after it."""

    def __init__(self, queries: int, inputs: int | None, inner: int, heads: int) -> None:
        super().__init__()
        self.self = _MultiHead(queries, inputs, inner, heads)
        self.output = nn.ModuleDict({"dense": nn.Linear(inner, queries)})

    def forward(self, x: Tensor, inputs: Tensor | None) -> Tensor:
        attended: Tensor = self.output["dense"](self.self(x, inputs))
        return attended


class _Mlp(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.dense1, self.dense2 = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        mixed: Tensor = self.dense2(functional.gelu(self.dense1(x)))
        return mixed


class _Layer(nn.Module):
    """Attention and an MLP, each with a residual; the decoder's attention has none."""

    def __init__(self, queries: int, inputs: int | None, inner: int, heads: int, residual: bool = True) -> None:
        super().__init__()
        self.attention = _Attention(queries, inputs, inner, heads)
        self.layernorm, self.mlp, self.residual = nn.LayerNorm(queries), _Mlp(queries), residual

    def forward(self, x: Tensor, inputs: Tensor | None = None) -> Tensor:
        attended = self.attention(x, inputs)
        x = x + attended if self.residual else attended
        y: Tensor = x + self.mlp(self.layernorm(x))
        return y


class PerceiverFlow(Network):
    """Flow from one frame to the next by attention from every pixel to a latent array and back.

    Frames are B×3×H×W RGB in [0, 1] of the configuration's size.
    """

    Config = PerceiverFlowConfig

    def __init__(self, config: PerceiverFlowConfig | None = None) -> None:
        super().__init__()
        self.config: PerceiverFlowConfig = config or PerceiverFlowConfig()
        c = self.config
        if min(*c.size, c.latents, c.latent_width, c.layers, c.heads) < 1 or c.latent_width % c.heads:
            raise ArgumentError(f"{c}: give sizes of 1 or more, and a latent_width that heads divides")
        latent = c.latent_width
        self.conv_after_patches = nn.Linear(2 * PATCH, FEATURES)
        self.latents = nn.Parameter(torch.randn(c.latents, latent) * 0.02)
        self.cross_attention = _Layer(latent, WIDTH, WIDTH, 1)
        self.self_attends = nn.ModuleList(_Layer(latent, None, latent, c.heads) for _ in range(c.layers))
        self.decoding_cross_attention = _Layer(WIDTH, latent, latent, 1, residual=False)
        self.final_layer = nn.Linear(WIDTH, 2)
        self.register_buffer("places", places(*c.size), persistent=False)
        self.places: Tensor

    @property
    def spec(self) -> NetworkSpec:
        """A frame and the next in, the flow from one to the other out, at one size only."""
        return NetworkSpec(
            name="perceiver-flow",
            window=Window(offsets=(0, 1)),
            output=Output(kind="flow", channels=1, times=(0.0, 0.0)),
            fixed=self.config.size,
            tileable=False,
            fp32_islands=("Softmax", "*layernorm*"),
        )

    @classmethod
    def from_published(cls, tensors: Mapping[str, Tensor]) -> tuple[PerceiverFlowConfig, dict[str, Tensor]] | None:
        """Read the layout of transformers' ``PerceiverForOpticalFlow``; 16 heads and 368×496, as published."""
        if "perceiver.input_preprocessor.conv_after_patches.weight" not in tensors:
            return None
        prefixes = ("perceiver.input_preprocessor.", "perceiver.embeddings.", "perceiver.encoder.",
                    "perceiver.decoder.decoder.")  # fmt: skip
        state = {
            name.removeprefix(prefix): tensor
            for name, tensor in tensors.items()
            for prefix in prefixes
            if name.startswith(prefix)
        }
        state = {name: tensor for name, tensor in state.items() if not name.startswith("output_position")}
        count, width = state["latents"].shape
        layers = len({name.split(".")[1] for name in state if name.startswith("self_attends.")})
        return PerceiverFlowConfig(latents=count, latent_width=width, layers=layers), state

    def raw(self, frame0: Tensor, frame1: Tensor) -> Tensor:
        """Return the last layer's output, B×2×H×W: 100 times what the paper calls the flow."""
        height, width = self.config.size
        pixels = self.conv_after_patches(torch.cat((patches(frame0), patches(frame1)), 1).flatten(2).transpose(1, 2))
        inputs = torch.cat((pixels, self.places.expand(pixels.shape[0], -1, -1)), 2)
        latents = self.cross_attention(self.latents.expand(pixels.shape[0], -1, -1), inputs)
        for layer in self.self_attends:
            latents = layer(latents)
        flow: Tensor = self.final_layer(self.decoding_cross_attention(inputs, latents))
        return flow.transpose(1, 2).reshape(-1, 2, height, width)

    def made(self, frames: tuple[Tensor, ...], state: tuple[Tensor, ...], time: Tensor | None) -> Tensor:
        """Return the flow from frame 0 to frame 1, B·2×1×H×W in pixels: to the right, then down."""
        frame0, frame1 = frames
        return (self.raw(frame0, frame1) * (PIXELS / 100)).flatten(0, 1)[:, None]


def patches(frame: Tensor) -> Tensor:
    """Return the 3×3 pixels around each, zeros outside, in [−1, 1]: B×27×H×W, lines, columns, then colours."""
    height, width = frame.shape[2:]
    padded = functional.pad(frame * 2 - 1, (1, 1, 1, 1))
    return torch.cat([padded[:, :, y : y + height, x : x + width] for y in range(3) for x in range(3)], 1)


def places(height: int, width: int) -> Tensor:
    """Return the position encoding of every pixel, 1×H·W×258: y and x from −1 to 1, then their sines and cosines."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    place = torch.stack((y, x), 2)
    bands = torch.stack([torch.linspace(1, size / 2, BANDS) for size in (height, width)])
    angles = math.pi * (place[..., None] * bands).flatten(2)
    return torch.cat((place, angles.sin(), angles.cos()), 2).flatten(0, 1)[None]
