"""Batches made from drafts, which hold the data read and every random choice.

The expensive part (rendering scenes, shrinking, the teacher) is done for the whole batch at once on the training
device; if that is the CPU, in a data worker.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from vs_interp.networks.rife import Rife
from vs_interp.spec import NetworkSpec

from .changes import Changes, varied
from .drafts import Draft, FilmDraft, SceneDraft
from .film import Crops
from .resident import ResidentFilm
from .synthetic import Scenes

LUMA = (0.299, 0.587, 0.114)
"""BT.601, on which luma networks are trained."""


class Batch(NamedTuple):
    """B samples.

    frames
        The N frames of the window, each B×C×h×w in [0, 1].
    truth
        The M pictures to make of each sample: B·M×C×H×W.
    time
        B×1×1×1.
    flow
        B×4×H×W: the motion in pixels from the time (for flow networks, from frame 0) to frame 0 and to frame 1.
    doubt
        B×1×H×W: mean absolute error of a picture made with ``flow``; infinite where the flow is unknown.  Empty, like
        the flow, for networks that neither make flow nor take a time.
    unreadable
        Messages about files that could not be read.
    """

    frames: tuple[Tensor, ...]
    truth: Tensor
    time: Tensor
    flow: Tensor
    doubt: Tensor
    unreadable: tuple[str, ...] = ()


class Sampled(NamedTuple):
    """K samples of one group.

    ``pictures`` are K×T×3×H×W, ``flow`` K×4×H×W, ``known`` (whether the flow is) and ``time`` K, and ``small``
    K×N×3×h×w, the data set's own reduced window if it has any.
    """

    pictures: Tensor
    flow: Tensor
    known: NDArray[np.bool_]
    time: Tensor
    small: Tensor | None = None


@dataclass(frozen=True)
class BatchMaker:
    """Makes batches from drafts on ``device``, where scenes, films (by source) and the teacher must be too.

    ``crop`` is the height and width of a sample.
    """

    spec: NetworkSpec
    device: torch.device
    crop: tuple[int, int]
    scenes: Scenes | None = None
    films: Mapping[int, ResidentFilm] = field(default_factory=dict)
    teacher: Rife | None = None

    def __call__(self, draft: Draft) -> Batch:
        """Return the batch of a draft."""
        with torch.no_grad():
            groups = [*map(self._filmed, draft.films), *map(self._scene, draft.scenes)]
            whole = Sampled(
                torch.cat([group.pictures for group in groups]),
                torch.cat([group.flow for group in groups]),
                np.concatenate([group.known for group in groups]),
                torch.cat([group.time for group in groups]),
                _joined([group.small for group in groups if group.small is not None]),
            )
            batch = self._varied(whole, draft.changes)
            if self.spec.takes_time:
                batch = self._with_teacher(batch, whole.known)
            return batch._replace(frames=self._noisy(batch.frames, draft), unreadable=draft.unreadable)

    def _filmed(self, draft: FilmDraft) -> Sampled:
        """Return the samples of a film, from those read from disk or from a film in the device's memory."""
        small = None
        if isinstance(draft.film, Crops):
            pictures = self._on_device(draft.film.frames)
            time = torch.from_numpy(draft.film.times.astype(np.float32)).to(self.device)
            small = None if draft.film.small is None else self._on_device(draft.film.small)
        else:
            size = draft.shrink * self.crop[0], draft.shrink * self.crop[1]
            pictures, time = self.films[draft.source].read(draft.film, size, len(self.spec.window.offsets))
        pictures = _smaller(pictures, draft.shrink)
        if draft.still.any():
            rows, truth = torch.from_numpy(np.flatnonzero(draft.still)).to(self.device), len(self.spec.window.offsets)
            pictures[rows] = pictures[rows, truth : truth + 1]
        flow = pictures.new_zeros(len(pictures), 4, *pictures.shape[3:])
        return Sampled(pictures, flow, draft.still, time, small)

    def _scene(self, draft: SceneDraft) -> Sampled:
        assert self.scenes is not None
        scenes = self.scenes.enlarged(draft.shrink)
        pictures, top = scenes.render(draft.layers)
        time = torch.from_numpy(draft.times.astype(np.float32)).to(self.device)
        if self.spec.takes_time or self.spec.output.kind == "flow":
            middle = slice(draft.shrink // 2, None, draft.shrink)
            flow = scenes.flow(draft.layers, top[:, 2], 2, (0, 1))[:, :, middle, middle] / draft.shrink
        else:
            flow = pictures.new_zeros(len(pictures), 4, 1, 1).expand(-1, -1, self.scenes.height, self.scenes.width)
        return Sampled(_smaller(pictures, draft.shrink), flow, np.ones(len(time), bool), time)

    def _on_device(self, frames: NDArray[np.uint8]) -> Tensor:
        """Return K×T×H×W×3 bytes as K×T×3×H×W in [0, 1] on the device."""
        bytes_ = torch.from_numpy(frames)
        if self.device.type == "cuda":
            bytes_ = bytes_.pin_memory().to(self.device, non_blocking=True)
        return bytes_.movedim(-1, 2).to(torch.float32, memory_format=torch.contiguous_format).mul_(1 / 255)

    def _varied(self, whole: Sampled, changes: Changes) -> Batch:
        """Return the augmented batch, in the form that the network takes."""
        count = len(self.spec.window.offsets)
        pictures, flow, time = varied(whole.pictures, whole.flow, whole.time, count, changes)
        window, truth = pictures[:, :count], pictures[:, count:].flatten(0, 1)
        if whole.small is not None:
            window, *_ = varied(whole.small, whole.flow, whole.time, count, changes)
        elif self.spec.output.scale > 1:
            small = shrunk(window.flatten(0, 1), self.spec.output.scale)
            window = small.view(-1, count, *small.shape[1:])
        if self.spec.output.kind == "flow":
            truth = flow[:, 2:].flatten(0, 1)[:, None]
        if self.spec.output.crop is not None:
            top, left, height, width = self.spec.output.crop
            truth = truth[..., top : top + height, left : left + width]
        if self.spec.window.channels == 1:
            window, truth = luma(window), luma(truth)
        elif self.spec.output.channels == 1:
            truth = truth[:, :1]
        return Batch(window.unbind(1), truth, time.view(-1, 1, 1, 1), flow, torch.empty(0))

    def _with_teacher(self, batch: Batch, known: NDArray[np.bool_]) -> Batch:
        """Return the batch with the teacher's flow where the flow is unknown, and with the doubt of all flows."""
        flow, truth = batch.flow, batch.truth
        doubt = torch.where(torch.from_numpy(known).to(self.device), 0.0, torch.inf).view(-1, 1, 1, 1)
        doubt = doubt.repeat(1, 1, *truth.shape[2:])
        if self.teacher is not None and not known.all():
            unknown = torch.from_numpy(np.flatnonzero(~known)).to(self.device)
            frame0, frame1 = (frame[unknown] for frame in batch.frames)
            with torch.autocast(self.device.type, torch.bfloat16):
                estimate, warped0, warped1 = self.teacher.estimate(frame0, frame1, batch.time[unknown])
            visible0 = torch.sigmoid(estimate.mask)
            made = warped0 * visible0 + warped1 * (1 - visible0)
            flow[unknown], doubt[unknown] = estimate.flow, (made - truth[unknown]).abs().mean(1, keepdim=True)
        return batch._replace(flow=flow, doubt=doubt)

    def _noisy(self, frames: tuple[Tensor, ...], draft: Draft) -> tuple[Tensor, ...]:
        """Return the frames with noise; it is drawn for the batch of all processes, so that each has its part of it."""
        rank, world = draft.part
        if not draft.changes.noise.any():
            return tuple(frame.contiguous() for frame in frames)
        clean = torch.stack(frames, 1)
        generator = torch.Generator(self.device).manual_seed(draft.noise)
        shape = world * len(clean), *clean.shape[1:]
        noise = torch.randn(shape, generator=generator, device=self.device)[rank::world]
        strength = torch.from_numpy(draft.changes.noise).to(self.device).view(-1, 1, 1, 1, 1)
        return tuple(frame.contiguous() for frame in torch.addcmul(clean, noise, strength).clamp_(0, 1).unbind(1))


def _joined(parts: list[Tensor]) -> Tensor | None:
    return torch.cat(parts) if parts else None


def _smaller(pictures: Tensor, factor: int) -> Tensor:
    """Return pictures (K×T×C×H×W) reduced by a factor, each pixel the mean of a square."""
    if factor == 1:
        return pictures
    shrunken = functional.avg_pool2d(pictures.flatten(0, 1), factor)
    return shrunken.view(*pictures.shape[:2], *shrunken.shape[1:])


def shrunk(pictures: Tensor, scale: int) -> Tensor:
    """Return pictures (K×C×H×W) reduced ``scale`` times by antialiased bicubic resampling, rounded to 8 bits."""
    size = [length // scale for length in pictures.shape[2:]]
    small = functional.interpolate(pictures, size, mode="bicubic", antialias=True, align_corners=False)
    return (small.clamp(0, 1) * 255).round() / 255


def luma(pictures: Tensor) -> Tensor:
    """Return the BT.601 luma (…×1×H×W) of RGB pictures."""
    return (pictures * pictures.new_tensor(LUMA).view(3, 1, 1)).sum(-3, keepdim=True)
