"""Video super-resolution in two steps: every frame is upscaled by FSRCNN, then refined with the help of its neighbours.

The refiners take frames in their final size: **Delta** three, **five-parallel** five.  They follow their published
description: layers, residuals and numbers of parameters (83,702 and 259,938).  **Single-frame** is one of
five-parallel's 2D networks alone; it trains quickly, and all five of them start from it.  Frames are B×3×H×W RGB in
[0, 1]; the output is the refined middle frame of the window.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from vs_interp.matrices import BT601
from vs_interp.spec import NetworkSpec, Output, Window

from .base import Network
from .fsrcnn import Fsrcnn, FsrcnnConfig

PASSES = 2
"""How often each residual stack is applied."""

SLOPE = 0.1
"""Negative slope of every LeakyReLU."""


def stack(kind: type[nn.Conv2d] | type[nn.Conv3d], *widths: int) -> nn.Sequential:
    """Return convolutions with kernels of side 3 and these numbers of channels, with LeakyReLU between them."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [kind(inputs, outputs, 3, padding=1), nn.LeakyReLU(SLOPE)]
    return nn.Sequential(*layers[:-1])


@dataclass(frozen=True, kw_only=True)
class RefinerConfig:
    """Configuration of a refiner, which has no options."""


class _Refiner(Network):
    """Base of the refiners: their spec and initial weights."""

    Config = RefinerConfig
    name: ClassVar[str]
    reach: ClassVar[int]
    """Number of frames before and after the middle one."""
    multiple_of: ClassVar[int] = 1
    fp32_islands: ClassVar[tuple[str, ...]] = ()

    def __init__(self, config: RefinerConfig | None = None) -> None:
        super().__init__()
        self.config: RefinerConfig = config or RefinerConfig()

    @property
    def spec(self) -> NetworkSpec:
        """A frame and its neighbours in, the refined frame out."""
        return NetworkSpec(
            name=self.name,
            window=Window(offsets=tuple(range(-self.reach, self.reach + 1)), edge="mirror"),
            output=Output(times=(0.0,)),
            multiple_of=self.multiple_of,
            minimum=8,
            fp32_islands=self.fp32_islands,
        )

    def initialise(self) -> None:
        """Start as an identity: the last convolution of every stack is zero.  The others follow He et al."""
        for layers in self.modules():
            if isinstance(layers, nn.Sequential):
                convolutions = [layer for layer in layers if isinstance(layer, nn.Conv2d | nn.Conv3d)]
                for layer in convolutions:
                    assert layer.bias is not None
                    nn.init.kaiming_normal_(layer.weight, a=SLOPE)
                    nn.init.zeros_(layer.bias)
                nn.init.zeros_(convolutions[-1].weight)

    @classmethod
    def from_published(cls, tensors: Mapping[str, Tensor]) -> tuple[RefinerConfig, dict[str, Tensor]] | None:
        """Return ``None``: there are no published weights."""
        return None


class Delta(_Refiner):
    """Delta: refines three frames separately, then adds the output of a 3D network over all of them to the middle one.

    A 2D stack 3→48→48→48→48→3 is added to each frame, twice.  A 3D convolution 3→16 follows, and a 3D stack 16→16→16,
    added twice.  A 3×1×1 convolution 16→16 merges the three frames, and a 2D stack 16→16→3 gives the change.
    """

    name = "delta"
    reach = 1

    def __init__(self, config: RefinerConfig | None = None) -> None:
        super().__init__(config)
        self.alone = stack(nn.Conv2d, 3, 48, 48, 48, 48, 3)
        self.together = nn.Conv3d(3, 16, 3, padding=1)
        self.residual = stack(nn.Conv3d, 16, 16, 16)
        self.collapse = nn.Conv3d(16, 16, (3, 1, 1))
        self.change = stack(nn.Conv2d, 16, 16, 3)

    def made(self, frames: tuple[Tensor, ...], state: tuple[Tensor, ...], time: Tensor | None) -> Tensor:
        """Return the refined middle frame, B×3×H×W."""
        refined = list(frames)
        for _ in range(PASSES):
            refined = [frame + self.alone(frame) for frame in refined]
        features = functional.leaky_relu(self.together(torch.stack(refined, 2)), SLOPE)
        for _ in range(PASSES):
            features = features + self.residual(features)
        change: Tensor = self.change(functional.leaky_relu(self.collapse(features), SLOPE).squeeze(2))
        return refined[1] + change


