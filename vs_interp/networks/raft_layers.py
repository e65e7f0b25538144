"""The layers of RAFT: its encoders, the lookup of correlations, the recurrent update.  Names are princeton-vl's."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

Norm = Callable[[int], nn.Module]

LEVELS = 4
"""Number of sizes at which correlations are looked up, each half the one before."""


def instance_norm(channels: int) -> nn.Module:
    """Return the norm of the feature encoder, which has no weights."""
    return nn.InstanceNorm2d(channels)


def no_norm(channels: int) -> nn.Module:
    """Return an identity in place of a norm."""
    return nn.Identity()


class BasicBlock(nn.Module):
    """A residual block of two 3×3 convolutions."""

    def __init__(self, inputs: int, outputs: int, norm: Norm, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1)
        self.norm1, self.norm2 = norm(outputs), norm(outputs)
        self.downsample = _shortcut(inputs, outputs, norm, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.norm1(self.conv1(x)))
        y = functional.relu(self.norm2(self.conv2(y)))
        return functional.relu(self.downsample(x) + y)


class BottleneckBlock(nn.Module):
    """A residual block with a 3×3 convolution at a quarter of the channels, between two 1×1 convolutions."""

    def __init__(self, inputs: int, outputs: int, norm: Norm, stride: int) -> None:
        super().__init__()
        narrow = outputs // 4
        self.conv1 = nn.Conv2d(inputs, narrow, 1)
        self.conv2 = nn.Conv2d(narrow, narrow, 3, stride, 1)
        self.conv3 = nn.Conv2d(narrow, outputs, 1)
        self.norm1, self.norm2, self.norm3 = norm(narrow), norm(narrow), norm(outputs)
        self.downsample = _shortcut(inputs, outputs, norm, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.norm1(self.conv1(x)))
        y = functional.relu(self.norm2(self.conv2(y)))
        y = functional.relu(self.norm3(self.conv3(y)))
        return functional.relu(self.downsample(x) + y)


def _shortcut(inputs: int, outputs: int, norm: Norm, stride: int) -> nn.Module:
    return nn.Identity() if stride == 1 else nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride), norm(outputs))


class Encoder(nn.Module):
    """Features at an eighth of the size."""

    def __init__(
        self, block: type[BasicBlock] | type[BottleneckBlock], widths: Sequence[int], outputs: int, norm: Norm
    ) -> None:
        super().__init__()
        first, second, third = widths
        self.conv1 = nn.Conv2d(3, first, 7, 2, 3)
        self.norm1 = norm(first)
        self.layer1 = nn.Sequential(block(first, first, norm, 1), block(first, first, norm, 1))
        self.layer2 = nn.Sequential(block(first, second, norm, 2), block(second, second, norm, 1))
        self.layer3 = nn.Sequential(block(second, third, norm, 2), block(third, third, norm, 1))
        self.conv2 = nn.Conv2d(third, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.norm1(self.conv1(x)))
        features: Tensor = self.conv2(self.layer3(self.layer2(self.layer1(x))))
        return features


class Correlation(nn.Module):
    """The correlations of every pixel of frame 0 with every pixel of frame 1, at :data:`LEVELS` sizes of frame 1.

    The features are shrunk instead of the correlation volume, which is the same, as both are linear.  They are divided
    before the product, so that sums fit into FP16: TensorRT-RTX has no FP32 matrix products for Turing.
    """

    def forward(self, features0: Tensor, features1: Tensor) -> list[Tensor]:
        """Return B·H·W×1×H/2ˡ×W/2ˡ for every level l, from features B×C×H×W."""
        batch, channels, height, width = features0.shape
        queries = features0.flatten(2).transpose(1, 2) / channels**0.5
        levels, keys = [], features1
        for level in range(LEVELS):
            keys = functional.avg_pool2d(keys, 2) if level else keys
            volume = queries @ keys.flatten(2)
            levels.append(volume.view(batch * height * width, 1, *keys.shape[2:]))
        return levels


class Lookup(nn.Module):
    """Looks up correlations in a window around where the flow points; bilinear, zero outside.

    The first axis of the window is x and the second y: a mistake in the original that its weights depend on.
    """

    def __init__(self, radius: int) -> None:
        super().__init__()
        self.radius = radius

    def forward(self, levels: Sequence[Tensor], flow: Tensor) -> Tensor:
        """Return B×(levels · (2 radius + 1)²)×H×W for a flow of B×2×H×W."""
        batch, _, height, width = flow.shape
        columns = torch.arange(width, device=flow.device, dtype=torch.float32).view(1, 1, width)
        rows = torch.arange(height, device=flow.device, dtype=torch.float32).view(1, height, 1)
        here = torch.stack((columns + flow[:, 0], rows + flow[:, 1]), 3).view(batch * height * width, 1, 1, 2)
        steps = torch.arange(-self.radius, self.radius + 1, device=flow.device, dtype=torch.float32)
        window = torch.stack(torch.meshgrid(steps, steps, indexing="ij"), 2)[None]
        found = []
        for level, volume in enumerate(levels):
            size = torch.tensor(volume.shape[:1:-1], device=flow.device, dtype=torch.float32)
            # Corners are not aligned: that would divide by the size − 1, 0 at the last level of small pictures.
            grid = (2 * (here / 2**level + window) + 1) / size - 1
            found.append(functional.grid_sample(volume, grid, align_corners=False).view(batch, height, width, -1))
        return torch.cat(found, 3).permute(0, 3, 1, 2)


class SmallMotionEncoder(nn.Module):
    """Motion features from the correlations and the flow: 82 channels, the last two the flow itself."""

    def __init__(self, correlations: int) -> None:
        super().__init__()
        self.convc1 = nn.Conv2d(correlations, 96, 1)
        self.convf1 = nn.Conv2d(2, 64, 7, padding=3)
        self.convf2 = nn.Conv2d(64, 32, 3, padding=1)
        self.conv = nn.Conv2d(128, 80, 3, padding=1)

    def forward(self, flow: Tensor, correlations: Tensor) -> Tensor:
        seen = functional.relu(self.convc1(correlations))
        moved = functional.relu(self.convf2(functional.relu(self.convf1(flow))))
        return torch.cat((functional.relu(self.conv(torch.cat((seen, moved), 1))), flow), 1)


class MotionEncoder(nn.Module):
    """Motion features from the correlations and the flow: 128 channels, the last two the flow itself."""

    def __init__(self, correlations: int) -> None:
        super().__init__()
        self.convc1 = nn.Conv2d(correlations, 256, 1)
        self.convc2 = nn.Conv2d(256, 192, 3, padding=1)
        self.convf1 = nn.Conv2d(2, 128, 7, padding=3)
        self.convf2 = nn.Conv2d(128, 64, 3, padding=1)
        self.conv = nn.Conv2d(256, 126, 3, padding=1)

    def forward(self, flow: Tensor, correlations: Tensor) -> Tensor:
        seen = functional.relu(self.convc2(functional.relu(self.convc1(correlations))))
        moved = functional.relu(self.convf2(functional.relu(self.convf1(flow))))
        return torch.cat((functional.relu(self.conv(torch.cat((seen, moved), 1))), flow), 1)


class Gru(nn.Module):
    """A convolutional GRU: one pass of 3×3, or one along rows and one along columns."""

    def __init__(self, hidden: int, inputs: int, passes: dict[str, tuple[int, int]]) -> None:
        super().__init__()
        self.passes = tuple(passes)
        for suffix, kernel in passes.items():
            for gate in ("z", "r", "q"):
                padding = kernel[0] // 2, kernel[1] // 2
                self.add_module(f"conv{gate}{suffix}", nn.Conv2d(hidden + inputs, hidden, kernel, padding=padding))

    def forward(self, hidden: Tensor, x: Tensor) -> Tensor:
        for suffix in self.passes:
            update, reset, new = (self.get_submodule(f"conv{gate}{suffix}") for gate in ("z", "r", "q"))
            both = torch.cat((hidden, x), 1)
            z, r = torch.sigmoid(update(both)), torch.sigmoid(reset(both))
            q = torch.tanh(new(torch.cat((r * hidden, x), 1)))
            hidden = (1 - z) * hidden + z * q
        return hidden


class FlowHead(nn.Module):
    """The change of the flow, B×2×H×W, from the hidden state."""

    def __init__(self, hidden: int, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(hidden, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, 2, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        change: Tensor = self.conv2(functional.relu(self.conv1(x)))
        return change
