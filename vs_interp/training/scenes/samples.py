"""Samples: from drafts, which a worker reads and draws, to batches on the training device.

A draft holds what must be read and every random choice; what costs arithmetic (rendering scenes, shrinking, the
teacher) is done where the network is trained, or in the worker where that is the same CPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from vs_interp.networks.rife import Rife
from vs_interp.spec import NetworkSpec
from vs_interp.training.recipe import Variation

from .synthetic import Layer, Scenes

LUMA = (0.299, 0.587, 0.114)
"""BT.601: what luma-only networks are trained on."""


@dataclass(frozen=True)
class Change:
    """How one sample is varied, the same for all its frames; see :class:`~vs_interp.training.recipe.Variation`."""

    mirrored: tuple[bool, bool]
    reversed: bool
    turned: bool
    channels: tuple[int, ...]
    gamma: float
    gain: float
    offset: float
    noise: float
    seed: int

    @classmethod
    def draw(cls, random: np.random.Generator, by: Variation) -> Change:
        """Draw one at random."""
        return cls(
            mirrored=(by.mirror and random.random() < 0.5, by.mirror and random.random() < 0.5),
            reversed=by.reverse and random.random() < 0.5,
            turned=by.turn and random.random() < 0.5,
            channels=tuple(random.permutation(3).tolist()) if by.colours else (0, 1, 2),
            gamma=float(np.exp(random.normal(0, by.gamma))),
            gain=float(random.uniform(by.gain, 1.0)),
            offset=float(random.uniform(-by.offset, by.offset)),
            noise=float(random.uniform(0, by.noise / 255)) * bool(random.random() < 0.5),
            seed=int(random.integers(1 << 62)),
        )


UNCHANGED = Change((False, False), False, False, (0, 1, 2), 1.0, 1.0, 0.0, 0.0, 0)


@dataclass(frozen=True)
class Draft:
    """One sample before arithmetic: a crop of N + M film frames as bytes, or the layers of a scene at N + M times.

    The first N frames are the network's window, the other M the truth; all have the size of the output, but for
    ``small``, N×h×w×3 bytes, where a data set brings its own small pictures.  ``time`` is the truth's, where the
    network takes one.
    """

    frames: NDArray[np.uint8] | None
    layers: Sequence[Layer]
    small: NDArray[np.uint8] | None
    shrink: int
    time: float
    change: Change
    still: bool
    unreadable: tuple[str, ...] = ()


class Batch(NamedTuple):
    """B samples.

    ``frames``: N tensors, B×C×h×w in [0, 1], ``truth``: B·M×C×H×W, ``time``: B×1×1×1; ``flow``: B×4×H×W, pixels from
    the time to frames 0 and 1; ``doubt``: B×1×H×W, how far (mean absolute difference) a picture made with ``flow`` is
    off, infinite where the flow is unknown.  ``flow`` and ``doubt`` are empty for networks that take no time.
    ``unreadable`` tells of files that were passed over on the way.
    """

    frames: tuple[Tensor, ...]
    truth: Tensor
    time: Tensor
    flow: Tensor
    doubt: Tensor
    unreadable: tuple[str, ...] = ()


@dataclass(frozen=True)
class Workshop:
    """Makes batches of drafts, on the device of ``scenes`` and ``teacher``."""

    spec: NetworkSpec
    scenes: dict[int, Scenes]
    teacher: Rife | None
    device: torch.device

    def __call__(self, drafts: Sequence[tuple[int, Draft]]) -> Batch:
        """Return the batch of (number of the source, draft)."""
        with torch.no_grad():
            samples = [self._sample(source, draft) for source, draft in drafts]
            frames, truth = torch.stack([s[0] for s in samples]), torch.stack([s[1] for s in samples])
            time = torch.tensor([s[2] for s in samples], device=self.device).view(-1, 1, 1, 1)
            batch = Batch(frames.unbind(1), truth.flatten(0, 1), time, torch.empty(0), torch.empty(0))
            if self.spec.takes_time:
                batch = self._taught(batch, [s[3] for s in samples])
            noise = [self._noise(draft.change, sample[0]) for (_, draft), sample in zip(drafts, samples, strict=True)]
            noisy = (frames + torch.stack(noise)).clamp(0, 1)
            unreadable = tuple(text for _, draft in drafts for text in draft.unreadable)
            return batch._replace(frames=tuple(f.contiguous() for f in noisy.unbind(1)), unreadable=unreadable)

    def _sample(self, source: int, draft: Draft) -> tuple[Tensor, Tensor, float, Tensor | None]:
        """Return the window (N×C×h×w), the truth (M×C×H×W), its time and, where it is known, the flow (4×H×W)."""
        count, change = len(self.spec.window.offsets), draft.change
        flow = None
        if draft.frames is not None:
            pictures = torch.from_numpy(draft.frames).to(self.device).permute(0, 3, 1, 2).float() / 255
        else:
            pictures, flow = self._scene(self.scenes[source].enlarged(draft.shrink), draft)
        if draft.shrink > 1:
            pictures = functional.avg_pool2d(pictures, draft.shrink)
            middle = slice(draft.shrink // 2, None, draft.shrink)
            flow = None if flow is None else flow[:, middle, middle] / draft.shrink
        if draft.still:
            pictures = pictures[count : count + 1].expand_as(pictures)
            flow = torch.zeros(4, *pictures.shape[2:], device=self.device)
        small = None
        if draft.small is not None:
            small = torch.from_numpy(draft.small).to(self.device).permute(0, 3, 1, 2).float() / 255
        pictures, flow, time = varied(pictures, flow, draft.time, count, change)
        window, truth = pictures[:count], pictures[count:]
        if small is not None:
            window = varied(small, None, draft.time, count, change)[0]
        elif self.spec.output.scale > 1:
            window = shrunk(window, self.spec.output.scale)
        if self.spec.window.channels == 1:
            window, truth = luma(window), luma(truth)
        return window, truth, time, flow

    def _scene(self, scenes: Scenes, draft: Draft) -> tuple[Tensor, Tensor | None]:
        pictures, top = scenes.render(draft.layers)
        if not self.spec.takes_time:
            return pictures, None
        ends = [scenes.flow(draft.layers, top[2], 2, other) for other in (0, 1)]
        return pictures, torch.cat(ends)

    def _taught(self, batch: Batch, flows: Sequence[Tensor | None]) -> Batch:
        """Fill in the flows that are known, and let the teacher give the others."""
        truth = batch.truth
        flow = torch.zeros(len(truth), 4, *truth.shape[2:], device=self.device)
        doubt = torch.full((len(truth), 1, *truth.shape[2:]), torch.inf, device=self.device)
        unknown = [index for index, known in enumerate(flows) if known is None]
        for index, known in enumerate(flows):
            if known is not None:
                flow[index], doubt[index] = known, 0.0
        if unknown and self.teacher is not None:
            frame0, frame1 = (frame[unknown] for frame in batch.frames)
            with torch.autocast(self.device.type, torch.bfloat16):
                estimate, warped0, warped1 = self.teacher.estimate(frame0, frame1, batch.time[unknown])
            visible0 = torch.sigmoid(estimate.mask)
            made = warped0 * visible0 + warped1 * (1 - visible0)
            flow[unknown], doubt[unknown] = estimate.flow, (made - truth[unknown]).abs().mean(1, keepdim=True)
        return batch._replace(flow=flow, doubt=doubt)

    def _noise(self, change: Change, window: Tensor) -> Tensor:
        generator = torch.Generator(self.device).manual_seed(change.seed)
        return torch.randn(window.shape, generator=generator, device=self.device) * change.noise


def varied(
    pictures: Tensor, flow: Tensor | None, time: float, count: int, change: Change
) -> tuple[Tensor, Tensor | None, float]:
    """Return pictures (a window of ``count`` and its truth, T×3×H×W), flow and time after the change."""
    for axis, mirrored in ((3, change.mirrored[0]), (2, change.mirrored[1])):
        if mirrored:
            pictures = pictures.flip(axis)
            if flow is not None:
                flow = flow.flip(axis - 1) * flow.new_tensor([-1, 1] * 2 if axis == 3 else [1, -1] * 2).view(4, 1, 1)
    if change.turned and pictures.shape[2] == pictures.shape[3]:
        pictures = pictures.transpose(2, 3)
        flow = None if flow is None else flow.transpose(1, 2)[[1, 0, 3, 2]]
    if change.reversed:
        pictures, time = torch.cat((pictures[:count].flip(0), pictures[count:].flip(0))), 1 - time
        flow = None if flow is None else flow[[2, 3, 0, 1]]
    pictures = pictures[:, list(change.channels)].clamp(min=1e-4) ** change.gamma * change.gain + change.offset
    return pictures.clamp(0, 1), flow, time


def shrunk(pictures: Tensor, scale: int) -> Tensor:
    """Return pictures ``scale`` times smaller by antialiased bicubic resampling, rounded to 8 bits."""
    size = [length // scale for length in pictures.shape[2:]]
    small = functional.interpolate(pictures, size, mode="bicubic", antialias=True, align_corners=False)
    return (small.clamp(0, 1) * 255).round() / 255


def luma(pictures: Tensor) -> Tensor:
    """Return the BT.601 luma (T×1×H×W) of RGB pictures."""
    return (pictures * pictures.new_tensor(LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)
