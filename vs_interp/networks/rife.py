"""RIFE: Huang et al. 2020, "Real-Time Intermediate Flow Estimation" (arXiv:2011.06294), in its common versions.

Layers and names are those of the published ``flownet.pkl`` of hzwer's Practical-RIFE (MIT): 4.0, 4.6, and 4.25, whose
layers 4.26 shares.  Networks in a file that are only for training are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vs_interp.errors import ArgumentError
from vs_interp.spec import NetworkSpec, Output, Window

from .base import Network
from .resizing import enlarged, shrunk
from .rife_blocks import Block, Block40, Change, Head
from .rife_versions import VERSIONS, Version, version_of
from .warp import Warp

ISLANDS = "*/warp/*", "*/add_change/*", "*/shrink/*", "GridSample", "/Add_*", "/Mul_*", "/Sub_*", "/Sigmoid_*"
"""Coordinates, sums of flows, and the blend with its mask, which has no scope of its own: worth 14 dB on still film."""


@dataclass(frozen=True, kw_only=True)
class RifeConfig:
    """Configuration of a RIFE network.

    version
        ``"4.0"``, ``"4.6"``, or ``"4.25"`` (also for 4.26).
    scale
        1 as published.  With 0.5 or 0.25 every block works on pictures that much smaller, for motion of hundreds of
        pixels, as in fast 2160p film.  The flow is then coarser, but not the picture.
    ensemble
        Also run each block on the reversed pair and average, which doubles the work.  Not for 4.25, which was published
        without it.
    """

    version: Version = "4.0"
    scale: float = 1.0
    ensemble: bool = False


class Estimate(NamedTuple):
    """The estimate for the requested time.

    flow
        The flow from the requested time to both frames in pixels (B×4×H×W: u and v to frame 0, u and v to frame 1).
    passed
        What the last block passed on, ``step`` times smaller than the frames: the mask and, in 4.25, features.
    """

    flow: Tensor
    passed: Tensor
    step: int

    @property
    def mask(self) -> Tensor:
        """The logit of frame 0's weight in the blend (B×1×H×W)."""
        return enlarged(self.passed[:, :1], self.step)


class _Sum(nn.Module):
    """Enlarge a change and add it; a module so that an FP16 engine can keep this in FP32 (its scope is an island)."""

    def forward(self, known: Tensor | None, change: Tensor, factor: int) -> Tensor:
        change = enlarged(change, factor)
        return change if known is None else known + change


class _Shrink(nn.Module):
    """Shrink what is known to a block's size; a module for the same reason."""

    def forward(self, known: Tensor, factor: int) -> Tensor:
        return shrunk(known, factor)


