"""Slot attention: Locatello et al. 2020, "Object-Centric Learning with Slot Attention" (arXiv:2006.15055).

Follows google-research/slot_attention (TensorFlow, Apache-2.0), whose layers have no PyTorch names: those here are our
own.  Keras' epsilon of layer norms is 1e-3, and its strided convolutions pad one side more than the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from vs_interp.errors import ArgumentError
from vs_interp.spec import NetworkSpec, Output, Window

from .base import Network
from .label_planes import Largest

EPSILON = 1e-3
LEAST = 1e-8
"""Added to every weight of the attention, so that no slot's sum is zero."""


@dataclass(frozen=True, kw_only=True)
class SlotAttentionConfig:
    """Configuration of a slot attention network.

    slots, iterations
        The number of slots, and of the rounds in which they compete for the pixels of a frame.
    width, hidden
        Channels of features and slots; hidden channels of the slots' MLP.
    seed
        Of the noise that initialises the slots.  Training draws new noise for every frame, as the original does; in a
        model file it is constant, so that a frame always gives the same slots.
    output
        ``"labels"``: the slot of each pixel; ``"soft"``: the share of each slot in each pixel; ``"picture"``: the
        reconstructed frame, which training compares with the frame itself.  The weights are the same.
    """

    slots: int = 7
    iterations: int = 3
    width: int = 64
    hidden: int = 128
    seed: int = 0
    output: Literal["labels", "soft", "picture"] = "labels"


class Position(nn.Module):
    """Adds a linear function of (y, x, 1 − y, 1 − x), each from 0 to 1 across the grid, to B×H×W×C features."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.dense = nn.Linear(4, width)

    def forward(self, x: Tensor) -> Tensor:
        _, height, width, _ = x.shape
        rows = torch.arange(height, device=x.device, dtype=torch.float32) / max(height - 1, 1)
        columns = torch.arange(width, device=x.device, dtype=torch.float32) / max(width - 1, 1)
        y, x_place = rows[:, None].expand(height, width), columns[None].expand(height, width)
        placed: Tensor = x + self.dense(torch.stack((y, x_place, 1 - y, 1 - x_place), 2))
        return placed


class SlotAttention(nn.Module):
    """Slots that compete for inputs in several rounds: B×S×C slots from B×N×C inputs."""

    def __init__(self, config: SlotAttentionConfig) -> None:
        super().__init__()
        width, self.iterations = config.width, config.iterations
        self.slots_mu = nn.Parameter(torch.zeros(1, 1, width))
        self.slots_log_sigma = nn.Parameter(torch.zeros(1, 1, width))
        self.norm_inputs, self.norm_slots, self.norm_mlp = (nn.LayerNorm(width, EPSILON) for _ in range(3))
        self.q, self.k, self.v = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.shares = _Shares()
        self.gru = nn.GRUCell(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, config.hidden), nn.ReLU(), nn.Linear(config.hidden, width))

    def forward(self, inputs: Tensor, noise: Tensor) -> Tensor:
        inputs = self.norm_inputs(inputs.float())
        keys, values = self.k(inputs), self.v(inputs)
        batch, (count, width) = inputs.shape[0], noise.shape[-2:]
        slots = (self.slots_mu + self.slots_log_sigma.exp() * noise).expand(batch, count, width)
        for _ in range(self.iterations):
            queries = self.q(self.norm_slots(slots)) * width**-0.5
            weights = self.shares(keys @ queries.transpose(1, 2))
            updates = (weights.transpose(1, 2) @ values).float() / inputs.shape[1] ** 0.5
            slots = self.gru(updates.reshape(-1, width), slots.reshape(-1, width)).view(batch, count, width)
            slots = slots + self.mlp(self.norm_mlp(slots))
        return slots


class _Shares(nn.Module):
    """The share of each input in each slot's update, times √N: B×N×S from scores of that shape.

    A module so that an FP16 engine can keep it in FP32: shares of thousands of pixels are too small for half precision,
    which is also why they are multiplied by √N.
    """

    def forward(self, scores: Tensor) -> Tensor:
        weights = scores.float().softmax(2) + LEAST
        shares: Tensor = weights / weights.sum(1, keepdim=True) * scores.shape[1] ** 0.5
        return shares


class _Doubled(nn.ConvTranspose2d):
    """TensorFlow's transposed 5×5 convolution with stride 2, which crops one row and column more below and right."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 5, 2, 1)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        return super().forward(x, output_size)[:, :, :-1, :-1]


class SlotEncoder(nn.Module):
    """Encodes a frame as the inputs of the attention, B×N×C."""

    def __init__(self, config: SlotAttentionConfig, strides: tuple[int, int, int, int]) -> None:
        super().__init__()
        width = config.width
        layers: list[nn.Module] = []
        for index, stride in enumerate(strides):
            layers += [_Same(width if index else 3, width, stride), nn.ReLU()]
        self.encoder_cnn = nn.Sequential(*layers)
        self.encoder_pos = Position(width)
        self.layer_norm = nn.LayerNorm(width, EPSILON)
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))

    def inputs(self, frame: Tensor) -> Tensor:
        """Return the inputs of the attention for RGB in [0, 1]."""
        features = self.encoder_cnn((frame * 2 - 1).clamp(-1, 1)).movedim(1, 3)
        inputs: Tensor = self.mlp(self.layer_norm(self.encoder_pos(features).flatten(1, 2)))
        return inputs


