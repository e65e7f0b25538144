"""RAFT: Teed and Deng 2020, "Recurrent All-Pairs Field Transforms for Optical Flow" (arXiv:2003.12039).

Layers, names and weights are those of princeton-vl/RAFT (BSD-3-Clause); torchvision's differ only in their names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from vs_interp.errors import ArgumentError
from vs_interp.spec import NetworkSpec, Output, Window

from .base import Network
from .published import with_counts, without_prefixes
from .raft_layers import (
    LEVELS,
    BasicBlock,
    BottleneckBlock,
    Correlation,
    Encoder,
    FlowHead,
    Gru,
    Lookup,
    MotionEncoder,
    SmallMotionEncoder,
    instance_norm,
    no_norm,
)

STEP = 8
"""The flow is estimated at this fraction of the pictures' size."""

MOST_UPDATES = 64
PUBLISHED_UPDATES = 20
"""Updates in a model file of published weights, as in princeton-vl's demo; filters cut the graph to use fewer."""


@dataclass(frozen=True, kw_only=True)
class RaftConfig:
    """Configuration of a RAFT network.

    size
        ``"small"`` has 990,162 parameters, ``"large"`` 5,257,536.
    updates
        How often the flow is refined: 12 in the training of the published weights, up to 32 in their scores.
    """

    size: Literal["small", "large"] = "small"
    updates: int = 12


