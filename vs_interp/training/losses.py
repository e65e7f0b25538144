"""Losses as small functions; pictures are B×C×H×W in [0, 1], flows B×2×H×W in pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from vs_interp.matrices import BT601

SIZES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Weights of the sizes in MS-SSIM, the largest size first."""

DECAY, MOST_MOTION = 0.8, 400.0
"""Of RAFT's sequence loss: weight of an update relative to the next, and the motion in pixels that no longer counts."""

PictureLoss = Callable[[Tensor, Tensor], Tensor]
"""Takes the made pictures and the truth, and returns a scalar."""


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

    The window is an 11×11 Gaussian of σ 1.5 that lies entirely inside the picture; K1 = 0.01, K2 = 0.03.  Computed in
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

    The window is a 3×3 Gaussian of σ 1.5, so that pictures from 33 pixels up have five sizes.  The nowcasting network
    was trained this way: its pictures of 64×64 are too small for the usual window of 11×11.
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


def mislabelled(made: Tensor, truth: Tensor) -> Tensor:
    """Share of wrong labels, in label pictures: those that another 8-bit code is nearer to."""
    return ((made - truth).abs() > 0.5 / 255).float().mean()


def bce(made: Tensor, truth: Tensor) -> Tensor:
    """Binary cross-entropy of logits and planes of 0 and 1."""
    return functional.binary_cross_entropy_with_logits(made, truth)


def cross_entropy(made: Tensor, truth: Tensor) -> Tensor:
    """Cross-entropy of logits (B×C×H×W) and planes that are 1 for the right class and 0 for all others."""
    return -(truth * functional.log_softmax(made, 1)).sum(1).mean()


def census(made: Tensor, truth: Tensor) -> Tensor:
    """Mean soft Hamming distance of ternary census transforms, in [0, 1).  It ignores brightness and sees structure.

    Each pixel of the grey picture, in 8-bit codes, is compared with the 7×7 around it, as d / √(0.81 + d²) of the
    difference d.  Comparisons that differ by e between the pictures count e² / (0.1 + e²).  The distance is the mean
    over the 49 comparisons and all pixels whose neighbourhood lies inside (Meister et al. 2018, "UnFlow",
    arXiv:1711.07837).
    """
    with torch.autocast(made.device.type, enabled=False):
        difference = (_signs(made.float()) - _signs(truth.float())) ** 2
        return (difference / (0.1 + difference)).mean()


def judged(loss: PictureLoss, made: Tensor, truth: Tensor) -> Tensor:
    """Return a loss of pictures as they are shown, clamped to [0, 1]; 1 if any of their values is not finite.

    For a mean squared error 1 is the worst there is, 0 dB; for SSIM it is no similarity; for labels, all wrong.
    """
    return torch.where(made.isfinite().all(), loss(made.float().clamp(0, 1), truth), 1.0)


def smoothness(flow: Tensor) -> Tensor:
    """Mean absolute difference of neighbouring flow vectors (Super-SloMo's smoothness term)."""
    across = (flow[:, :, :, 1:] - flow[:, :, :, :-1]).abs().mean()
    down = (flow[:, :, 1:] - flow[:, :, :-1]).abs().mean()
    return across + down


def sequence(flows: Sequence[Tensor], truth: Tensor) -> Tensor:
    """Mean absolute difference between RAFT's successive flows and the true one, each weighted 0.8 times the next.

    Motion of 400 pixels and more does not count (Teed and Deng 2020, arXiv:2003.12039, section 3.4).
    """
    known = ((truth**2).sum(1, keepdim=True) < MOST_MOTION**2).float()
    distances = [
        DECAY ** (len(flows) - 1 - at) * ((flow - truth).abs() * known).mean() for at, flow in enumerate(flows)
    ]
    return torch.stack(distances).sum()


def flow_distance(flow: Tensor, teacher: Tensor, weight: Tensor) -> Tensor:
    """Mean length in pixels of the difference to a teacher's flow, weighted by ``weight`` (B×1×H×W)."""
    return (torch.sqrt(((flow - teacher) ** 2).sum(1, keepdim=True) + 1e-4) * weight).mean()


PICTURE_LOSSES: dict[str, PictureLoss] = {
    "charbonnier": charbonnier,
    "l1": l1,
    "mse": mse,
    "ssim": ssim_loss,
    "census": census,
    "ms-ssim": ms_ssim_loss,
}
"""Name → loss, for the losses that a recipe may give any network that makes pictures."""

CLASS_LOSSES: dict[str, PictureLoss] = {"mse": mse, "bce": bce, "cross-entropy": cross_entropy}
"""Name → loss, for networks that make labels: these compare one plane for each class or property."""

SMALLEST = {"ssim": 11, "census": 7, "ms-ssim": 33, "perceptual": 8}
"""Name of a loss → height and width of the smallest pictures that it can compare; 1 for all others."""


def _blur3(pictures: Tensor) -> Tensor:
    """Return the means under a 3×3 Gaussian of σ 1.5 that lies entirely inside: two rows and columns fewer."""
    taps = torch.exp(-0.5 * (torch.arange(-1, 2, device=pictures.device) / 1.5) ** 2)
    window = torch.outer(taps, taps) / taps.sum() ** 2
    batch, channels, height, width = pictures.shape
    blurred = functional.conv2d(pictures.reshape(batch * channels, 1, height, width), window[None, None])
    return blurred.view(batch, channels, height - 2, width - 2)


def _blur(planes: Tensor) -> Tensor:
    """Return the Gaussian mean of each 11×11 window of B×H×W planes: ten rows and columns fewer.

    Two products with banded matrices take a tenth of the time of one-channel convolutions on a CPU.
    """
    return _gaussian_band(planes.shape[1], planes.device).T @ (planes @ _gaussian_band(planes.shape[2], planes.device))


def _gaussian_band(length: int, device: torch.device) -> Tensor:
    """Return a length×(length − 10) matrix; each column holds the same 11 Gaussian weights, one row further down."""
    rows, columns = torch.arange(length, device=device)[:, None], torch.arange(length - 10, device=device)
    offset = rows - columns - 5
    weights = torch.exp(-0.5 * (offset / 1.5) ** 2) * (offset.abs() <= 5)
    return weights / weights.sum(0)


def _signs(pictures: Tensor) -> Tensor:
    """Return the soft signs of each pixel's differences from the 7×7 around it: B×49×(H−6)×(W−6)."""
    if pictures.shape[1] == 3:
        pictures = (pictures * pictures.new_tensor(BT601).view(1, 3, 1, 1)).sum(1, keepdim=True)
    grey = 255 * pictures
    height, width = grey.shape[2] - 6, grey.shape[3] - 6
    around = functional.unfold(grey, 7).view(len(grey), 49, height, width)
    difference: Tensor = around - grey[:, :, 3:-3, 3:-3]
    return difference / torch.sqrt(0.81 + difference**2)
