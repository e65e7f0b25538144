"""The engine cache: what a key holds, what a damaged file does, and what goes when room is short."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.engine_cache import KEY, PLANS, Recorder, engine_path
from trt_build.engines.cache import Built
from trt_build.engines.engine import FORMAT_VERSION, MAGIC, Engine, EngineError
from trt_build.engines.key import EngineKey
from trt_build.engines.timing_cache import TimingCache
from trt_build.profile import PlaneFormat, Profile

OTHER = {
    "model": "1" * 64,
    "network": "other",
    "options": {"optimization": 4, "workspace": None},
    "runtime": "tensorrt-rtx",
    "version": "11.0.0",
    "target": "sm_86",
    "device": "NVIDIA GeForce RTX 4080",
    "driver": "13.1",
    "graph": KEY.graph + 1,
}
OTHER_PLANES = {
    "family": "rgb",
    "bits": 10,
    "floating": True,
    "subsampling": (1, 0),
    "matrix": "601",
    "full_range": False,
    "siting": "center",
}


def other_keys() -> dict[str, EngineKey]:
    """KEY with each of its fields changed in turn, those of profile and planes too."""
    keys = {name: replace(KEY, **{name: value}) for name, value in OTHER.items()}  # type: ignore[arg-type]
    for name, value in (("width", 1280), ("height", 720)):
        keys[name] = replace(KEY, profile=replace(KEY.profile, **{name: value}))
    for name, value in OTHER_PLANES.items():
        planes = replace(KEY.profile.planes, **{name: value})  # type: ignore[arg-type]
        keys[name] = replace(KEY, profile=replace(KEY.profile, planes=planes))
    return keys


def test_every_field_of_the_key_changes_the_digest() -> None:
    """A field that is added to key, profile or planes must be added here as well."""
    keys = other_keys()
    fields = {*EngineKey.__dataclass_fields__, *Profile.__dataclass_fields__, *PlaneFormat.__dataclass_fields__}
    assert set(keys) == fields - {"profile", "planes"}
    digests = {key.digest for key in keys.values()} | {KEY.digest}
    assert len(digests) == len(keys) + 1
    assert KEY.digest == replace(KEY).digest


def test_an_engine_is_built_once_and_found_again_whole(tmp_path: Path) -> None:
    first = Recorder(tmp_path)
    assert dict(first.get().plans) == PLANS
    second = Recorder(tmp_path)
    assert dict(second.get().plans) == PLANS
    assert (first.builds, second.builds, first.lines, second.lines) == (1, 0, [], [])


def test_the_sidecar_says_all_about_the_engine(tmp_path: Path) -> None:
    Recorder(tmp_path).get()
    about = json.loads((tmp_path / f"{KEY.digest}.json").read_text())
    assert about["key"] == KEY.about()
    assert about["psnr"] == {"noise": 61.5}
    assert about["plans"] == {"state": 12800, "synthesis": 4000}
    assert about["seconds"] >= 0


@pytest.mark.parametrize("place", [0, 9, 13, 40, 5000, -40, -1])
def test_a_flipped_bit_is_noticed_and_the_engine_built_again(tmp_path: Path, place: int) -> None:
    """In the magic, the version, the header, the plans and the checksum."""
    Recorder(tmp_path).get()
    path = engine_path(tmp_path)
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    again = Recorder(tmp_path)
    assert dict(again.get().plans) == PLANS
    assert again.builds == 1
    assert len(again.lines) == 1 and "is rebuilt:" in again.lines[0]
    assert Recorder(tmp_path).get().plans == PLANS


@pytest.mark.parametrize("length", [0, 5, 16, 100, 9000, -1])
def test_a_truncated_engine_is_built_again(tmp_path: Path, length: int) -> None:
    Recorder(tmp_path).get()
    path = engine_path(tmp_path)
    path.write_bytes(path.read_bytes()[:length])
    again = Recorder(tmp_path)
    again.get()
    assert again.builds == 1
    assert len(again.lines) == 1 and "is rebuilt:" in again.lines[0]


def test_an_engine_of_another_gpu_under_this_name_is_built_again(tmp_path: Path) -> None:
    other = replace(KEY, target="sm_75")
    Recorder(tmp_path).get(other)
    engine_path(tmp_path, other).rename(engine_path(tmp_path))
    again = Recorder(tmp_path)
    again.get()
    assert again.builds == 1
    assert again.lines[0].endswith("is rebuilt: it was made for the target 'sm_75', not 'sm_89'")


def test_an_engine_file_of_another_version_says_so() -> None:
    content = bytearray(Engine(PLANS).to_bytes())
    content[len(MAGIC)] = FORMAT_VERSION + 1
    with pytest.raises(
        EngineError, match=f"version {FORMAT_VERSION + 1}, and only version {FORMAT_VERSION} can be read"
    ):
        Engine.from_bytes(bytes(content))


def test_a_failing_build_is_passed_on_and_the_next_one_may_work(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)

    def fail() -> Built:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        recorder.cache.get_or_build(KEY, fail)
    assert recorder.get().plans == PLANS


@pytest.mark.parametrize("folder", ["/proc/vs-interp", "file/below"])
def test_a_folder_that_cannot_be_made_costs_only_the_keeping(tmp_path: Path, folder: str) -> None:
    (tmp_path / "file").touch()
    recorder = Recorder(tmp_path / folder)
    assert recorder.get().plans == PLANS
    assert len(recorder.lines) == 1 and "cannot store engines in" in recorder.lines[0]
    assert "VS_INTERP_CACHE" in recorder.lines[0]


def test_the_engines_used_longest_ago_go_first(tmp_path: Path) -> None:
    """Room for two of three: reading the oldest saves it, the one in the middle goes."""
    keys = [replace(KEY, target=target) for target in ("sm_75", "sm_80", "sm_86")]
    size = len(Engine(PLANS, KEY.about()).to_bytes())
    recorder = Recorder(tmp_path, limit=2 * size + 100)
    for age, key in zip((300, 200), keys, strict=False):
        recorder.get(key)
        os.utime(engine_path(tmp_path, key), (time.time() - age,) * 2)
    recorder.get(keys[0])
    recorder.get(keys[2])
    assert [engine_path(tmp_path, key).exists() for key in keys] == [True, False, True]
    assert {path.stem for path in tmp_path.glob("*.json")} == {keys[0].digest, keys[2].digest}


def test_an_engine_larger_than_the_limit_is_kept_until_the_next(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, limit=10)
    recorder.get()
    assert engine_path(tmp_path).exists()
    recorder.get(replace(KEY, target="sm_75"))
    assert not engine_path(tmp_path).exists()


def test_a_damaged_timing_cache_is_begun_anew_with_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    timing = TimingCache(tmp_path / "gpu.timing")
    assert timing.read() == b""
    timing.write(b"measured")
    assert timing.read() == b"measured"
    for content in (b"", b"short", timing.path.read_bytes()[:-1] + b"?"):
        timing.path.write_bytes(content)
        assert timing.read() == b""
        assert capsys.readouterr().err == "vs-interp: the timing cache gpu.timing is damaged: starting a new one\n"
        assert not timing.path.exists()


class Timings:
    """A build's config with TensorRT's promises: a cache of another system is refused, and then none is set."""

    class Cache:
        def __init__(self, content: bytes) -> None:
            self.content = content

        def combine(self, other: Timings.Cache, ignore_mismatch: bool) -> bool:
            fits = not other.content.startswith(b"elsewhere")
            self.content += other.content if fits else b""
            return fits

        def serialize(self) -> bytes:
            return self.content

    def __init__(self) -> None:
        self.set: Timings.Cache | None = None

    def create_timing_cache(self, content: bytes) -> Timings.Cache | None:
        return None if content == b"not timings" else self.Cache(content)

    def set_timing_cache(self, cache: Timings.Cache, ignore_mismatch: bool) -> bool:
        assert isinstance(cache, self.Cache)
        fits = not cache.content.startswith(b"elsewhere")
        self.set = cache if fits else self.set
        return fits

    def get_timing_cache(self) -> Timings.Cache | None:
        return self.set


@pytest.mark.parametrize("kept", [b"elsewhere", b"not timings"])
def test_timings_that_the_runtime_refuses_are_begun_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kept: bytes
) -> None:
    """A new driver or another card under the same name must not cost a finished build."""
    timing, build = TimingCache(tmp_path / "gpu.timing"), Timings()
    timing.write(kept)
    timing.load(build)
    assert "gpu.timing is of another system: starting a new one" in capsys.readouterr().err
    assert build.set is not None
    build.set.content = b"measured"
    timing.store(build)
    assert timing.read() == b"measured"
