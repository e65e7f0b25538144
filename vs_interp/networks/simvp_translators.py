"""The translators of SimVP, which turn the features of the given frames into those of the following ones."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


class _Gate(nn.Module):
    """Large-kernel attention: a depthwise 5×5, a dilated depthwise 7×7, and half of the channels gates the other."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv0 = nn.Conv2d(width, width, 5, padding=2, groups=width)
        self.conv_spatial = nn.Conv2d(width, width, 7, padding=9, groups=width, dilation=3)
        self.conv1 = nn.Conv2d(width, 2 * width, 1)

    def forward(self, x: Tensor) -> Tensor:
        values, gates = self.conv1(self.conv_spatial(self.conv0(x))).chunk(2, 1)
        gated: Tensor = values * torch.sigmoid(gates)
        return gated


class _Attention(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj_1 = nn.Conv2d(width, width, 1)
        self.spatial_gating_unit = _Gate(width)
        self.proj_2 = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        attended: Tensor = self.proj_2(self.spatial_gating_unit(functional.gelu(self.proj_1(x))))
        return attended + x


class _Depthwise(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv2d(width, width, 3, padding=1, groups=width)

    def forward(self, x: Tensor) -> Tensor:
        convolved: Tensor = self.dwconv(x)
        return convolved


class _Mlp(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(width, hidden, 1)
        self.dwconv = _Depthwise(hidden)
        self.fc2 = nn.Conv2d(hidden, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        mixed: Tensor = self.fc2(functional.gelu(self.dwconv(self.fc1(x))))
        return mixed


class _GstaBlock(nn.Module):
    """Gated spatiotemporal attention and an MLP; the shortcut inside the attention adds the *normalised* input."""

    def __init__(self, width: int, ratio: float) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.BatchNorm2d(width), nn.BatchNorm2d(width)
        self.attn, self.mlp = _Attention(width), _Mlp(width, int(width * ratio))
        self.layer_scale_1 = nn.Parameter(torch.full((width,), 0.01))
        self.layer_scale_2 = nn.Parameter(torch.full((width,), 0.01))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.layer_scale_1[:, None, None] * self.attn(self.norm1(x))
        y: Tensor = x + self.layer_scale_2[:, None, None] * self.mlp(self.norm2(x))
        return y


class _GstaLayer(nn.Module):
    """A block, then a 1×1 convolution if the number of channels changes."""

    def __init__(self, inputs: int, outputs: int, ratio: float) -> None:
        super().__init__()
        self.block = _GstaBlock(inputs, ratio)
        self.reduction = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        translated: Tensor = self.reduction(self.block(x))
        return translated


class Gsta(nn.Module):
    """A stack of gated spatiotemporal attention blocks (Tan et al. 2022, arXiv:2211.12509)."""

    def __init__(self, outer: int, inner: int, layers: int, ratio: float) -> None:
        super().__init__()
        widths = [outer, *[inner] * (layers - 1), outer]
        pairs = itertools.pairwise(widths)
        self.enc = nn.Sequential(*(_GstaLayer(before, after, ratio) for before, after in pairs))

    def forward(self, x: Tensor) -> Tensor:
        translated: Tensor = self.enc(x)
        return translated


class _Branch(nn.Module):
    def __init__(self, inputs: int, outputs: int, kernel: int, groups: int) -> None:
        super().__init__()
        groups = groups if inputs % groups == 0 and outputs % groups == 0 else 1
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, groups=groups)
        self.norm = nn.GroupNorm(groups, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return functional.leaky_relu(self.norm(self.conv(x)), 0.2)


class _Inception(nn.Module):
    """A 1×1 convolution, then the sum of grouped convolutions with several kernel sizes."""

    def __init__(self, inputs: int, inner: int, outputs: int, kernels: Sequence[int], groups: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, inner, 1)
        self.layers = nn.ModuleList(_Branch(inner, outputs, kernel, groups) for kernel in kernels)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x)
        total: Tensor = sum((layer(x) for layer in self.layers[1:]), start=self.layers[0](x))
        return total


KERNELS = (3, 5, 7, 11)


class IncepU(nn.Module):
    """A U-Net of inception blocks (Gao et al. 2022, arXiv:2206.05099)."""

    def __init__(self, outer: int, inner: int, layers: int, groups: int) -> None:
        super().__init__()

        def block(inputs: int, outputs: int) -> _Inception:
            return _Inception(inputs, inner // 2, outputs, KERNELS, groups)

        self.enc = nn.ModuleList(block(outer if index == 0 else inner, inner) for index in range(layers))
        self.dec = nn.ModuleList(
            block(inner if index == 0 else 2 * inner, outer if index == layers - 1 else inner)
            for index in range(layers)
        )

    def forward(self, x: Tensor) -> Tensor:
        skips: list[Tensor] = []
        for layer in self.enc:
            x = layer(x)
            skips.append(x)
        x = self.dec[0](skips.pop())
        for layer in list(self.dec)[1:]:
            x = layer(torch.cat((x, skips.pop()), 1))
        return x