class _UpdateBlock(nn.Module):
    """One update: the hidden state takes in motion and context, and gives a change of the flow."""

    def __init__(self, size: Literal["small", "large"], correlations: int) -> None:
        super().__init__()
        self.encoder: nn.Module
        if size == "small":
            self.encoder = SmallMotionEncoder(correlations)
            self.gru = Gru(96, 64 + 82, {"": (3, 3)})
            self.flow_head = FlowHead(96, 128)
        else:
            self.encoder = MotionEncoder(correlations)
            self.gru = Gru(128, 128 + 128, {"1": (1, 5), "2": (5, 1)})
            self.flow_head = FlowHead(128, 256)
            self.mask = nn.Sequential(nn.Conv2d(128, 256, 3, padding=1), nn.ReLU(), nn.Conv2d(256, 9 * STEP**2, 1))

    def forward(self, hidden: Tensor, context: Tensor, correlations: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.gru(hidden, torch.cat((context, self.encoder(flow, correlations)), 1))
        return hidden, self.flow_head(hidden)


class _Sum(nn.Module):
    """Add a change to the flow; a module so that an FP16 engine can keep the sum in FP32."""

    def forward(self, flow: Tensor, change: Tensor) -> Tensor:
        return flow.float() + change.float()


class _Enlarge(nn.Module):
    """Upsample a flow to eight times its size: bilinear, or as a learned mixture of 3×3 neighbours (``mask``)."""

    def forward(self, flow: Tensor, mask: Tensor | None) -> Tensor:
        flow = flow.float() * STEP
        if mask is None:
            return functional.interpolate(flow, scale_factor=float(STEP), mode="bilinear", align_corners=True)
        batch, _, height, width = flow.shape
        weights = (0.25 * mask.float()).view(batch, 1, 9, STEP * STEP, height, width).softmax(2)
        padded = functional.pad(flow, (1, 1, 1, 1))
        near = [padded[:, :, y : y + height, x : x + width] for y in range(3) for x in range(3)]
        mixed = (weights * torch.stack(near, 2)[:, :, :, None]).sum(2)
        return functional.pixel_shuffle(mixed.flatten(1, 2), STEP)


class Raft(Network):
    """RAFT: the flow from a frame to the next, refined repeatedly by correlations around where it points.

    Frames are B×3×H×W RGB in [0, 1], H and W multiples of 8 from 128 up.
    """

    Config = RaftConfig

    def __init__(self, config: RaftConfig | None = None) -> None:
        super().__init__()
        self.config: RaftConfig = config or RaftConfig()
        size, updates = self.config.size, self.config.updates
        if size not in ("small", "large"):
            raise ArgumentError(f"size is {size!r}: RAFT is 'small' or 'large'")
        if not 1 <= updates <= MOST_UPDATES:
            raise ArgumentError(f"updates is {updates}: give 1 to {MOST_UPDATES}")
        radius = 3 if size == "small" else 4
        if size == "small":
            self.hidden = 96
            self.fnet = Encoder(BottleneckBlock, (32, 64, 96), 128, instance_norm)
            self.cnet = Encoder(BottleneckBlock, (32, 64, 96), 96 + 64, no_norm)
        else:
            self.hidden = 128
            self.fnet = Encoder(BasicBlock, (64, 96, 128), 256, instance_norm)
            self.cnet = Encoder(BasicBlock, (64, 96, 128), 128 + 128, nn.BatchNorm2d)
        self.correlation, self.lookup = Correlation(), Lookup(radius)
        self.update_block = _UpdateBlock(size, LEVELS * (2 * radius + 1) ** 2)
        self.add_change, self.enlarge = _Sum(), _Enlarge()

    @property
    def spec(self) -> NetworkSpec:
        """A frame and the next in, the flow from one to the other out; not tileable, as it correlates all pixels."""
        return NetworkSpec(
            name="raft",
            window=Window(offsets=(0, 1)),
            output=Output(kind="flow", channels=1, times=(0.0, 0.0)),
            updates=self.config.updates,
            multiple_of=STEP,
            minimum=128,
            tileable=False,
            fp32_islands=("*/lookup/*", "*/add_change/*", "*/enlarge/*", "/fnet/*norm*", "GridSample"),
        )

    @classmethod
    def from_published(cls, tensors: Mapping[str, Tensor]) -> tuple[RaftConfig, dict[str, Tensor]] | None:
        """Read princeton-vl's layout (names begin with ``module.``) or torchvision's; both store some norms twice."""
        state = without_prefixes(tensors, "module.")
        if "feature_encoder.convnormrelu.0.weight" in state:
            single = "update_block.recurrent_block.convgru2.convz.weight" not in state
            state = {_renamed(name, single): tensor for name, tensor in state.items()}
        if "update_block.encoder.convc1.weight" not in state or "fnet.conv1.weight" not in state:
            return None
        size: Literal["small", "large"] = "large" if "update_block.gru.convz1.weight" in state else "small"
        twice = {name for name in state if size == "large" and ".norm3." in name}
        return RaftConfig(size=size, updates=PUBLISHED_UPDATES), with_counts(
            {n: tensor for n, tensor in state.items() if n not in twice}
        )

    def refined(self, frame0: Tensor, frame1: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield, after each update, the flow at an eighth of the size (B×2×H/8×W/8) and at full size (B×2×H×W)."""
        first, second = 2 * frame0 - 1, 2 * frame1 - 1
        levels = self.correlation(self.fnet(first), self.fnet(second))
        hidden, context = self.cnet(first).split((self.hidden, self.cnet.conv2.out_channels - self.hidden), 1)
        hidden, context = torch.tanh(hidden), functional.relu(context)
        flow = torch.zeros_like(hidden[:, :2], dtype=torch.float32)
        for _ in range(self.config.updates):
            hidden, change = self.update_block(hidden, context, self.lookup(levels, flow), flow)
            flow = self.add_change(flow, change)
            mask = self.update_block.mask(hidden) if self.config.size == "large" else None
            yield flow, self.enlarge(flow, mask)

    def steps(self, *frames: Tensor) -> tuple[Tensor, ...]:
        """Return the flow after each update, in the form of :meth:`made`."""
        return tuple(flow.flatten(0, 1)[:, None] for _, flow in self.refined(*frames))

    def made(self, frames: tuple[Tensor, ...], state: tuple[Tensor, ...], time: Tensor | None) -> Tensor:
        """Return the flow from frame 0 to frame 1, B·2×1×H×W in pixels: to the right, then down."""
        return self.steps(*frames)[-1]


_TORCHVISION = (
    ("feature_encoder.", "fnet."),
    ("context_encoder.", "cnet."),
    (r"(net)\.convnormrelu\.0\.", r"\1.conv1."),
    (r"(net)\.convnormrelu\.1\.", r"\1.norm1."),
    (r"(net)\.conv\.", r"\1.conv2."),
    (r"convnormrelu(\d)\.0\.", r"conv\1."),
    (r"convnormrelu(\d)\.1\.", r"norm\1."),
    (r"motion_encoder\.convcorr(\d)\.0\.", r"encoder.convc\1."),
    (r"motion_encoder\.convflow(\d)\.0\.", r"encoder.convf\1."),
    (r"motion_encoder\.conv\.0\.", "encoder.conv."),
    (r"recurrent_block\.convgru(\d)\.conv(.)\.", r"gru.conv\2\1."),
    (r"mask_predictor\.convrelu\.0\.", "update_block.mask.0."),
    (r"mask_predictor\.conv\.", "update_block.mask.2."),
)
"""torchvision's names and princeton-vl's: patterns and replacements, applied in this order."""


def _renamed(name: str, single: bool) -> str:
    """Return princeton-vl's name; the ``single`` convolution of a small GRU has no number there."""
    for pattern, new in _TORCHVISION:
        name = re.sub(pattern, new, name)
    return re.sub(r"gru\.conv(.)1\.", r"gru.conv\1.", name) if single else name
