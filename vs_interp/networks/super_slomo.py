"""Super-SloMo: Jiang et al. 2018, "High Quality Estimation of Multiple Intermediate Frames" (arXiv:1712.00080)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from vs_interp.errors import ArgumentError
from vs_interp.spec import NetworkSpec, Output, Window

from .base import Network
from .in_place import InPlace
from .unet import UNet
from .warp import Padding, Sampling, Warp

PUBLISHED_MEAN = (0.429, 0.431, 0.397)


@dataclass(frozen=True, kw_only=True)
class SuperSloMoConfig:
    """Configuration of a Super-SloMo network.  The defaults are the published network.

    width
        Channels of the first convolution; 32 is the paper's, the other layers scale with it.
    skip
        Where the skip connection enters an ``up`` block: ``"late"``, before its second convolution (published), or
        ``"early"``, before its first (the Thomasedv variant).
    first_kernel
        Side of the first convolution's kernel: 7 (published) or 9 (the variant).
    align_corners, padding, exact_warp
        How pictures are warped, see :class:`~vs_interp.networks.warp.Warp`.
    mean
        Subtracted from RGB in [0, 1] at the beginning, and added again at the end.
    flow_gain
        Factor on the outputs of the flow networks: with a gain of 8, small weights suffice for large motion.
    flow_scales
        The steps of the flow network, and how many times smaller its pictures are in each.  The first step gives the
        flow, each further one a residual between a frame and the other frame warped by the flow so far (iterative
        residual refinement, Hur and Roth 2019, arXiv:1904.05290).  The published network has one step at full size;
        ``(4, 2)`` takes half the work and covers motion four times as large.
    synthesis_scale
        1 as published, or 2: the synthesis network then works at half size on 2×2 pixels as channels, twice as wide and
        one level shallower, with the same work and receptive field.  2 needs an even width.
    sampling
        How the two frames to blend are interpolated between their pixels.
    in_place
        Whether to use :class:`~vs_interp.networks.in_place.InPlace`.
    linear_output
        Whether to leave out the LeakyReLU after the last convolution, which the published network has.
    """

    width: int = 32
    skip: Literal["late", "early"] = "late"
    first_kernel: int = 7
    align_corners: bool = True
    padding: Padding = "zeros"
    exact_warp: bool = False
    mean: tuple[float, float, float] = PUBLISHED_MEAN
    flow_gain: float = 1.0
    linear_output: bool = False
    flow_scales: tuple[int, ...] = (1,)
    synthesis_scale: int = 1
    sampling: Sampling = "bilinear"
    in_place: bool = False


def _smaller(picture: Tensor, times: int) -> Tensor:
    return picture if times == 1 else functional.avg_pool2d(picture, times)


def _larger(flow: Tensor, times: int) -> Tensor:
    """Enlarge a flow field, and scale its vectors accordingly."""
    if times == 1:
        return flow
    return functional.interpolate(flow * times, scale_factor=float(times), mode="bilinear", align_corners=False)


class _Residual(nn.Module):
    """Add a flow residual; a module so that an FP16 engine can keep the sum in FP32 (its scope is an island)."""

    def forward(self, flow: Tensor, residual: Tensor) -> Tensor:
        return flow.float() + residual.float()


class Known(NamedTuple):
    """What does not depend on the time: the flows F01 and F10 (B×2×H×W, pixels), and ``features``.

    These are the output of the synthesis network's first convolution for ten of its twenty inputs, the frames and these
    flows.  It saves half of a layer that is a quarter of a narrow network's work.
    """

    flow01: Tensor
    flow10: Tensor
    features: Tensor


class Synthesis(NamedTuple):
    """The interpolated frame (B×3×H×W) and intermediate results: flows in pixels, pictures in [0, 1].

    ``guess_t0`` and ``guess_t1`` are the flows combined from F01 and F10, ``flow_t0`` and ``flow_t1`` the refined ones;
    ``guessed0``, … and ``warped0``, … are the frames warped by them.
    """

    frame: Tensor
    guess_t0: Tensor
    guess_t1: Tensor
    flow_t0: Tensor
    flow_t1: Tensor
    guessed0: Tensor
    guessed1: Tensor
    warped0: Tensor
    warped1: Tensor


class SuperSloMo(Network):
    """Super-SloMo: the flow between two frames, then the frame at any time between them.

    Frames are B×3×H×W RGB in [0, 1], H and W multiples of ``multiple_of``.
    """

    Config = SuperSloMoConfig

    def __init__(self, config: SuperSloMoConfig | None = None) -> None:
        super().__init__()
        config = config or SuperSloMoConfig()
        scales = config.flow_scales
        if not scales or min(scales) < 1 or any(coarse % fine for coarse, fine in pairwise(scales)):
            raise ArgumentError(
                f"flow_scales={list(scales)}: give sizes each of which divides the one before, as [4, 2]"
            )
        self.config: SuperSloMoConfig = config
        options: Any = {name: getattr(config, name) for name in ("width", "skip", "first_kernel", "linear_output")}
        self.flow_network = UNet(6, 4, **options)
        if config.synthesis_scale not in (1, 2):
            raise ArgumentError(f"synthesis_scale={config.synthesis_scale}: give 1 or 2")
        if config.synthesis_scale == 2 and config.width % 2:
            raise ArgumentError(f"width={config.width} with synthesis_scale=2: give an even width")
        if config.synthesis_scale == 2:
            options |= {"width": 2 * config.width, "first_kernel": 5, "levels": 4}
        area = config.synthesis_scale**2
        self.synthesis_network = UNet(20 * area, 5 * area, **options)
        self.warp = Warp(config.align_corners, config.padding, config.exact_warp)
        self.last_warp = Warp(config.align_corners, config.padding, config.exact_warp, config.sampling)
        self.add_residual = _Residual()
        self.in_place = InPlace() if config.in_place else None
        self.register_buffer("mean", torch.tensor(config.mean).view(1, 3, 1, 1), persistent=False)
        self.mean: Tensor

    @property
    def spec(self) -> NetworkSpec:
        """Two frames in, a frame at any time between them out; flows and features are the state."""
        return NetworkSpec(
            name="super-slomo",
            window=Window(offsets=(0, 1)),
            output=Output(times=None),
            multiple_of=32 * max(self.config.flow_scales),
            minimum=32 * max(self.config.flow_scales),
            state=("flow01", "flow10", "features"),
            fp32_islands=("*/warp/*", "*/last_warp/*", "*/add_residual/*", "GridSample"),
        )

    @classmethod
    def from_published(cls, tensors: Mapping[str, Tensor]) -> tuple[SuperSloMoConfig, dict[str, Tensor]] | None:
        """Read the layout of ``SuperSloMo.ckpt`` (``state_dictFC``, ``state_dictAT``); the shapes tell the variant."""
        prefixes = {"state_dictFC.": "flow_network.", "state_dictAT.": "synthesis_network."}
        state = {
            new + name.removeprefix(old): tensor
            for name, tensor in tensors.items()
            for old, new in prefixes.items()
            if name.startswith(old)
        }
        first, up = state.get("flow_network.conv1.weight"), state.get("flow_network.up1.conv1.weight")
        if first is None or up is None:
            return None
        early = up.shape[1] > up.shape[0]
        config = SuperSloMoConfig(
            width=first.shape[0],
            first_kernel=first.shape[2],
            skip="early" if early else "late",
            align_corners=not early,
            mean=(0.5, 0.5, 0.5) if early else PUBLISHED_MEAN,
        )
        return config, state

    def flow(self, frame0: Tensor, frame1: Tensor) -> tuple[Tensor, Tensor]:
        """Return the flows F01 and F10 (B×2×H×W, pixels); they do not depend on the time."""
        first, second = frame0 - self.mean, frame1 - self.mean
        scale, *finer = self.config.flow_scales
        flow = self._flow(_smaller(first, scale), _smaller(second, scale))
        for next_scale in finer:
            flow, scale = _larger(flow, scale // next_scale), next_scale
            near, far = _smaller(first, scale), _smaller(second, scale)
            ahead = self._flow(near, self.warp(far, flow[:, :2]))[:, :2]
            back = self._flow(self.warp(near, flow[:, 2:]), far)[:, 2:]
            flow = self.add_residual(flow, torch.cat((ahead, back), 1))
        flow = _larger(flow, scale)
        return flow[:, :2], flow[:, 2:]

    def _flow(self, first: Tensor, second: Tensor) -> Tensor:
        """Return both flows between two pictures (B×4×H×W), in their own pixels."""
        flow: Tensor = self.flow_network(torch.cat((first, second), 1)).float()
        return flow * self.config.flow_gain

    def known(self, frame0: Tensor, frame1: Tensor) -> Known:
        """Return what does not depend on the time."""
        flow01, flow10 = self.flow(frame0, frame1)
        still = self._packed(torch.cat((frame0 - self.mean, frame1 - self.mean, flow01, flow10), 1))
        layer = self.synthesis_network.conv1
        features = functional.conv2d(still, layer.weight[:, : still.shape[1]], padding=layer.padding)
        return Known(flow01, flow10, features)

    def _packed(self, pictures: Tensor) -> Tensor:
        """Return pictures at the scale of the synthesis network, with 2×2 pixels as channels if that is 2."""
        scale = self.config.synthesis_scale
        return pictures if scale == 1 else functional.pixel_unshuffle(pictures, scale)

    def synthesise(self, frame0: Tensor, frame1: Tensor, known: Known, time: Tensor) -> Synthesis:
        """Return the frame at ``time`` (B×1×1×1 in (0, 1)), and the intermediate results that losses use."""
        flow01, flow10, features = known
        first, second = frame0 - self.mean, frame1 - self.mean
        guess_t0 = (time - 1) * time * flow01 + time * time * flow10
        guess_t1 = (1 - time) * (1 - time) * flow01 + (time - 1) * time * flow10
        guessed0, guessed1 = self.warp(first, guess_t0), self.warp(second, guess_t1)
        moving = self._packed(torch.cat((guess_t1, guess_t0, guessed1, guessed0), 1))
        layer = self.synthesis_network.conv1
        moved = functional.conv2d(moving, layer.weight[:, -moving.shape[1] :], layer.bias, padding=layer.padding)
        refined = self.synthesis_network.after(features + moved)
        if self.config.synthesis_scale > 1:
            refined = functional.pixel_shuffle(refined, self.config.synthesis_scale)
        gain = self.config.flow_gain
        flow_t0 = self.add_residual(guess_t0, refined[:, 0:2] * gain)
        flow_t1 = self.add_residual(guess_t1, refined[:, 2:4] * gain)
        visible0 = torch.sigmoid(refined[:, 4:5].float())
        warped0, warped1 = self.last_warp(first, flow_t0), self.last_warp(second, flow_t1)
        weight0, weight1 = (1 - time) * visible0, time * (1 - visible0)
        frame = (weight0 * warped0 + weight1 * warped1) / (weight0 + weight1)
        if self.in_place is not None:
            frame = self.in_place(frame, (first, second), (warped0, warped1), time)
        return Synthesis(
            frame + self.mean, guess_t0, guess_t1, flow_t0, flow_t1,
            guessed0 + self.mean, guessed1 + self.mean, warped0 + self.mean, warped1 + self.mean,
        )  # fmt: skip

    def state(self, *frames: Tensor) -> tuple[Tensor, ...]:
        """Return F01, F10 and the features of :class:`Known`, rearranged to the frames' size."""
        frame0, frame1 = frames
        known = self.known(frame0, frame1)
        scale = self.config.synthesis_scale
        return known if scale == 1 else known._replace(features=functional.pixel_shuffle(known.features, scale))

    def made(self, frames: tuple[Tensor, ...], state: tuple[Tensor, ...], time: Tensor | None) -> Tensor:
        """Return the B×3×H×W frame at ``time`` (B×1×1×1, strictly between 0 and 1)."""
        assert time is not None
        frame0, frame1 = frames
        flow01, flow10, features = state
        return self.synthesise(frame0, frame1, Known(flow01, flow10, self._packed(features)), time).frame
