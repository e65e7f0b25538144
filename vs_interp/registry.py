"""The networks by name.  A network's module is imported only when it is asked for, since it imports PyTorch."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from .errors import ArgumentError

if TYPE_CHECKING:
    from vs_interp.networks.base import Network

NETWORKS = {
    "super-slomo": "super_slomo:SuperSloMo",
    "rife": "rife:Rife",
    "flavr": "flavr:Flavr",
    "fsrcnn": "fsrcnn:Fsrcnn",
    "compact": "compact:Compact",
    "span": "span:Span",
    "upcunet": "upcunet:UpCunet",
    "upconv7": "upconv7:UpConv7",
    "anime4k": "anime4k:Anime4k",
    "single-frame": "refine:SingleFrame",
    "delta": "refine:Delta",
    "five-parallel": "refine:FiveParallel",
    "guided-five-parallel": "guided:GuidedFiveParallel",
    "fsrcnn+single-frame": "refine:FsrcnnSingleFrame",
    "fsrcnn+delta": "refine:FsrcnnDelta",
    "fsrcnn+five-parallel": "refine:FsrcnnFiveParallel",
    "fsrcnn+guided-five-parallel": "guided:FsrcnnGuidedFiveParallel",
    "raft": "raft:Raft",
    "perceiver-flow": "perceiver_flow:PerceiverFlow",
    "simvp": "simvp:Simvp",
    "nowcast": "nowcast:Nowcast",
    "unet49": "unet49:Unet49",
    "slot-attention": "slot_attention:ObjectDiscovery",
}
"""Name → ``module:Class`` in ``vs_interp.networks``."""


def network_class(name: str) -> type[Network]:
    """Return the class of the network called ``name``.  Raises :class:`ArgumentError` if there is none."""
    if name not in NETWORKS:
        raise ArgumentError(f"no network is called {name!r}: known are {', '.join(sorted(NETWORKS))}")
    module, _, attribute = NETWORKS[name].partition(":")
    found: type[Network] = getattr(importlib.import_module(f".networks.{module}", __package__), attribute)
    return found
