"""Losses as small functions; pictures are B×C×H×W in [0, 1], flows B×2×H×W in pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from vs_interp.matrices import BT601

SIZES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""How much each size counts in MS-SSIM, the largest first."""

LATER, MOST_MOTION = 0.8, 400.0

PictureLoss = Callable[[Tensor, Tensor], Tensor]
"""Made picture and truth in, a scalar out."""


def charbonnier(made: Tensor, truth: Tensor, epsilon: float = 1e-3) -> Tensor:
    """Mean of √(difference² + ε²) − ε: an L1 that is smooth at zero (Charbonnier et al. 1994)."""
    return (torch.sqrt((made - truth) ** 2 + epsilon * epsilon) - epsilon).mean()


def l1(made: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute difference."""
    return functional.l1_loss(made, truth)


def mse(made: Tensor, truth: Tensor) -> Tensor:
    """Mean squared difference."""
    return functional.mse_loss(made, truth)


def ssim_loss(made: Tensor, truth: Tensor) -> Tensor:
    """1 − structural similarity, the mean over pictures and channels (Wang et al. 2004).

    The window is an 11×11 Gaussian of σ 1.5 that lies wholly inside the picture, K1 = 0.01, K2 = 0.03; worked out in
    float32 even under autocast, since variances are small differences of squares.
    """
    with torch.autocast(made.device.type, enabled=False):
        made, truth = (picture.flatten(0, 1).float() for picture in (made, truth))
        mean_made, mean_truth = _blur(made), _blur(truth)
        squares, product = mean_made**2 + mean_truth**2, mean_made * mean_truth
        variances = _blur(made**2 + truth**2) - squares
        covariance = _blur(made * truth) - product
        luminance = (2 * product + 0.01**2) / (squares + 0.01**2)
        return 1 - (luminance * (2 * covariance + 0.03**2) / (variances + 0.03**2)).mean()


def ms_ssim_loss(made: Tensor, truth: Tensor) -> Tensor:
    """1 − multi-scale structural similarity over five sizes (Wang et al. 2003), the mean over pictures and channels.

    The window is 3 wide, with a Gaussian of σ 1.5, so that pictures from 48 pixels up have five sizes: as the
    nowcasting network was trained, whose 24 pictures of 64×64 are too small for the usual 11.
    """
    with torch.autocast(made.device.type, enabled=False):
        made, truth, parts = made.float(), truth.float(), []
        for size in range(len(SIZES)):
            if size:
                edges = made.shape[2] % 2, made.shape[3] % 2
                made, truth = (functional.avg_pool2d(picture, 2, padding=edges) for picture in (made, truth))
            mean_made, mean_truth = _blur3(made), _blur3(truth)
            squares, product = mean_made**2 + mean_truth**2, mean_made * mean_truth
            contrast = (2 * (_blur3(made * truth) - product) + 0.03**2) / (
                _blur3(made**2 + truth**2) - squares + 0.03**2
            )
            last = size == len(SIZES) - 1
            similar = contrast * (2 * product + 0.01**2) / (squares + 0.01**2) if last else contrast
            parts.append(functional.relu(similar.mean((2, 3))) ** SIZES[size])
        return 1 - torch.stack(parts).prod(0).mean()


def bce(made: Tensor, truth: Tensor) -> Tensor:
    """Binary cross-entropy of logits with planes of 0 and 1."""
    return functional.binary_cross_entropy_with_logits(made, truth)


def cross_entropy(made: Tensor, truth: Tensor) -> Tensor:
    """Cross-entropy of logits, B×C×H×W, with planes that are 1 for the class that is right and 0 for all others."""
    return -(truth * functional.log_softmax(made, 1)).sum(1).mean()


def census(made: Tensor, truth: Tensor) -> Tensor:
    """Mean soft Hamming distance of ternary census transforms, in [0, 1): blind to brightness, sharp at structure.

    Each pixel of the grey picture, in code values, is compared with the 7×7 around it, d / √(0.81 + d²); two such
    signs that differ by e count e² / (0.1 + e²).  The distance is the mean over the 49 comparisons and over the pixels
    whose neighbourhood lies inside (Meister et al. 2018, "UnFlow", arXiv:1711.07837).
    """
    with torch.autocast(made.device.type, enabled=False):
        difference = (_signs(made.float()) - _signs(truth.float())) ** 2
        return (difference / (0.1 + difference)).mean()


def smoothness(flow: Tensor) -> Tensor:
    """Mean absolute difference of neighbouring flow vectors (Super-SloMo's smoothness term)."""
    across = (flow[:, :, :, 1:] - flow[:, :, :, :-1]).abs().mean()
    down = (flow[:, :, 1:] - flow[:, :, :-1]).abs().mean()
    return across + down


def sequence(flows: Sequence[Tensor], truth: Tensor) -> Tensor:
    """Mean absolute difference of a network's flows to the true one, an update's 0.8 times that of the next (RAFT).

    Motion of 400 pixels and more does not count (Teed and Deng 2020, arXiv:2003.12039, section 3.4).
    """
    known = ((truth**2).sum(1, keepdim=True) < MOST_MOTION**2).float()
    distances = [
        LATER ** (len(flows) - 1 - at) * ((flow - truth).abs() * known).mean() for at, flow in enumerate(flows)
    ]
    return torch.stack(distances).sum()


def flow_distance(flow: Tensor, teacher: Tensor, weight: Tensor) -> Tensor:
    """Mean length (pixels) of the difference to a teacher's flow, where ``weight`` (B×1×H×W) says so."""
    return (torch.sqrt(((flow - teacher) ** 2).sum(1, keepdim=True) + 1e-4) * weight).mean()


PICTURE_LOSSES: dict[str, PictureLoss] = {
    "charbonnier": charbonnier,
    "l1": l1,
    "mse": mse,
    "ssim": ssim_loss,
    "census": census,
    "ms-ssim": ms_ssim_loss,
    "bce": bce,
    "cross-entropy": cross_entropy,
}
"""What a recipe may weigh in its ``[losses]`` for any network, by name."""


def _blur3(pictures: Tensor) -> Tensor:
    """Return the mean under a 3×3 Gaussian of σ 1.5 that lies wholly inside."""
    taps = torch.exp(-0.5 * (torch.arange(-1, 2, device=pictures.device) / 1.5) ** 2)
    window = torch.outer(taps, taps) / taps.sum() ** 2
    batch, channels, height, width = pictures.shape
    blurred = functional.conv2d(pictures.reshape(batch * channels, 1, height, width), window[None, None])
    return blurred.view(batch, channels, height - 2, width - 2)


def _blur(planes: Tensor) -> Tensor:
    """Return the Gaussian mean of each 11×11 window of B×H×W planes: ten lines and columns fewer.

    Two products with banded matrices: on a CPU a tenth of the time of convolutions with one channel.
    """
    return _gaussian_band(planes.shape[1], planes.device).T @ (planes @ _gaussian_band(planes.shape[2], planes.device))


def _gaussian_band(length: int, device: torch.device) -> Tensor:
    """Return the length×(length − 10) matrix whose columns are one Gaussian of 11 weights, each a line further down."""
    lines, columns = torch.arange(length, device=device)[:, None], torch.arange(length - 10, device=device)
    offset = lines - columns - 5
    weights = torch.exp(-0.5 * (offset / 1.5) ** 2) * (offset.abs() <= 5)
    return weights / weights.sum(0)


def _signs(pictures: Tensor) -> Tensor:
    """Return the soft signs of each pixel's 49 comparisons: B×49×(H−6)×(W−6)."""
    if pictures.shape[1] == 3:
        pictures = (pictures * pictures.new_tensor(BT601).view(1, 3, 1, 1)).sum(1, keepdim=True)
    grey = 255 * pictures
    height, width = grey.shape[2] - 6, grey.shape[3] - 6
    around = functional.unfold(grey, 7).view(len(grey), 49, height, width)
    difference: Tensor = around - grey[:, :, 3:-3, 3:-3]
    return difference / torch.sqrt(0.81 + difference**2)
