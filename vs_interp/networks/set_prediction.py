"""Slot attention that predicts a set: what each object of a scene is, and where, instead of which pixels are its.

Locatello et al. 2020 (arXiv:2006.15055).  For training and study in PyTorch: it makes no pictures, so that there is
nothing to serve.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .slot_attention import SlotAttention, SlotAttentionConfig, SlotEncoder, constant_noise


class SetPrediction(SlotEncoder):
    """Says what is in a scene by 19 values a slot, all in [0, 1].

    They are place ((p + 3) / 6), size 2, material 2, shape 3, colour 8, and whether there is such an object.
    """

    def __init__(self, config: SlotAttentionConfig | None = None) -> None:
        self.config: SlotAttentionConfig = config or SlotAttentionConfig(slots=10)
        super().__init__(self.config, (1, 2, 2, 1))
        width = self.config.width
        self.slot_attention = SlotAttention(self.config)
        self.mlp_classifier = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 19))
        self.register_buffer("noise", constant_noise(self.config), persistent=False)
        self.noise: Tensor

    def forward(self, frame: Tensor, noise: Tensor | None = None) -> Tensor:
        """Return B×S×19 in [0, 1] for B×3×H×W RGB in [0, 1], H and W multiples of 4."""
        slots = self.slot_attention(self.inputs(frame), self.noise if noise is None else noise)
        return torch.sigmoid(self.mlp_classifier(slots))
