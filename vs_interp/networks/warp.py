"""Backward warping of a picture along a flow field."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from .resizing import middle_pairs, shrunk

Padding = Literal["zeros", "border"]
Sampling = Literal["bilinear", "bicubic"]


class Warp(nn.Module):
    """Sample a picture where a flow points: ``out(x, y) = picture(x + u, y + v)``.

    Follows the published Super-SloMo's ``backWarp``, which divides positions by the *width* (not width - 1), so that
    the result depends on ``align_corners``.  With ``True`` (as when the published weights were trained), a zero flow
    stretches the picture by W / (W - 1) from the corner; with ``False``, it shifts the picture by half a pixel.  With
    ``exact=True``, a zero flow is the identity for either setting.

    ``sampling`` is the interpolation between pixels: ``"bicubic"`` (Keys 1981, a = -0.75) keeps fine texture that
    ``"bilinear"`` blurs, but may overshoot.

    This is a module, so that its nodes have a scope of their own in an exported graph: coordinates and grid must stay
    FP32 in an FP16 engine.
    """

    def __init__(
        self,
        align_corners: bool = False,
        padding: Padding = "zeros",
        exact: bool = False,
        sampling: Sampling = "bilinear",
    ) -> None:
        super().__init__()
        self.sampling: Sampling = sampling
        self.align_corners = align_corners
        self.padding: Padding = padding
        self.exact = exact

    def forward(self, picture: Tensor, flow: Tensor, shrink: int = 1) -> Tensor:
        """Return the picture warped by the flow.

        ``picture`` is B×C×H×W, ``flow`` B×2×H×W in pixels (u to the right, v down); the result is B×C×H×W.  With
        ``shrink`` it is that many times smaller (see :func:`~.resizing.shrunk`), and only the pixels are sampled that
        shrinking reads.
        """
        height, width = picture.shape[-2:]
        columns = middle_pairs(torch.arange(width, device=flow.device, dtype=torch.float32), shrink, 0).view(1, 1, -1)
        rows = middle_pairs(torch.arange(height, device=flow.device, dtype=torch.float32), shrink, 0).view(1, -1, 1)
        flow = middle_pairs(middle_pairs(flow.float(), shrink, 2), shrink, 3)
        x, y = columns + flow[:, 0], rows + flow[:, 1]
        if self.exact:
            offset, margin = (0.0, 1) if self.align_corners else (0.5, 0)
            x, y = (x + offset) / (width - margin), (y + offset) / (height - margin)
        else:
            x, y = x / width, y / height
        grid = torch.stack((2 * x - 1, 2 * y - 1), dim=3)
        sampled = functional.grid_sample(
            picture.float(), grid, mode=self.sampling, padding_mode=self.padding, align_corners=self.align_corners
        )
        return shrunk(sampled, min(shrink, 2))
