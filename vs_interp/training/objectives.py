"""The objective of a training: the weighted sum of a recipe's losses for one batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor, nn

from vs_interp.errors import ArgumentError
from vs_interp.networks.base import Network
from vs_interp.networks.raft import Raft
from vs_interp.networks.super_slomo import SuperSloMo
from vs_interp.training.scenes.samples import Batch

from .losses import CLASS_LOSSES, PICTURE_LOSSES, charbonnier, flow_distance, sequence, smoothness
from .recipe import Recipe
from .suitable import FLOW_LOSSES, check_suitable

BETTER = 0.002
"""The teacher's flow is followed where its picture is closer to the truth, or less than this further from it."""


class Outcome(NamedTuple):
    """The result of one batch: the made pictures, the losses by name, their weighted sum, and a flow to show."""

    made: Tensor
    losses: dict[str, Tensor]
    total: Tensor
    flow: Tensor | None

    def detached(self) -> Outcome:
        """Return the same values detached from the graph of gradients."""
        losses = {name: value.detach() for name, value in self.losses.items()}
        flow = None if self.flow is None else self.flow.detach()
        return Outcome(self.made.detach(), losses, self.total.detach(), flow)


class Objective(nn.Module):
    """A network and its losses: takes a batch, and returns an :class:`Outcome`.

    It is a module so that data-parallel training can wrap both.  Raises :class:`ArgumentError` for a recipe that the
    network cannot learn from.
    """

    def __init__(self, network: Network, recipe: Recipe) -> None:
        super().__init__()
        self.network, self.weights, self.margin = network, recipe.losses, recipe.data.margin
        check_suitable(network, recipe)
        self.picture_losses: dict[str, Callable[[Tensor, Tensor], Tensor]] = dict(
            CLASS_LOSSES if network.spec.output.kind == "labels" else PICTURE_LOSSES
        )
        if "perceptual" in self.weights:
            from .perceptual import Perceptual

            if recipe.perceptual is None:
                raise ArgumentError("the loss perceptual needs VGG16's weights: give perceptual = FILE in the recipe")
            self.picture_losses["perceptual"] = Perceptual(recipe.perceptual)

    def forward(self, batch: Batch) -> Outcome:
        """Run the network on a batch and compute the losses."""
        if isinstance(self.network, Raft):
            return self._refined(self.network, batch)
        if isinstance(self.network, SuperSloMo):
            made, losses, flow = self._interpolated(self.network, batch)
            pictures, truth = made, batch.truth
        else:
            inputs = (*batch.frames, batch.time) if self.network.spec.takes_time else batch.frames
            made, truth, pictures = self.network.compared(inputs, batch.truth)
            losses, flow = {}, None
        inner = (..., slice(self.margin, -self.margin or None), slice(self.margin, -self.margin or None))
        for name in (name for name in self.weights if name not in FLOW_LOSSES):  # in order, as rounding depends on it
            losses[name] = self.picture_losses[name](made[inner], truth[inner])
        total = sum((weight * losses[name] for name, weight in self.weights.items()), start=made.new_zeros(()))
        return Outcome(pictures, losses, total, flow)

    def _refined(self, network: Raft, batch: Batch) -> Outcome:
        """Run RAFT, and compute the loss of all its updates."""
        flows = [flow for _, flow in network.refined(*batch.frames)]
        losses = {"sequence": sequence(flows, batch.flow[:, 2:])}
        made = flows[-1].flatten(0, 1)[:, None]
        return Outcome(made, losses, self.weights["sequence"] * losses["sequence"], flows[-1])

    def _interpolated(self, network: SuperSloMo, batch: Batch) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        """Run Super-SloMo step by step, and compute the losses of its flows and warped frames."""
        frame0, frame1 = batch.frames
        known = network.known(frame0, frame1)
        made = network.synthesise(frame0, frame1, known, batch.time)
        losses: dict[str, Tensor] = {}
        if "warp" in self.weights:
            warped = (made.guessed0, made.guessed1, made.warped0, made.warped1)
            losses["warp"] = sum((charbonnier(w, batch.truth) for w in warped), start=made.frame.new_zeros(()))
        if "smoothness" in self.weights:
            losses["smoothness"] = smoothness(known.flow01) + smoothness(known.flow10)
        if "teacher" in self.weights:
            off = (made.frame.detach() - batch.truth).abs().mean(1, keepdim=True)
            followed = (off > batch.doubt - BETTER).float()
            sides = ((made.guess_t0, 0), (made.guess_t1, 2), (made.flow_t0, 0), (made.flow_t1, 2))
            distances = [flow_distance(flow, batch.flow[:, at : at + 2], followed) for flow, at in sides]
            losses["teacher"] = sum(distances, start=made.frame.new_zeros(()))
        return made.frame, losses, made.flow_t0
