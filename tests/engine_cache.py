"""A key, plans, and a cache whose lines and builds are counted."""

from __future__ import annotations

from pathlib import Path

from trt_build.engines.cache import Built, EngineCache
from trt_build.engines.engine import Engine
from trt_build.engines.key import EngineKey
from trt_build.profile import PlaneFormat, Profile

KEY = EngineKey(
    model="0" * 64,
    network="test",
    profile=Profile(width=1920, height=1080, planes=PlaneFormat(family="yuv", bits=8, floating=False)),
    options={"optimization": 3, "workspace": None},
    runtime="tensorrt",
    version="10.13.3.9",
    target="sm_89",
    device="NVIDIA GeForce RTX 4090",
    driver="13.0",
)
PLANS = {"state": bytes(range(256)) * 50, "synthesis": b"plan" * 1000}


class Recorder:
    """A cache whose lines are kept, and a build that counts."""

    def __init__(self, folder: Path, limit: int = 2**30) -> None:
        self.lines: list[str] = []
        self.builds = 0
        self.cache = EngineCache(folder, limit=limit, say=self.lines.append)

    def get(self, key: EngineKey = KEY) -> Engine:
        return self.cache.get_or_build(key, self.build)

    def build(self) -> Built:
        self.builds += 1
        return Built(Engine(PLANS), {"noise": 61.5})


def engine_path(folder: Path, key: EngineKey = KEY) -> Path:
    return folder / f"{key.digest}.engine"
