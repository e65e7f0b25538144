"""Validation: the averaged weights on windows of a data set that is not trained on."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vs_interp.datasets.footage import Footage
from vs_interp.datasets.readers import open_footage
from vs_interp.datasets.windows import Window, cut_windows
from vs_interp.networks.base import Network
from vs_interp.training.scenes.changes import Changes
from vs_interp.training.scenes.drafts import Draft, FilmDraft, spread
from vs_interp.training.scenes.film import Crops
from vs_interp.training.scenes.samples import Workshop

from .recipe import Recipe


@dataclass(frozen=True)
class Judge:
    """Windows of footage, and a copy of the network to work on them."""

    footage: Footage
    windows: Sequence[Window]
    network: Network

    @classmethod
    def open(cls, recipe: Recipe, network: Network) -> Judge | None:
        """Open a recipe's validation set, if it has one.  Raises :class:`DatasetError` where it is missing."""
        by = recipe.validation
        if by is None:
            return None
        footage = open_footage(by.footage, by.split)
        windows = spread(cut_windows(footage, network.spec, (by.gap,)), by.part, by.windows)
        return cls(footage, windows, copy.deepcopy(network))

    def psnr(self, weights: dict[str, Tensor]) -> float:
        """Return the mean PSNR (dB) of the pictures made with ``weights``; every picture counts the same.

        A label that is wrong is an error of 1.
        """
        self.network.load_state_dict(weights)
        device = next(self.network.parameters()).device
        workshop = Workshop(self.network.spec, device, (0, 0))
        scores: list[float] = []
        with torch.inference_mode():
            for window in self.windows:
                batch = workshop(self._draft(window))
                inputs = (*batch.frames, batch.time) if self.network.spec.takes_time else batch.frames
                error = (self.network(*inputs).float().clamp(0, 1) - batch.truth).square().flatten(1)
                if self.network.spec.output.kind == "labels":
                    error = (error > (0.5 / 255) ** 2).float()
                error = error.mean(1)
                scores += (-10 * torch.log10(error.clamp(min=1e-10))).tolist()
        return float(np.mean(scores))

    def _draft(self, window: Window) -> Draft:
        """Return the middle of a window, as large as the network takes it."""
        spec, footage = self.network.spec, self.footage
        scale = spec.output.scale
        unit = spec.multiple_of * scale
        shape = footage.frame_size(window.sequence).shape
        height, width = (length // unit * unit for length in shape)
        top, left = (
            (length - wanted) // 2 // scale * scale for length, wanted in zip(shape, (height, width), strict=True)
        )
        frames = footage.window(spec, window.sequence, (*window.inputs, *window.truths), (top, left, height, width))
        small = None
        if footage.small is not None and scale > 1:
            box = (top // scale, left // scale, height // scale, width // scale)
            small = footage.small.frames(window.sequence, window.inputs, box)[None]
        film = Crops(frames[None], small, np.array([float(window.time or 0)]), ())
        return Draft([FilmDraft(0, 1, film, np.zeros(1, bool))], [], Changes.none(1), noise=0)