class SingleFrame(_Refiner):
    """Single-frame: a 2D stack 3→24→72→24→3 is added to the frame, twice."""

    name = "single-frame"
    reach = 0

    def __init__(self, config: RefinerConfig | None = None) -> None:
        super().__init__(config)
        self.change = stack(nn.Conv2d, 3, 24, 72, 24, 3)

    def made(self, frames: tuple[Tensor, ...], state: tuple[Tensor, ...], time: Tensor | None) -> Tensor:
        """Return the refined frame, B×3×H×W."""
        (frame,) = frames
        for _ in range(PASSES):
            frame = frame + self.change(frame)
        return frame


class FiveParallel(_Refiner):
    """Five-parallel: a :class:`SingleFrame` for each frame of the window, then a 3D network over all of them.

    The 3D stack, with the same channels, is added to the five frames, twice; the middle one is clamped to [0, 1].
    """

    name = "five-parallel"
    reach = 2

    def __init__(self, config: RefinerConfig | None = None) -> None:
        super().__init__(config)
        self.alone = nn.ModuleList(SingleFrame() for _ in range(5))
        self.together = stack(nn.Conv3d, 3, 24, 72, 24, 3)

    def made(self, frames: tuple[Tensor, ...], state: tuple[Tensor, ...], time: Tensor | None) -> Tensor:
        """Return the refined middle frame, B×3×H×W."""
        window = torch.stack([refine(frame) for frame, refine in zip(frames, self.alone, strict=True)], 2)
        for _ in range(PASSES):
            window = window + self.together(window)
        return window[:, :, 2].clamp(0, 1)


class TwoStep(Network):
    """Upscales every frame of the window and refines the middle one, as one network with one model file.

    Luma is upscaled by FSRCNN, and RGB minus luma bicubically, inside the graph.
    """

    Config = FsrcnnConfig
    Refiner: ClassVar[type[_Refiner]]

    def __init__(self, config: FsrcnnConfig | None = None) -> None:
        super().__init__()
        self.config: FsrcnnConfig = config or FsrcnnConfig()
        self.enlarger = Fsrcnn(self.config)
        self.refiner = self.Refiner()
        self.register_buffer("luma", torch.tensor(BT601).view(1, 3, 1, 1), persistent=False)
        self.luma: Tensor

    @property
    def spec(self) -> NetworkSpec:
        """Small frames in, the upscaled and refined middle frame out."""
        return NetworkSpec(
            name=f"fsrcnn+{self.Refiner.name}",
            window=self.refiner.spec.window,
            output=Output(times=(0.0,), scale=self.config.scale),
            multiple_of=self.Refiner.multiple_of,
            minimum=8,
            fp32_islands=self.Refiner.fp32_islands,
        )

    def initialise(self) -> None:
        """Start as bilinear interpolation without refinement."""
        self.enlarger.initialise()
        self.refiner.initialise()

    @classmethod
    def from_published(cls, tensors: Mapping[str, Tensor]) -> tuple[Any, dict[str, Tensor]] | None:
        """Return ``None``: there are no published weights."""
        return None

    def enlarged(self, frame: Tensor) -> Tensor:
        """Return an upscaled frame, B×3×S·H×S·W, before refinement."""
        luma = (frame * self.luma).sum(1, keepdim=True)
        colours = functional.interpolate(
            frame - luma, scale_factor=float(self.config.scale), mode="bicubic", align_corners=False
        )
        enlarged: Tensor = colours + self.enlarger(luma)
        return enlarged

    def made(self, frames: tuple[Tensor, ...], state: tuple[Tensor, ...], time: Tensor | None) -> Tensor:
        """Return the refined middle frame, B×3×S·H×S·W."""
        return self.refiner.made(tuple(self.enlarged(frame) for frame in frames), (), None)


class FsrcnnSingleFrame(TwoStep):
    """FSRCNN, then :class:`SingleFrame`."""

    Refiner = SingleFrame


class FsrcnnDelta(TwoStep):
    """FSRCNN, then :class:`Delta`."""

    Refiner = Delta


class FsrcnnFiveParallel(TwoStep):
    """FSRCNN, then :class:`FiveParallel`."""

    Refiner = FiveParallel
