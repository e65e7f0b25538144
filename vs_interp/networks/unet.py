"""The U-Net of Super-SloMo, which has two of them (Jiang et al. 2018, arXiv:1712.00080)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional


def _activate(x: Tensor) -> Tensor:
    return functional.leaky_relu(x, 0.1)


def _convolution(inputs: int, outputs: int, kernel: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)


class _Down(nn.Module):
    """Halve the picture, then two convolutions."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.conv1 = _convolution(inputs, outputs, kernel)
        self.conv2 = _convolution(outputs, outputs, kernel)

    def forward(self, x: Tensor) -> Tensor:
        x = _activate(self.conv1(functional.avg_pool2d(x, 2)))
        return _activate(self.conv2(x))


class _UpLate(nn.Module):
    """Double the size; the skip connection enters before the second convolution."""

    def __init__(self, inputs: int, skip: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = _convolution(inputs, outputs, 3)
        self.conv2 = _convolution(outputs + skip, outputs, 3)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
        x = _activate(self.conv1(x))
        return _activate(self.conv2(torch.cat((x, skip), 1)))


class _UpEarly(nn.Module):
    """Double the size; the skip connection enters before the first convolution."""

    def __init__(self, inputs: int, skip: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = _convolution(inputs + skip, outputs, 3)
        self.conv2 = _convolution(outputs, outputs, 3)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
        x = _activate(self.conv1(torch.cat((x, skip), 1)))
        return _activate(self.conv2(x))


class UNet(nn.Module):
    """The paper's U-Net with ``levels`` (five) halvings and doublings; module names are the published checkpoint's.

    The options are those of :class:`~vs_interp.networks.super_slomo.SuperSloMoConfig`.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        width: int,
        skip: Literal["late", "early"],
        first_kernel: int,
        linear_output: bool,
        levels: int = 5,
    ) -> None:
        super().__init__()
        widths = [width * factor for factor in (1, 2, 4, 8, 16, 16)][: levels + 1]
        up = _UpLate if skip == "late" else _UpEarly
        self.linear_output = linear_output
        self.conv1 = _convolution(inputs, widths[0], first_kernel)
        self.conv2 = _convolution(widths[0], widths[0], 7)
        self.levels = range(1, levels + 1)
        for level in self.levels:
            kernel = 5 if level == 1 else 3
            self.add_module(f"down{level}", _Down(widths[level - 1], widths[level], kernel))
        for level in self.levels:
            self.add_module(f"up{level}", up(widths[-level], widths[-level - 1], widths[-level - 1]))
        self.conv3 = _convolution(widths[0], outputs, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.conv1(x))

    def after(self, x: Tensor) -> Tensor:
        """Return the output for the result of the first convolution."""
        x = _activate(x)
        skips = [_activate(self.conv2(x))]
        for level in self.levels:
            skips.append(self.get_submodule(f"down{level}")(skips[-1]))
        x = skips.pop()
        for level in self.levels:
            x = self.get_submodule(f"up{level}")(x, skips.pop())
        x = self.conv3(x)
        return x if self.linear_output else _activate(x)
