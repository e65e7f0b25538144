"""The key of an engine: everything that makes it what it is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from trt_build.profile import PlaneFormat, Profile

GRAPH_VERSION = 5
"""To be raised with every change to the FP16 pass, the colour graph or the split that changes what they write.

tests/trt_build/engines/test_graph_version.py says when.
"""

ANY = "any"
"""Device and driver of engines that fit all GPUs of a compute capability."""


@dataclass(frozen=True, kw_only=True)
class EngineKey:
    """Everything that an engine's bytes depend on.

    model, network
        What :attr:`ModelFile.identity` says, and the name in its spec.
    profile, options
        What the engine is made for, and :meth:`BuildOptions.identity`.
    runtime, version
        What built it.
    target, device, driver
        ``sm_89``, and for runtimes whose engines are bound to one GPU its name and its driver's CUDA version.
    """

    model: str
    network: str
    profile: Profile
    options: Mapping[str, Any]
    runtime: str
    version: str
    target: str
    device: str = ANY
    driver: str = ANY
    graph: int = GRAPH_VERSION

    def about(self) -> dict[str, Any]:
        """Return the key as JSON values."""
        values: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return values

    @classmethod
    def of(cls, about: Mapping[str, Any]) -> EngineKey:
        """Return the key that :meth:`about` described.  Raises :class:`ValueError` where it is none."""
        try:
            planes = {**about["profile"]["planes"], "subsampling": tuple(about["profile"]["planes"]["subsampling"])}
            key = cls(**{**about, "profile": Profile(**{**about["profile"], "planes": PlaneFormat(**planes)})})
        except (KeyError, TypeError) as error:
            raise ValueError("it is no key of an engine") from error
        if key.about() != about:
            raise ValueError("it is no key of an engine")
        return key

    @property
    def digest(self) -> str:
        """SHA-256 of the key."""
        return hashlib.sha256(json.dumps(self.about(), sort_keys=True).encode()).hexdigest()
