"""Validation: the averaged weights are tested on windows of a data set that is not trained on."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vs_interp.datasets.footage import Box, Footage
from vs_interp.datasets.readers import open_footage
from vs_interp.datasets.windows import Window, cut_windows, within
from vs_interp.errors import DatasetError
from vs_interp.metrics import decibels
from vs_interp.networks.base import Network
from vs_interp.size import Size
from vs_interp.training.scenes.changes import Changes
from vs_interp.training.scenes.drafts import Draft, FilmDraft, spread
from vs_interp.training.scenes.film import Crops, Reel
from vs_interp.training.scenes.samples import BatchMaker

from .losses import SMALLEST, judged, mislabelled, mse, ssim_loss
from .recipe import Recipe, Validation
from .report import Scores


@dataclass(frozen=True)
class Validator:
    """Windows of footage, and a copy of the network to run on them, in evaluation mode: as it is exported."""

    footage: Footage
    windows: Sequence[Window]
    network: Network

    @classmethod
    def open(cls, recipe: Recipe, network: Network, reels: Collection[Reel] = ()) -> Validator | None:
        """Open a recipe's validation set, if it has one.

        Raises :class:`DatasetError` if it is missing, if its frames are too small for the network, or if it shares
        frames with ``reels``, which are trained on.
        """
        by = recipe.validation
        if by is None:
            return None
        footage = open_footage(by.footage, by.split)
        possible = within(cut_windows(footage, network.spec, (by.gap,)), footage, by.part)
        if not len(possible):
            raise DatasetError(
                f"validation: the part {list(by.part)} of {by.footage} holds no window for {network.spec.name}: "
                "enlarge it"
            )
        validator = cls(footage, spread(possible, by.windows), copy.deepcopy(network).eval())
        for sequence in {window.sequence for window in validator.windows}:
            validator.box(sequence)
        _check_apart(by, validator, reels)
        return validator

    def scores(self, weights: dict[str, Tensor], stopped: Callable[[], bool] = lambda: False) -> Scores | None:
        """Return the mean PSNR in dB and SSIM over all pictures made with ``weights``; ``None`` if ``stopped``.

        A picture with a value that is not finite has the worst scores, 0 dB and an SSIM of 0.  A wrong label counts as
        an error of 1.  Labels, and pictures smaller than 11 pixels have no SSIM: ``None``.
        """
        self.network.load_state_dict(weights)
        device = next(self.network.parameters()).device
        batch_maker = BatchMaker(self.network.spec, device, (0, 0))
        labels = self.network.spec.output.kind == "labels"
        error = mislabelled if labels else mse
        psnrs: list[float] = []
        ssims: list[float] = []
        with torch.inference_mode():
            for window in self.windows:
                if stopped():
                    return None
                batch = batch_maker(self._draft(window))
                inputs = (*batch.frames, batch.time) if self.network.spec.takes_time else batch.frames
                pictures = list(zip(self.network(*inputs)[:, None], batch.truth[:, None], strict=True))
                psnrs += [decibels(max(float(judged(error, *both)), 1e-10)) for both in pictures]
                if not labels and min(batch.truth.shape[2:]) >= SMALLEST["ssim"]:
                    ssims += [1 - float(judged(ssim_loss, *both)) for both in pictures]
        return Scores(float(np.mean(psnrs)), float(np.mean(ssims)) if ssims else None)

    def box(self, sequence: int) -> Box:
        """Return the largest box in the middle of a sequence's frames that the network takes: top, left, height, width.

        Raises :class:`DatasetError` if the frames are too small.
        """
        spec, size = self.network.spec, self.footage.frame_size(sequence)
        scale = spec.output.scale
        unit = spec.multiple_of * scale
        height, width = spec.fixed or tuple(length // unit * unit for length in size.shape)
        if min(height, width) < spec.minimum * scale or height > size.height or width > size.width:
            needed = Size.of(spec.fixed or (spec.padded(1) * scale,) * 2)
            raise DatasetError(
                f"validation: {self.footage.name(sequence)} is {size}, too small for {spec.name}, which needs at least "
                f"{needed}: use larger frames"
            )
        top, left = (
            (length - wanted) // 2 // scale * scale for length, wanted in zip(size.shape, (height, width), strict=True)
        )
        return top, left, height, width

    def _draft(self, window: Window) -> Draft:
        """Return a window cropped to :meth:`box`, unchanged otherwise."""
        spec, footage, box = self.network.spec, self.footage, self.box(window.sequence)
        scale = spec.output.scale
        frames = footage.window(spec, window.sequence, (*window.inputs, *window.truths), box)
        small = None
        if footage.small is not None and scale > 1:
            top, left, height, width = (length // scale for length in box)
            small = footage.small.frames(window.sequence, window.inputs, (top, left, height, width))[None]
        film = Crops(frames[None], small, np.array([float(window.time or 0)]), ())
        return Draft([FilmDraft(0, 1, film, np.zeros(1, bool))], [], Changes.none(1), noise=0)


def _check_apart(by: Validation, validator: Validator, reels: Collection[Reel]) -> None:
    """Raise :class:`DatasetError` if a frame of the validation may be drawn for training."""
    for window in validator.windows:
        origin, numbers = validator.footage.origin(window.sequence), (*window.inputs, *window.truths)
        if any(reel.draws(origin, numbers) for reel in reels):
            raise DatasetError(
                f"validation and data.source share frames of {by.footage} ({validator.footage.name(window.sequence)}): "
                "give them parts that do not overlap, such as part = [0.0, 0.95] and part = [0.95, 1.0]"
            )
