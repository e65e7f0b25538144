"""The perceptual loss: the distance of two pictures in features of VGG16 (Johnson et al. 2016, arXiv:1603.08155).

Its weights, half a gigabyte trained on ImageNet, do not come with vs-interp; torchvision publishes them.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from vs_interp.errors import CheckpointError

FILE = "vgg16-397923af.pth"
"""The name of torchvision's VGG16 checkpoint."""

HELP = f"The perceptual loss needs {FILE}, which torchvision publishes: give it as perceptual = FILE, or drop that loss"

LAYERS = (64, 64, "pool", 128, 128, "pool", 256, 256, 256, "pool", 512, 512, 512)
"""VGG16 up to conv4_3: channels of the 3×3 convolutions (each but the last followed by a ReLU), and poolings."""


class Perceptual(nn.Module):
    """Mean squared difference of VGG16's conv4_3 features before their ReLU, as in Super-SloMo.

    Pictures are B×3×H×W in [0, 1], of at least 8×8 pixels; they are normalised here with ImageNet's mean and standard
    deviation.  The weights are frozen; gradients pass through to the pictures.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, weights: Path) -> None:
        """Read torchvision's checkpoint.  Raises :class:`CheckpointError` if it is missing or not VGG16's."""
        super().__init__()
        self.features = vgg16_features()
        wanted = self.features.state_dict()
        found = {name.removeprefix("features."): tensor for name, tensor in _read(weights).items()}
        for name, tensor in wanted.items():
            if name not in found or found[name].shape != tensor.shape:
                raise CheckpointError(f"{weights} is not VGG16 (it has no matching features.{name}): {HELP}")
        self.features.load_state_dict({name: found[name] for name in wanted})
        self.features.requires_grad_(False)
        self.register_buffer("mean", torch.tensor((0.485, 0.456, 0.406)).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor((0.229, 0.224, 0.225)).view(1, 3, 1, 1))

    def forward(self, made: Tensor, truth: Tensor) -> Tensor:
        """Return the loss, a scalar."""
        both = (torch.cat((made, truth)) - self.mean) / self.deviation
        return functional.mse_loss(*self.features(both).chunk(2))


def vgg16_features() -> nn.Sequential:
    """Return VGG16's layers up to conv4_3, numbered as in torchvision, with random weights."""
    layers: list[nn.Module] = []
    channels = 3
    for layer in LAYERS:
        if isinstance(layer, int):
            layers += [nn.Conv2d(channels, layer, 3, padding=1), nn.ReLU(inplace=True)]
            channels = layer
        else:
            layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers[:-1])


def _read(path: Path) -> dict[str, Any]:
    """Read a state dictionary; no code in the file is run."""
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(f"there is no {path}: {HELP}") from error
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise CheckpointError(f"{path} is not a PyTorch checkpoint, or it is truncated: {HELP}") from error
    if not isinstance(found, dict):
        raise CheckpointError(f"{path} holds {type(found).__name__}, not weights by name: {HELP}")
    return found