class Rife(Network):
    """RIFE: blocks refine the flows from the requested time to both frames, from coarse to fine.

    Frames are B×3×H×W RGB in [0, 1], H and W multiples of the spec's ``multiple_of``.  Raises :class:`ArgumentError`
    for a configuration that does not exist.
    """

    Config = RifeConfig

    def __init__(self, config: RifeConfig | None = None) -> None:
        super().__init__()
        config = config or RifeConfig()
        _check(config)
        self.config: RifeConfig = config
        layers = VERSIONS[config.version]
        first = 7 + 2 * layers.head
        later = first + 5 + layers.features
        for index, (width, published) in enumerate(zip(layers.widths, layers.scales, strict=True)):
            sizes = later if index else first, width, round(published / config.scale)
            block = Block40(*sizes) if config.version == "4.0" else Block(*sizes, layers.features)
            setattr(self, f"block{index}", block)
        if layers.head:
            self.encode = Head()
        self.warp = Warp(align_corners=True, padding="border", exact=True)
        self.add_change, self.shrink = _Sum(), _Shrink()

    @property
    def blocks(self) -> tuple[Block | Block40, ...]:
        """The blocks, from coarse to fine."""
        return tuple(getattr(self, f"block{index}") for index in range(len(VERSIONS[self.config.version].widths)))

    @property
    def spec(self) -> NetworkSpec:
        """Two frames in, a frame at any time between them out; the features of 4.25's head are the state."""
        layers = VERSIONS[self.config.version]
        sizes = 4 * round(layers.scales[0] / self.config.scale)
        return NetworkSpec(
            name="rife",
            window=Window(offsets=(0, 1)),
            output=Output(times=None),
            multiple_of=sizes,
            minimum=sizes,
            state=("head0", "head1") if layers.head else (),
            fp32_islands=(*ISLANDS, *(f"/block{number}/*" for number in range(layers.exact))),
        )

    @classmethod
    def from_published(cls, tensors: Mapping[str, Tensor]) -> tuple[RifeConfig, dict[str, Tensor]] | None:
        """Read the layout of ``flownet.pkl``, with or without ``module.`` before each name.

        Raises :class:`CheckpointError` for a RIFE of another version.
        """
        named = {name.removeprefix("module."): tensor for name, tensor in tensors.items()}
        version = version_of(named)
        if version is None:
            return None
        kept = (*(f"block{index}." for index in range(len(VERSIONS[version].widths))), "encode.")
        return RifeConfig(version=version), {name: value for name, value in named.items() if name.startswith(kept)}

    def state(self, *frames: Tensor) -> tuple[Tensor, ...]:
        """Return the head's features of both frames, if the version has a head."""
        return tuple(self.encode(frame) for frame in frames) if VERSIONS[self.config.version].head else ()

    def estimate(
        self, frame0: Tensor, frame1: Tensor, time: Tensor, state: tuple[Tensor, ...] | None = None
    ) -> tuple[Estimate, Tensor, Tensor]:
        """Return flows and mask at ``time`` (B×1×1×1), and both frames warped to it.

        ``state`` is the result of :meth:`state` for the frames, computed if not given.
        """
        state = self.state(frame0, frame1) if state is None else state
        first, second = frame0, frame1
        if state:
            first, second = torch.cat((frame0, state[0]), 1), torch.cat((frame1, state[1]), 1)
        estimate = self._refined(first, second, time)
        return estimate, self.warp(frame0, estimate.flow[:, :2]), self.warp(frame1, estimate.flow[:, 2:])

    def _refined(self, first: Tensor, second: Tensor, time: Tensor) -> Estimate:
        """Run all blocks on a pair of frames, each followed by the channels of its head's features.

        The published code enlarges whatever a block makes to the size of the frames, and shrinks it again for the next.
        Here features go from block to block directly, and warps sample only the pixels that shrinking reads: the same
        up to rounding, in three quarters of the time.
        """
        coarsest, *finer = self.blocks
        pair = shrunk(first, coarsest.scale), shrunk(second, coarsest.scale)
        estimate = self._added(None, self._seen(coarsest, pair, time, None), coarsest.step)
        for block in finer:
            towards0, towards1 = estimate.flow[:, :2], estimate.flow[:, 2:]
            pair = self.warp(first, towards0, block.scale), self.warp(second, towards1, block.scale)
            change = self._seen(block, pair, time, self._at_scale(estimate, block.scale))
            estimate = self._added(estimate, change, block.step)
        return estimate

    def _at_scale(self, estimate: Estimate, scale: int) -> Change:
        """Return the estimate for a block whose pictures are ``scale`` times smaller than the frames."""
        flow, passed, step = estimate
        direct = enlarged(passed, step // scale) if step > scale else self.shrink(passed, scale // step)
        return Change(self.shrink(flow, scale) / scale, direct)

    def _added(self, estimate: Estimate | None, change: Change, step: int) -> Estimate:
        """Return the estimate with the change of a block, whose pictures are ``step`` times smaller than the frames."""
        flow, passed, _ = estimate or (None, None, 1)
        flow = self.add_change(flow, change.flow, step)
        if VERSIONS[self.config.version].features:
            return Estimate(flow, change.passed, step)
        return Estimate(flow, self.add_change(passed, change.passed, step), 1)

    def _seen(self, block: Block | Block40, pair: tuple[Tensor, Tensor], time: Tensor, known: Change | None) -> Change:
        """Run a block on a pair; with ``ensemble``, return the mean with its result for the reversed pair."""
        seen = _look(block, pair, time, known)
        if not self.config.ensemble:
            return seen
        back = _turned(_look(block, pair[::-1], 1 - time, None if known is None else _turned(known)))
        return Change((seen.flow + back.flow) / 2, (seen.passed + back.passed) / 2)

    def made(self, frames: tuple[Tensor, ...], state: tuple[Tensor, ...], time: Tensor | None) -> Tensor:
        """Return the B×3×H×W frame at ``time`` (B×1×1×1, strictly between 0 and 1)."""
        assert time is not None
        frame0, frame1 = frames
        estimate, warped0, warped1 = self.estimate(frame0, frame1, time, state)
        visible0 = torch.sigmoid(estimate.mask)
        return warped0 * visible0 + warped1 * (1 - visible0)


def _look(block: Block | Block40, pair: tuple[Tensor, ...], time: Tensor, known: Change | None) -> Change:
    """Run a block on both frames, the features of both heads, the time, and the estimate so far."""
    frames, heads = [each[:, :3] for each in pair], [each[:, 3:] for each in pair if each.shape[1] > 3]
    before = () if known is None else (known.passed, known.flow)
    times = time.expand(-1, 1, *pair[0].shape[2:])
    made: Change = block(torch.cat((*frames, *heads, times, *before), 1))
    return made


def _turned(known: Change) -> Change:
    """Return what is known, or changed, of the reversed pair."""
    return Change(torch.cat((known.flow[:, 2:], known.flow[:, :2]), 1), -known.passed)


def _check(config: RifeConfig) -> None:
    if config.version not in VERSIONS:
        raise ArgumentError(f"version is {config.version!r}: known versions of RIFE are {', '.join(VERSIONS)}")
    if config.scale not in (1, 0.5, 0.25):
        raise ArgumentError(f"scale is {config.scale!r}: it must be 1, 0.5 or 0.25")
    if config.ensemble and config.version == "4.25":
        raise ArgumentError("ensemble is for RIFE 4.0 and 4.6: 4.25 was published without it")
