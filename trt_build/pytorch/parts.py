"""A PyTorch network as the modules that become an engine's plans, with planes in and out, in half precision."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from trt_build.profile import Profile
from vs_interp.networks.base import Network

_CONVOLUTIONS = {
    functional.conv2d,
    functional.conv3d,
    functional.conv_transpose2d,
    functional.conv_transpose3d,
}


@dataclass(frozen=True)
class Part:
    """A module that becomes one plan, with example arguments and the names of the plan's inputs and outputs."""

    module: nn.Module
    arguments: tuple[Tensor, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def engine_parts(network: Network, profile: Profile) -> dict[str, Part]:
    """Return the parts of one size: ``"state"``, if the network has one, and ``"synthesis"``.

    Planes are 1×1×height×width in float32, RGB or luma in [0, 1], with the names of
    :func:`trt_build.graphs.colour.planes.with_planes`.  The parts pad them to a size that the network takes.
    """
    spec = network.spec
    network = copy.deepcopy(network).eval()
    half = HalfConvolutions(network)
    names = tuple(f"{frame}_plane{plane}" for frame in spec.frame_inputs for plane in range(spec.window.channels))
    planes = tuple(torch.rand(1, 1, profile.height, profile.width) for _ in names)
    time = (torch.full((1, 1, 1, 1), 0.5),) if spec.takes_time else ()
    timed = ("time",) if spec.takes_time else ()
    made = tuple(f"output_plane{plane}" for plane in range(spec.output.channels))
    parts: dict[str, Part] = {}
    state: tuple[Tensor, ...] = ()
    if spec.state:
        module = _State(network, half, profile)
        parts["state"] = Part(module, planes, names, spec.state)
        shapes = copy.deepcopy(module).to("meta")(*(plane.to("meta") for plane in planes))
        state = tuple(torch.rand(each.shape) for each in shapes)
    synthesis = _Synthesis(network, half, profile)
    parts["synthesis"] = Part(synthesis, (*planes, *time, *state), (*names, *timed, *spec.state), made)
    return parts


class HalfConvolutions(TorchFunctionMode):
    """Context in which a network's convolutions run in FP16, except on its spec's FP32 islands.

    Everything else (coordinates, sums of flows, means, activations) stays float32.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self._islands = 0
        for path, module in network.named_modules():
            scope = f"/{path.replace('.', '/')}/"
            if any(fnmatchcase(scope, pattern) for pattern in network.spec.fp32_islands):
                module.register_forward_pre_hook(lambda *_: self._count(1))
                module.register_forward_hook(lambda *_: self._count(-1))

    def _count(self, step: int) -> None:
        self._islands += step

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func not in _CONVOLUTIONS or self._islands:
            return func(*args, **(kwargs or {}))
        halves = {name: _halved(value) for name, value in (kwargs or {}).items()}
        return func(*map(_halved, args), **halves).float()


def _halved(value: Any) -> Any:
    return value.half() if isinstance(value, Tensor) else value


class _Planar(nn.Module):
    """Base of both parts: turns planes into frames, clamped and padded as the network needs."""

    def __init__(self, network: Network, half: HalfConvolutions, profile: Profile) -> None:
        super().__init__()
        self.network, self.spec, self.half_convolutions = network, network.spec, half
        self.height, self.width = profile.height, profile.width
        self.padding = 0, self.spec.padded(self.width) - self.width, 0, self.spec.padded(self.height) - self.height

    def frames(self, planes: Sequence[Tensor]) -> tuple[Tensor, ...]:
        channels = self.spec.window.channels
        pictures = [torch.cat(list(planes[first : first + channels]), 1) for first in range(0, len(planes), channels)]
        if self.spec.input_range == "clamped":
            pictures = [picture.clamp(0, 1) for picture in pictures]
        return tuple(functional.pad(p, self.padding, "replicate") if any(self.padding) else p for p in pictures)


class _State(_Planar):
    def forward(self, *planes: Tensor) -> tuple[Tensor, ...]:
        with self.half_convolutions:
            return tuple(self.network.state(*self.frames(planes)))


class _Synthesis(_Planar):
    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        count = len(self.spec.window.offsets) * self.spec.window.channels
        planes, rest = inputs[:count], inputs[count:]
        time, state = (rest[0], rest[1:]) if self.spec.takes_time else (None, rest)
        scale = self.spec.output.scale
        with self.half_convolutions:
            made = self.network.made(self.frames(planes), state, time)
        return made[..., : self.height * scale, : self.width * scale].tensor_split(self.spec.output.channels, 1)
