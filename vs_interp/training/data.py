"""Batches for frame interpolation: windows of a film and synthetic scenes, cropped, varied and taught."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import IterableDataset

from ..networks.rife import Rife
from .film import Film
from .synthetic import Sample, Scenes

GAPS = ((2, 0.55), (3, 0.1), (4, 0.25), (6, 0.1))
"""Frames from the first to the last of a film window, and how often that distance is drawn."""


class Batch(NamedTuple):
    """B samples, see :class:`~vs_interp.training.synthetic.Sample`; ``time`` is B×1×1×1."""

    frame0: Tensor
    frame1: Tensor
    truth: Tensor
    time: Tensor
    flow: Tensor
    doubt: Tensor


@dataclass
class Batches(IterableDataset[Batch]):
    """An endless stream of batches, the same for the same seed.

    ``synthetic`` is the share of synthetic scenes, ``still`` that of film frames that do not move; ``teacher`` gives
    the flows of film windows, which are left unknown without one.
    """

    film: Film
    scenes: Scenes
    teacher: Rife | None
    seed: int
    batch: int
    synthetic: float
    still: float = 0.0

    def __iter__(self) -> Iterator[Batch]:
        torch.set_num_threads(1)
        random = np.random.default_rng(self.seed)
        starts = {gap: self.film.windows(gap) for gap, _ in GAPS}
        while True:
            samples = [_vary(self._draw(random, starts), random) for _ in range(self.batch)]
            yield _collate(samples, self.teacher, random)

    def _draw(self, random: np.random.Generator, starts: dict[int, np.ndarray]) -> Sample:
        share = random.random()
        if share < self.synthetic:
            return self.scenes.draw(random)
        sample = self._window(random, starts)
        if share > 1 - self.still:
            frame, nothing = sample.truth, torch.zeros(4, *sample.truth.shape[1:])
            return Sample(frame, frame, frame, sample.time, nothing, nothing[:1])
        return sample

    def _window(self, random: np.random.Generator, starts: dict[int, np.ndarray]) -> Sample:
        """Return a crop of a film window; of two random places the one with more motion."""
        gap = int(random.choice([g for g, _ in GAPS], p=[p for _, p in GAPS]))
        middle = gap // 2 if random.random() < 0.6 else int(random.integers(1, gap))
        height, width = self.scenes.height, self.scenes.width
        shrink = 2 if random.random() < 0.25 and 2 * height <= self.film.frames.shape[1] else 1
        best, most = self.film.frames[:0], -1.0
        for _ in range(2):
            start = int(random.choice(starts[gap]))
            y = int(random.integers(0, self.film.frames.shape[1] - shrink * height + 1))
            x = int(random.integers(0, self.film.frames.shape[2] - shrink * width + 1))
            numbers = [start, start + middle, start + gap]
            crop = self.film.frames[numbers, y : y + shrink * height, x : x + shrink * width]
            motion = float(np.abs(crop[0, ::4, ::4].astype(np.int16) - crop[2, ::4, ::4]).mean())
            if motion > most:
                best, most = crop, motion
        frames = torch.from_numpy(best).permute(0, 3, 1, 2).float() / 255
        if shrink > 1:
            frames = functional.avg_pool2d(frames, shrink)
        return Sample(frames[0], frames[2], frames[1], middle / gap, None, None)


def _vary(sample: Sample, random: np.random.Generator) -> Sample:
    """Mirror, reverse the time, shuffle the colours, change brightness: one random state for the whole window."""
    frames = torch.stack((sample.frame0, sample.truth, sample.frame1))
    flow, time = sample.flow, sample.time
    for axis in (3, 2):
        if random.random() < 0.5:
            frames = frames.flip(axis)
            if flow is not None:
                flow = flow.flip(axis - 1)
                mirrored = [0, 2] if axis == 3 else [1, 3]
                flow[mirrored] = -flow[mirrored]
    if random.random() < 0.5:
        frames, time = frames.flip(0), 1 - time
        flow = None if flow is None else flow[[2, 3, 0, 1]]
    frames = frames[:, torch.from_numpy(random.permutation(3))]
    frames = frames.clamp(min=1e-4) ** float(np.exp(random.normal(0, 0.2)))
    frames = frames * float(random.uniform(0.8, 1.0)) + float(random.uniform(-0.05, 0.05))
    frames = frames.clamp(0, 1)
    return Sample(frames[0], frames[2], frames[1], time, flow, sample.doubt)


def _collate(samples: list[Sample], teacher: Rife | None, random: np.random.Generator) -> Batch:
    """Stack the samples, let the teacher give the flows that are not known, and add sensor noise to the inputs."""
    frame0, frame1 = (torch.stack([s.frame0 for s in samples]), torch.stack([s.frame1 for s in samples]))
    truth = torch.stack([s.truth for s in samples])
    time = torch.tensor([s.time for s in samples]).view(-1, 1, 1, 1)
    flow = torch.zeros(len(samples), 4, *truth.shape[2:])
    doubt = torch.full((len(samples), 1, *truth.shape[2:]), torch.inf)
    unknown = [i for i, s in enumerate(samples) if s.flow is None]
    for i, sample in enumerate(samples):
        if sample.flow is not None and sample.doubt is not None:
            flow[i], doubt[i] = sample.flow, sample.doubt
    if unknown and teacher is not None:
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            estimate, warped0, warped1 = teacher.estimate(frame0[unknown], frame1[unknown], time[unknown])
        visible0 = torch.sigmoid(estimate.mask)
        made = warped0 * visible0 + warped1 * (1 - visible0)
        flow[unknown] = estimate.flow
        doubt[unknown] = (made - truth[unknown]).abs().mean(1, keepdim=True)
    strength = torch.from_numpy(random.uniform(0, 4 / 255, (len(samples), 1, 1, 1))).float()
    strength = strength * torch.from_numpy(random.random((len(samples), 1, 1, 1)) < 0.5)
    noise = torch.from_numpy(random.standard_normal((2, *truth.shape), np.float32)) * strength
    frame0, frame1 = (frame0 + noise[0]).clamp(0, 1), (frame1 + noise[1]).clamp(0, 1)
    return Batch(frame0, frame1, truth, time, flow, doubt)