class _Same(nn.Conv2d):
    """TensorFlow's 5×5 convolution, whose output is its input's size divided by the stride."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__(inputs, outputs, 5, stride, 2 if stride == 1 else 0)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x if self.stride == (1, 1) else functional.pad(x, (1, 2, 1, 2)))


def constant_noise(config: SlotAttentionConfig) -> Tensor:
    """Return the noise that initialises the slots, S×C.

    Raises :class:`ArgumentError` for an impossible configuration.
    """
    if min(config.slots, config.iterations, config.width, config.hidden) < 1 or config.slots > 256:
        raise ArgumentError(f"slot attention of {config}: give 1 to 256 slots, and sizes of 1 or more")
    if config.output not in ("labels", "soft", "picture"):
        raise ArgumentError(f"output is {config.output!r}: it must be 'labels', 'soft' or 'picture'")
    drawn = np.random.default_rng(config.seed).standard_normal((config.slots, config.width))
    return torch.from_numpy(drawn.astype(np.float32))


class ObjectDiscovery(SlotEncoder, Network):
    """Slot attention that reconstructs a frame slot by slot, and so finds its objects without labels.

    Frames are B×3×H×W RGB in [0, 1], H and W multiples of 16; use the size that it was trained on.  Slots have no fixed
    meaning: which of them takes an object may change from frame to frame.
    """

    Config = SlotAttentionConfig

    def __init__(self, config: SlotAttentionConfig | None = None) -> None:
        self.config: SlotAttentionConfig = config or SlotAttentionConfig()
        super().__init__(self.config, (1, 1, 1, 1))
        width = self.config.width
        self.slot_attention = SlotAttention(self.config)
        self.decoder_pos = Position(width)
        layers: list[nn.Module] = []
        for _ in range(4):
            layers += [_Doubled(width, width), nn.ReLU()]
        layers += [nn.ConvTranspose2d(width, width, 5, 1, 2), nn.ReLU(), nn.ConvTranspose2d(width, 4, 3, 1, 1)]
        self.decoder_cnn = nn.Sequential(*layers)
        self.largest = Largest()
        self.register_buffer("noise", constant_noise(self.config), persistent=False)
        self.noise: Tensor

    @property
    def spec(self) -> NetworkSpec:
        """A frame in; the slot of each of its pixels out, or the share of every slot, or the reconstructed frame."""
        output = {
            "labels": Output(kind="labels", channels=1, times=(0.0,)),
            "soft": Output(kind="mask", channels=1, times=(0.0,) * self.config.slots),
            "picture": Output(times=(0.0,)),
        }[self.config.output]
        return NetworkSpec(
            name="slot-attention",
            window=Window(offsets=(0,)),
            output=output,
            multiple_of=16,
            minimum=32,
            tileable=False,
            fp32_islands=("*/shares/*", "*/norm_*/*", "*/layer_norm/*", "*/largest/*", "Softmax"),
        )

    @classmethod
    def from_published(cls, tensors: Mapping[str, Tensor]) -> tuple[SlotAttentionConfig, dict[str, Tensor]] | None:
        """Read our own names for the TensorFlow model's weights, which do not tell how many slots there were (10)."""
        if "decoder_cnn.10.weight" not in tensors or "slot_attention.slots_mu" not in tensors:
            return None
        hidden, width = tensors["slot_attention.mlp.0.weight"].shape
        return SlotAttentionConfig(slots=10, width=width, hidden=hidden), dict(tensors)

    def slots(self, frame: Tensor, noise: Tensor) -> Tensor:
        """Return the slots of a frame, B×S×C, initialised with ``noise`` (S×C or B×S×C)."""
        found: Tensor = self.slot_attention(self.inputs(frame), noise)
        return found

    def painted(self, slots: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
        """Return each slot's picture, B×S×3×H×W in [−1, 1], and its share in each pixel, B×S×1×H×W."""
        batch, count, channels = slots.shape
        grid = slots.reshape(batch * count, 1, 1, channels).expand(-1, height // 16, width // 16, -1)
        painted = self.decoder_cnn(self.decoder_pos(grid).movedim(3, 1))
        painted = painted.view(batch, count, 4, height, width)
        return painted[:, :, :3], painted[:, :, 3:].softmax(1)

    def _drawn(self, batch: int) -> Tensor:
        """Return new noise, B×S×C, drawn on the CPU, whose random state a training run saves."""
        return torch.randn(batch, *self.noise.shape).to(self.noise)

    def made(self, frames: tuple[Tensor, ...], state: tuple[Tensor, ...], time: Tensor | None) -> Tensor:
        """Return the slot of every pixel, B×1×H×W in steps of 1/255, each slot's share, B·S×1×H×W, or the picture."""
        frame = frames[0]
        slots = self.slots(frame, self._drawn(len(frame)) if self.training else self.noise)
        painted, masks = self.painted(slots, *frame.shape[2:])
        if self.config.output == "picture":
            picture: Tensor = ((painted * masks).sum(1) + 1) / 2
            return picture
        if self.config.output == "soft":
            return masks.flatten(0, 1)
        labels: Tensor = self.largest(masks[:, :, 0])
        return labels
