"""The engine cache: what a key holds, what a damaged file does, and several processes at once."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trt_build.cache import Built, EngineCache, EngineKey
from trt_build.engine import FORMAT_VERSION, MAGIC, Engine, EngineError
from trt_build.profile import PlaneFormat, Profile
from trt_build.timing_cache import TimingCache

from .support import ROOT

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

WORKER = """
import os, sys, time
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.test_cache import KEY, PLANS
from trt_build.cache import Built, EngineCache
from trt_build.engine import Engine
folder = Path(sys.argv[1])
def build():
    with (folder / "builds").open("a") as file:
        file.write("x")
    {body}
    return Built(Engine(PLANS))
print(len(EngineCache(folder).get_or_build(KEY, build).plans))
"""


def worker(folder: Path, body: str = "pass", **options: Any) -> subprocess.Popen[str]:
    """A process that asks the cache for KEY and builds it in its own way."""
    script = WORKER.format(root=str(ROOT), body=body)
    return subprocess.Popen(
        [sys.executable, "-c", script, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        **options,
    )


def run_script(script: str, folder: Path) -> tuple[str, str]:
    """What a Python script prints on standard output and error."""
    command = [sys.executable, "-c", script, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    return done.stdout, done.stderr


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


OTHER = {
    "model": "1" * 64,
    "network": "other",
    "options": {"optimization": 4, "workspace": None},
    "runtime": "rtx",
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
    assert len(again.lines) == 1 and "is built again:" in again.lines[0]
    assert Recorder(tmp_path).get().plans == PLANS


@pytest.mark.parametrize("length", [0, 5, 16, 100, 9000, -1])
def test_a_truncated_engine_is_built_again(tmp_path: Path, length: int) -> None:
    Recorder(tmp_path).get()
    path = engine_path(tmp_path)
    path.write_bytes(path.read_bytes()[:length])
    again = Recorder(tmp_path)
    again.get()
    assert again.builds == 1
    assert len(again.lines) == 1 and "is built again:" in again.lines[0]


def test_an_engine_of_another_gpu_under_this_name_is_built_again(tmp_path: Path) -> None:
    other = replace(KEY, target="sm_75")
    Recorder(tmp_path).get(other)
    engine_path(tmp_path, other).rename(engine_path(tmp_path))
    again = Recorder(tmp_path)
    again.get()
    assert again.builds == 1
    assert again.lines[0].endswith("is built again: it was made for the target 'sm_75', not 'sm_89'")


def test_an_engine_file_of_another_version_says_so() -> None:
    content = bytearray(Engine(PLANS).to_bytes())
    content[len(MAGIC)] = FORMAT_VERSION + 1
    with pytest.raises(EngineError, match=f"version {FORMAT_VERSION + 1}, known is {FORMAT_VERSION}"):
        Engine.from_bytes(bytes(content))


def test_two_processes_that_start_together_build_once(tmp_path: Path) -> None:
    processes = [worker(tmp_path, "time.sleep(1)") for _ in range(2)]
    outputs = [process.communicate(timeout=60) for process in processes]
    assert [output for output, _ in outputs] == ["2\n", "2\n"]
    assert (tmp_path / "builds").read_text() == "x"
    assert sorted(error for _, error in outputs)[-1].count("another process builds this engine") == 1


@pytest.mark.parametrize(
    "body",
    [
        "(folder / 'begun').touch(); time.sleep(60)",
        "import os; from trt_build import atomic; stop = lambda *_: ((folder / 'begun').touch(), time.sleep(60));"
        " atomic.os.fsync = stop",
    ],
    ids=["while building", "while writing"],
)
def test_a_killed_build_leaves_nothing_in_the_way(tmp_path: Path, body: str) -> None:
    """Killed with -9 inside the build, and between writing and renaming: the next start builds and sweeps."""
    process = worker(tmp_path, body)
    while not (tmp_path / "begun").exists():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not engine_path(tmp_path).exists()
    again = Recorder(tmp_path)
    assert again.get().plans == PLANS
    assert again.builds == 1
    assert again.lines == []
    assert list(tmp_path.glob("*.partial")) + list(tmp_path.glob(".*.partial")) == []


def test_sweeping_removes_what_the_dead_left_and_spares_the_living(tmp_path: Path) -> None:
    left = tmp_path / f".{'a' * 64}.engine.99.partial"
    left.touch()
    process = worker(tmp_path, "(folder / ('.' + KEY.digest + '.engine.1.partial')).touch(); time.sleep(60)")
    try:
        living = tmp_path / f".{KEY.digest}.engine.1.partial"
        while not living.exists():
            assert process.poll() is None
            time.sleep(0.02)
        assert EngineCache(tmp_path).sweep() == 1
        assert living.exists() and not left.exists()
    finally:
        process.kill()
        process.communicate()
    assert EngineCache(tmp_path).sweep() == 1


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
    assert len(recorder.lines) == 1 and "no engine can be kept in" in recorder.lines[0]
    assert "VS_INTERP_CACHE" in recorder.lines[0]


def test_a_read_only_folder_serves_what_it_has_and_keeps_nothing_new(tmp_path: Path) -> None:
    """As another user than root, for whom no folder is read-only."""
    folder = Path(tempfile.mkdtemp())  # pytest's own folders are closed to other users
    try:
        Recorder(folder).get()
        folder.chmod(0o555)
        script = WORKER.format(root=str(ROOT), body="pass").replace('folder / "builds"', "Path(os.devnull)")
        start, end = script.split("print(")
        user = "if os.getuid() == 0: os.setgid(65534); os.setuid(65534)\n"
        other = "import dataclasses; KEY = dataclasses.replace(KEY, target='sm_75')\n"
        outputs = [run_script(f"{start}{user}{change}print({end}", folder) for change in ("", other)]
        assert [output for output, _ in outputs] == ["2\n", "2\n"]
        assert outputs[0][1] == ""
        assert outputs[1][1].count("\n") == 1 and "no engine can be kept in" in outputs[1][1]
    finally:
        shutil.rmtree(folder)


def test_a_full_disk_costs_only_the_keeping(tmp_path: Path) -> None:
    """Files may not grow beyond 8 KiB: the engine is whole in memory, and no piece of it is left on disk."""
    limit = (8192, resource.RLIM_INFINITY)
    process = worker(tmp_path, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit))
    output, error = process.communicate(timeout=60)
    assert output == "2\n"
    assert error.count("\n") == 1 and "the engine is not kept" in error
    assert list(tmp_path.glob("*.engine")) + list(tmp_path.glob(".*.partial")) == []


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
        assert capsys.readouterr().err == "vs-interp: the timing cache gpu.timing is damaged and is begun anew\n"
        assert not timing.path.exists()
