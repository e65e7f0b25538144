"""Blend two frames without motion compensation where that fits better: for still background behind moving objects."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class InPlace(nn.Module):
    """Mix a plain blend of the frames into the interpolated one, where the frames agree better than the warped ones.

    A still pattern, such as a fence, is dragged along by an object that passes in front of it, since estimated flow has
    no edges as sharp as that.  There the warped frames differ from each other, but the frames themselves do not.
    """

    def __init__(self) -> None:
        super().__init__()
        self.weigh = nn.Conv2d(2, 1, 5, padding=2)
        weights = torch.tensor([4.0, -4.0]).view(1, 2, 1, 1).expand(1, 2, 5, 5)  # 100 times the difference of the means
        bias = torch.tensor([-3.0])  # if both agree, the interpolated frame has a weight of 0.95, to keep small objects
        self.weigh.load_state_dict({"weight": weights, "bias": bias})

    def forward(
        self, made: Tensor, frames: tuple[Tensor, Tensor], warped: tuple[Tensor, Tensor], time: Tensor
    ) -> Tensor:
        """Return the frame at ``time`` (B×1×1×1).

        All pictures are B×3×H×W in [0, 1], or with the same mean subtracted.
        """
        apart = [(second - first).abs().mean(1, keepdim=True) for first, second in (warped, frames)]
        weight = torch.sigmoid(self.weigh(torch.cat(apart, 1)).float())
        return made + weight * ((1 - time) * frames[0] + time * frames[1] - made)
