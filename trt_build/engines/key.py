"""The key under which an engine is cached."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from trt_build.profile import PlaneFormat, Profile

GRAPH_VERSION = 7
"""Raise this with every change to the half precision, the colour graph, the split or what is cut as unread that changes
the graphs they write.

tests/trt_build/engines/test_graph_version.py fails if that is forgotten.
"""

ANY = "any"
"""Stands for device and driver in the keys of engines that run on all GPUs of a compute capability."""


@dataclass(frozen=True, kw_only=True)
class EngineKey:
    """Everything that an engine's bytes depend on.

    model, network
        :attr:`ModelFile.identity`, and the network's name in its spec.
    profile, options
        The size and planes that the engine is built for, and :meth:`BuildOptions.identity`.
    runtime, version
        The runtime that built it.
    target, device, driver
        Compute capability (``sm_89``), and, if the runtime's engines are bound to one model of GPU, its name and the
        CUDA version of its driver.
    graph
        :data:`GRAPH_VERSION`.
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
        """Return the key that :meth:`about` described.  Raises :class:`ValueError` if the values are not a key."""
        try:
            planes = {**about["profile"]["planes"], "subsampling": tuple(about["profile"]["planes"]["subsampling"])}
            key = cls(**{**about, "profile": Profile(**{**about["profile"], "planes": PlaneFormat(**planes)})})
        except (KeyError, TypeError) as error:
            raise ValueError("this is not the key of an engine") from error
        if key.about() != about:
            raise ValueError("this is not the key of an engine")
        return key

    @property
    def digest(self) -> str:
        """The SHA-256 of the key in hexadecimal, which names the engine's files."""
        return hashlib.sha256(json.dumps(self.about(), sort_keys=True).encode()).hexdigest()
