"""Losses as small functions; pictures are B×C×H×W in [0, 1], flows B×2×H×W in pixels."""

from __future__ import annotations

import torch
from torch import Tensor


def charbonnier(made: Tensor, truth: Tensor, epsilon: float = 1e-3) -> Tensor:
    """Mean of √(difference² + ε²) − ε: an L1 that is smooth at zero (Charbonnier et al. 1994)."""
    return (torch.sqrt((made - truth) ** 2 + epsilon * epsilon) - epsilon).mean()


def smoothness(flow: Tensor) -> Tensor:
    """Mean absolute difference of neighbouring flow vectors (Super-SloMo's smoothness term)."""
    across = (flow[:, :, :, 1:] - flow[:, :, :, :-1]).abs().mean()
    down = (flow[:, :, 1:] - flow[:, :, :-1]).abs().mean()
    return across + down


def flow_distance(flow: Tensor, teacher: Tensor, weight: Tensor) -> Tensor:
    """Mean length (pixels) of the difference to a teacher's flow, where ``weight`` (B×1×H×W) says so."""
    return (torch.sqrt(((flow - teacher) ** 2).sum(1, keepdim=True) + 1e-4) * weight).mean()
