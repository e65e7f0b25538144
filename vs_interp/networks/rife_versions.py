"""The published versions of RIFE: their layers, and how to recognise them in a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from vs_interp.errors import CheckpointError

Version = Literal["4.0", "4.6", "4.25"]


@dataclass(frozen=True)
class Layers:
    """The layers of a version.

    widths, scales
        Channels of each block, from coarse to fine, and how many times smaller than the frames its pictures are.
    head, features
        Channels of the head's features, and of those that a block passes on; 0 if the version has none.
    exact
        How many of the coarse blocks stay FP32 in engines, since in FP16 grain changes their flow.  PSNR on strong
        grain is then 54 dB or more for 4.6 (49 without, at 2160p), and 57 dB or more for 4.25 (52.5).
    """

    widths: tuple[int, ...]
    scales: tuple[int, ...] = (8, 4, 2, 1)
    head: int = 0
    features: int = 0
    exact: int = 0


VERSIONS: Mapping[Version, Layers] = {
    "4.0": Layers((192, 128, 96, 64)),
    "4.6": Layers((192, 128, 96, 64), exact=2),
    "4.25": Layers((192, 128, 96, 64, 32), (16, 8, 4, 2, 1), head=4, features=8, exact=1),
}

_KNOWN = (
    "known are 4.0, 4.6 and 4.25 (the layers of 4.26 are the same); `vs-interp weights get rife-4.25` gets the last"
)

_OTHERS = {
    ((192, 128, 96, 64), 0, 20): "4.5",
    ((192, 128, 96, 64), 4, 24): "4.7 to 4.9",
    ((192, 128, 96, 64), 8, 24): "4.10 to 4.19, 4.23 or 4.24",
    ((384, 192, 96, 48), 8, 24): "4.20",
    ((256, 192, 96, 48), 8, 52): "4.21 or 4.22",
    ((384, 256, 192, 128, 64), 4, 52): "4.25 or 4.26 heavy",
}
"""Widths, channels of the head and outputs of a block → version, from the layers in HolyWu's vs-rife."""


def version_of(tensors: Mapping[str, Tensor]) -> Version | None:
    """Return the version of a published file, or ``None`` if it is not RIFE 4.

    Raises :class:`CheckpointError` for a version that is not supported.
    """
    widths: list[int] = []
    while (convolution := tensors.get(f"block{len(widths)}.conv0.1.0.weight")) is not None:
        widths.append(convolution.shape[0])
    if not widths:
        return None
    if "block0.lastconv.weight" in tensors:
        if "block0.conv0.0.1.weight" in tensors:  # PReLU, which 4.1 to 4.4 lack
            return "4.0"
        raise CheckpointError(f"looks like RIFE 4.1 to 4.4: {_KNOWN}")
    last = tensors.get("block0.lastconv.0.weight")
    if last is None:
        raise CheckpointError(f"holds blocks of RIFE without their last layer: {_KNOWN}")
    found = tuple(widths), _head(tensors), last.shape[1]
    for version, layers in VERSIONS.items():
        outputs = 4 * (5 + layers.features) if layers.features else 24
        if version != "4.0" and found == (layers.widths, layers.head, outputs):
            return version
    name = _OTHERS.get(found, "of an unknown version")
    raise CheckpointError(f"looks like RIFE {name} (blocks of {', '.join(map(str, widths))} channels): {_KNOWN}")


def _head(tensors: Mapping[str, Tensor]) -> int:
    """Return the channels of the head's features; 0 without a head."""
    for name in ("encode.cnn3.weight", "encode.6.weight", "encode.1.weight"):
        if name in tensors:
            return tensors[name].shape[1]
    return 0
