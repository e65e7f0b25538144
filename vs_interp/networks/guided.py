"""Five-parallel among frames that a flow network brought to the middle one, for motion beyond the stacks' reach."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from .refine import FiveParallel, RefinerConfig, TwoStep, stack
from .warp import Warp

SHRINK = 4
"""The flow is worked out on pictures this many times smaller."""


class _Flow(nn.Module):
    """Estimate where the pixels of one picture are in another: B×2×H×W, in pixels.

    Both pictures averaged over 4×4 pixels; 3×3 convolutions 6→32→32→32→32→2, LeakyReLU 0.1 between them; enlarged
    bilinearly, and multiplied by 4 · 8: the last layer begins at zero, so that training starts from no motion.
    """

    def __init__(self) -> None:
        super().__init__()
        self.layers = stack(nn.Conv2d, 6, 32, 32, 32, 32, 2)
        nn.init.zeros_(self.layers[-1].weight)  # type: ignore[arg-type]
        nn.init.zeros_(self.layers[-1].bias)  # type: ignore[arg-type]

    def forward(self, middle: Tensor, other: Tensor) -> Tensor:
        flow = self.layers(functional.avg_pool2d(torch.cat((middle, other), 1), SHRINK))
        enlarged = functional.interpolate(flow, scale_factor=float(SHRINK), mode="bilinear", align_corners=False)
        return enlarged * (SHRINK * 8)


class GuidedFiveParallel(FiveParallel):
    """Every neighbour warped to the middle frame along its flow, then :class:`~.refine.FiveParallel` over the five.

    One flow network, 30,082 parameters, serves all four neighbours.
    """

    name = "guided-five-parallel"
    multiple_of = SHRINK
    fp32_islands = ("*/warp/*", "GridSample")

    def __init__(self, config: RefinerConfig | None = None) -> None:
        super().__init__(config)
        self.flow = _Flow()
        self.warp = Warp(align_corners=False, padding="border", exact=True)

    def made(self, frames: tuple[Tensor, ...], state: tuple[Tensor, ...], time: Tensor | None) -> Tensor:
        """Return the B×3×H×W frame in the middle."""
        middle = frames[2]
        brought = [frame if frame is middle else self.warp(frame, self.flow(middle, frame)) for frame in frames]
        return super().made(tuple(brought), state, time)


class FsrcnnGuidedFiveParallel(TwoStep):
    """FSRCNN, then :class:`GuidedFiveParallel`."""

    Refiner = GuidedFiveParallel
