"""Video super-resolution in two steps: every frame enlarged by FSRCNN, then refined among its neighbours.

The refiners work on frames that have their final size already: **Delta** looks at three, **five-parallel** at five.
They are built to their published description: layers, residuals and numbers of parameters (83,702 and 259,938).
**Single-frame** is one of five-parallel's 2D networks by itself, which is quickly trained and what all five begin with.
Frames are B×3×H×W RGB in [0, 1]; the frame in the middle of the window comes out.
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
"""How often every residual stack is applied."""

SLOPE = 0.1
"""Of every LeakyReLU below zero."""


def stack(kind: type[nn.Conv2d] | type[nn.Conv3d], *widths: int) -> nn.Sequential:
    """Convolutions of side 3 from width to width, LeakyReLU between them."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [kind(inputs, outputs, 3, padding=1), nn.LeakyReLU(SLOPE)]
    return nn.Sequential(*layers[:-1])


@dataclass(frozen=True, kw_only=True)
class RefinerConfig:
    """The refiners come in one size only."""


class _Refiner(Network):
    """What both refiners are to those who serve them."""

    Config = RefinerConfig
    name: ClassVar[str]
    reach: ClassVar[int]
    """Frames before and after the middle one."""
    multiple_of: ClassVar[int] = 1
    fp32_islands: ClassVar[tuple[str, ...]] = ()

    def __init__(self, config: RefinerConfig | None = None) -> None:
        super().__init__()
        self.config: RefinerConfig = config or RefinerConfig()

    @property
    def spec(self) -> NetworkSpec:
        """A frame and its neighbours in, the frame out."""
        return NetworkSpec(
            name=self.name,
            window=Window(offsets=tuple(range(-self.reach, self.reach + 1)), edge="mirror"),
            output=Output(times=(0.0,)),
            multiple_of=self.multiple_of,
            minimum=8,
            fp32_islands=self.fp32_islands,
        )

    def initialise(self) -> None:
        """Begin as what changes nothing: every stack's last convolution is zero.  The others begin by He et al."""
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
        """Return ``None``: no weights of it are published."""
        return None


class Delta(_Refiner):
    """Delta: refine three frames alone, then add what a 3D network says of them together to the middle one.

    *A*, 2D, 3→48→48→48→48→3, is added to each frame, twice; 3D 3→16; *R*, 3D, 16→16→16, is added, twice; 16→16 over
    the three times alone (3×1×1) leaves one picture; *B*, 2D, 16→16→3, gives the change.
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
        """Return the B×3×H×W frame in the middle."""
        refined = list(frames)
        for _ in range(PASSES):
            refined = [frame + self.alone(frame) for frame in refined]
        features = functional.leaky_relu(self.together(torch.stack(refined, 2)), SLOPE)
        for _ in range(PASSES):
            features = features + self.residual(features)
        change: Tensor = self.change(functional.leaky_relu(self.collapse(features), SLOPE).squeeze(2))
        return refined[1] + change


class SingleFrame(_Refiner):
    """Single-frame: a 2D network, 3→24→72→24→3, is added to the frame, twice."""

    name = "single-frame"
    reach = 0

    def __init__(self, config: RefinerConfig | None = None) -> None:
        super().__init__(config)
        self.change = stack(nn.Conv2d, 3, 24, 72, 24, 3)

    def made(self, frames: tuple[Tensor, ...], state: tuple[Tensor, ...], time: Tensor | None) -> Tensor:
        """Return the B×3×H×W frame."""
        (frame,) = frames
        for _ in range(PASSES):
            frame = frame + self.change(frame)
        return frame


class FiveParallel(_Refiner):
    """Five-parallel: a :class:`SingleFrame` for each frame of the window, then a 3D network over all of them.

    The 3D network, of the same widths, is added to the five frames, twice; the middle one is kept within [0, 1].
    """

    name = "five-parallel"
    reach = 2

    def __init__(self, config: RefinerConfig | None = None) -> None:
        super().__init__(config)
        self.alone = nn.ModuleList(SingleFrame() for _ in range(5))
        self.together = stack(nn.Conv3d, 3, 24, 72, 24, 3)

    def made(self, frames: tuple[Tensor, ...], state: tuple[Tensor, ...], time: Tensor | None) -> Tensor:
        """Return the B×3×H×W frame in the middle."""
        window = torch.stack([refine(frame) for frame, refine in zip(frames, self.alone, strict=True)], 2)
        for _ in range(PASSES):
            window = window + self.together(window)
        return window[:, :, 2].clamp(0, 1)


class TwoStep(Network):
    """Enlarge every frame of the window, then refine the middle one: one network, one model file.

    Luma is enlarged by FSRCNN and what is left of the colours bicubically, inside the graph.
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
        """Small frames in, the middle one enlarged and refined out."""
        return NetworkSpec(
            name=f"fsrcnn+{self.Refiner.name}",
            window=self.refiner.spec.window,
            output=Output(times=(0.0,), scale=self.config.scale),
            multiple_of=self.Refiner.multiple_of,
            minimum=8,
            fp32_islands=self.Refiner.fp32_islands,
        )

    def initialise(self) -> None:
        """Begin as an enlargement by interpolation that is not refined."""
        self.enlarger.initialise()
        self.refiner.initialise()

    @classmethod
    def from_published(cls, tensors: Mapping[str, Tensor]) -> tuple[Any, dict[str, Tensor]] | None:
        """Return ``None``: no weights of it are published."""
        return None

    def enlarged(self, frame: Tensor) -> Tensor:
        """Return a frame B×3×S·H×S·W that is not refined yet."""
        luma = (frame * self.luma).sum(1, keepdim=True)
        colours = functional.interpolate(
            frame - luma, scale_factor=float(self.config.scale), mode="bicubic", align_corners=False
        )
        enlarged: Tensor = colours + self.enlarger(luma)
        return enlarged

    def made(self, frames: tuple[Tensor, ...], state: tuple[Tensor, ...], time: Tensor | None) -> Tensor:
        """Return the B×3×S·H×S·W frame in the middle."""
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
