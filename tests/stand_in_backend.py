"""What the backends of the tests share, which stand in for TensorRT's."""

from __future__ import annotations

from dataclasses import dataclass

from trt_build.backends import Backend


@dataclass(frozen=True, kw_only=True)
class StandInBackend(Backend):
    """A backend that is always there and takes the clip's own planes, as engines do."""

    @property
    def native_planes(self) -> bool:
        return True

    @classmethod
    def missing(cls) -> str | None:
        return None
