"""Five-parallel with motion compensation: neighbours are warped to the middle frame, for motion of many pixels."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from .refine import FiveParallel, RefinerConfig, TwoStep, stack
from .warp import Warp

SHRINK = 4
"""The flow is estimated on pictures this many times smaller."""


class _Flow(nn.Module):
    """Estimate the flow from one picture to another: B×2×H×W, in pixels.

    The pictures are averaged over 4×4 pixels and pass 3×3 convolutions 6→32→32→32→32→2 with LeakyReLU 0.1; the result
    is enlarged bilinearly and multiplied by 4 · 8.  The last layer starts at zero, so that training starts from no
    motion.
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
    """Warps the neighbours to the middle frame by their flow, then applies :class:`~.refine.FiveParallel`.

    One flow network with 30,082 parameters is used for all four neighbours.
    """

    name = "guided-five-parallel"
    multiple_of = SHRINK
    fp32_islands = ("*/warp/*", "GridSample")

    def __init__(self, config: RefinerConfig | None = None) -> None:
        super().__init__(config)
        self.flow = _Flow()
        self.warp = Warp(align_corners=False, padding="border", exact=True)

    def made(self, frames: tuple[Tensor, ...], state: tuple[Tensor, ...], time: Tensor | None) -> Tensor:
        """Return the refined middle frame, B×3×H×W."""
        middle = frames[2]
        aligned = [frame if frame is middle else self.warp(frame, self.flow(middle, frame)) for frame in frames]
        return super().made(tuple(aligned), state, time)


class FsrcnnGuidedFiveParallel(TwoStep):
    """FSRCNN, then :class:`GuidedFiveParallel`."""

    Refiner = GuidedFiveParallel
