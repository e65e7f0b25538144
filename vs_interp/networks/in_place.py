"""Blend two frames where they are, beside along the flow: for what stands still behind what moves."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class InPlace(nn.Module):
    """Weigh the frames blended where they are against the made one: by which two agree better, these or the warped.

    What stands still and repeats, such as a grid or a fence, is dragged along by what passes before it, since no
    estimated flow breaks off as sharply.  There the warped frames differ from each other, and the frames do not.
    """

    def __init__(self) -> None:
        super().__init__()
        self.weigh = nn.Conv2d(2, 1, 5, padding=2)
        weights = torch.tensor([4.0, -4.0]).view(1, 2, 1, 1).expand(1, 2, 5, 5)  # the means' difference, 100 times
        bias = torch.tensor([-3.0])  # where both agree, the made frame counts 0.95: what flies past a wall is seen
        self.weigh.load_state_dict({"weight": weights, "bias": bias})

    def forward(
        self, made: Tensor, frames: tuple[Tensor, Tensor], warped: tuple[Tensor, Tensor], time: Tensor
    ) -> Tensor:
        """Return the frame at ``time`` (B×1×1×1).

        It and all pictures given are B×3×H×W, in [0, 1] or less a mean that they share.
        """
        apart = [(second - first).abs().mean(1, keepdim=True) for first, second in (warped, frames)]
        weight = torch.sigmoid(self.weigh(torch.cat(apart, 1)).float())
        return made + weight * ((1 - time) * frames[0] + time * frames[1] - made)
