"""An engine: the plans of a model for one GPU, in one file with a checksum.

The file consists of ``VSENGINE``, the version of the format and the length of the header (32 bits each, little-endian),
the header (JSON: what the engine is for, names and sizes of its plans), the plans in the order of their names, and the
SHA-256 of all that.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vs_interp.errors import BackendError

MAGIC = b"VSENGINE"
FORMAT_VERSION = 1
_PREFIX = struct.Struct("<8sII")
_CHECKSUM = 32


class EngineError(BackendError):
    """An engine file that is damaged, of another format, or not the engine its name says."""


@dataclass(frozen=True)
class Engine:
    """Serialised plans by name.

    plans
        ``"synthesis"`` (from frames, time and state to the output) and, if the network has a state, ``"state"`` (from
        frames to the state).  Tensors have the names of :func:`trt_build.engines.build.engine_graphs`.
    about
        What the engine is for, as JSON values: its whole key in the cache.
    """

    plans: Mapping[str, bytes]
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """The size of all plans in bytes."""
        return sum(map(len, self.plans.values()))

    def to_bytes(self) -> bytes:
        """Return the content of an engine file."""
        header = json.dumps(
            {"about": self.about, "plans": {name: len(plan) for name, plan in self.plans.items()}}, sort_keys=True
        ).encode()
        names = sorted(self.plans)
        content = b"".join(
            (_PREFIX.pack(MAGIC, FORMAT_VERSION, len(header)), header, *(self.plans[name] for name in names))
        )
        return content + hashlib.sha256(content).digest()

    @classmethod
    def from_bytes(cls, content: bytes) -> Engine:
        """Read what :meth:`to_bytes` wrote.  Raises :class:`EngineError` if it is damaged or of another version."""
        view = memoryview(content)
        if len(view) < _PREFIX.size + _CHECKSUM or view[: len(MAGIC)] != MAGIC:
            raise EngineError("it is not an engine file, or its beginning is damaged")
        _, version, length = _PREFIX.unpack_from(view)
        if version != FORMAT_VERSION:
            raise EngineError(f"its format is version {version}, and only version {FORMAT_VERSION} can be read")
        if hashlib.sha256(view[:-_CHECKSUM]).digest() != view[-_CHECKSUM:]:
            raise EngineError("it is truncated or damaged: its checksum does not match")
        start = _PREFIX.size + length
        try:
            header = json.loads(bytes(view[_PREFIX.size : start]))
            plans = {}
            for name, size in sorted(header["plans"].items()):
                plans[name] = bytes(view[start : start + size])
                start += size
            return cls(plans, header["about"])
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise EngineError("its header cannot be read") from error
