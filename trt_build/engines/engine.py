"""An engine: the plans of a model for one GPU, in one file that notices when it is damaged.

The file: ``VSENGINE``, the format's version and the header's length (32 bits each, little-endian), the header (JSON:
what the engine is for, names and sizes of its plans), the plans one after the other, SHA-256 of all that.
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
    """An engine file that is damaged, of another format, or for another purpose."""


@dataclass(frozen=True)
class Engine:
    """Serialised plans by name.

    plans
        ``"synthesis"`` (from frames, time and state to the output), and ``"state"`` (from frames to the state) where
        the network has one; tensor names are those of the graphs of :func:`trt_build.engines.build.engine_graphs`.
    about
        What the engine is for, as JSON values: the whole key of the cache.
    """

    plans: Mapping[str, bytes]
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of all the plans."""
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
        """Read what :meth:`to_bytes` wrote.  Raises :class:`EngineError` saying what is wrong with it."""
        view = memoryview(content)
        if len(view) < _PREFIX.size + _CHECKSUM or view[: len(MAGIC)] != MAGIC:
            raise EngineError("it is no engine file, or its beginning is lost")
        _, version, length = _PREFIX.unpack_from(view)
        if version != FORMAT_VERSION:
            raise EngineError(f"its format is version {version}, known is {FORMAT_VERSION}")
        if hashlib.sha256(view[:-_CHECKSUM]).digest() != view[-_CHECKSUM:]:
            raise EngineError("it is truncated or damaged: its checksum does not fit")
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
