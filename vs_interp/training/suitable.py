"""What a network can be trained with: the losses, augmentation and data of a recipe that make sense for it."""

from __future__ import annotations

from vs_interp.errors import ArgumentError
from vs_interp.networks.base import Network
from vs_interp.networks.raft import Raft
from vs_interp.networks.slot_attention import ObjectDiscovery
from vs_interp.networks.super_slomo import SuperSloMo

from .losses import CLASS_LOSSES, PICTURE_LOSSES, SMALLEST
from .recipe import Recipe

FLOW_LOSSES = ("warp", "smoothness", "teacher")
"""Losses of Super-SloMo's inner flows and warped frames: arXiv:1712.00080, section 3.3, and distillation."""

SEQUENCE = "sequence"
"""The loss of RAFT, over all its updates."""

UNCHANGED = {"colours": False, "gamma": 0.0, "gain": 1.0, "offset": 0.0}
"""The augmentation that leaves labels, and the colours that they stand for, as they are."""


def check_suitable(network: Network, recipe: Recipe) -> None:
    """Raise :class:`ArgumentError` if a network cannot learn from a recipe, or would learn something wrong."""
    spec, kind = network.spec, network.spec.output.kind
    if isinstance(network, ObjectDiscovery) and network.config.output != "picture":
        raise ArgumentError(
            "slot attention learns by reconstructing its frame: train it with network.output = 'picture', and choose "
            "another output for the model file (vs-interp export --set output=labels)"
        )
    if kind == "flow" and not isinstance(network, Raft):
        raise ArgumentError(f"{spec.name} cannot be trained: of the networks that make flow, only raft can")
    _check_losses(network, recipe)
    if kind == "flow" and recipe.validation is not None:
        raise ArgumentError(f"omit [validation] for {spec.name}: the true flow of film is unknown")
    if recipe.data.variation.reverse and (kind == "flow" or spec.foresees):
        raise ArgumentError(f"{spec.name} learns one direction of time: set reverse = false in [data.variation]")
    if kind == "labels":
        _check_labels(network, recipe)


def _check_losses(network: Network, recipe: Recipe) -> None:
    """Raise :class:`ArgumentError` for a loss that does not apply to the network, or needs larger pictures."""
    output = network.spec.output
    allowed = [*PICTURE_LOSSES, "perceptual", *(FLOW_LOSSES if isinstance(network, SuperSloMo) else ())]
    if output.kind != "frame":
        allowed = [*CLASS_LOSSES] if output.kind == "labels" else [SEQUENCE]
    side = min(output.crop[2:] if output.crop else recipe.data.crop) - 2 * recipe.data.margin
    for name in recipe.losses:
        if name not in allowed:
            raise ArgumentError(f"{network.spec.name} cannot have the loss {name!r}: choose {', '.join(allowed)}")
        if side < SMALLEST.get(name, 1):
            raise ArgumentError(
                f"the loss {name} compares pictures of at least {SMALLEST[name]} pixels, and the crop without margins "
                f"leaves {side}: make the crop larger"
            )


def _check_labels(network: Network, recipe: Recipe) -> None:
    """Raise :class:`ArgumentError` for data whose labels would not be classes any more."""
    unchanged = UNCHANGED | ({"noise": 0.0} if network.spec.window.labels else {})
    by = recipe.data.variation
    wrong = [f"{name} = {str(value).lower()}" for name, value in unchanged.items() if getattr(by, name) != value]
    if wrong:
        raise ArgumentError(
            f"augmentation would change what the labels of {network.spec.name} mean: set {', '.join(wrong)} in "
            "[data.variation]"
        )
    for source in recipe.data.source:
        if source.footage is None:
            raise ArgumentError(f"scenes of photos and sprites have no labels for {network.spec.name}: give footage")
        if source.still or any(share for factor, share in source.shrinks.items() if factor > 1):
            raise ArgumentError(f"{source.footage} has labels, which cannot be shrunk or still: omit shrinks and still")
