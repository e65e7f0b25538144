"""Prove and measure the filters on an NVIDIA GPU, in a few minutes: ``python -m benchmarks.gpu --minutes 3 --json F``.

First the tests that need a GPU; then, for one network, size and factor after the other, the most telling first:

alone           frames made a second by the graphs of one stream, no frame copied to the GPU or from it
bare            by the sessions, fed from memory
pipeline        by the VapourSynth filter with its usual options on a clip in memory
ratio           pipeline over bare
host            milliseconds of processor time a frame made: bare, pipeline
eager           frames a second of the network in PyTorch, in half precision (autocast)
floor           frames a second if the GPU did nothing but the network's multiplications

Engines are TensorRT's or TensorRT-RTX's where they run; else PyTorch runs the same graphs in their place
(``tests/gpu/torch_executor.py``), and the ratios and host times are what speaks for this project.  Every result is
printed and written as soon as it is there, so that a run which is cut off leaves what it had.  Without a GPU the same
is rehearsed at a small size on a simulated device.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
import vapoursynth as vs

from benchmarks import torch_eager
from benchmarks.subjects import ROWS, SUBJECTS, Row
from tests.gpu.torch_executor import TorchBackend
from tests.simulated_device import SimulatedDevice
from trt_build.backends import Backend, Session, TensorRT, TensorRTRTX
from trt_build.backends.base import Check
from trt_build.backends.cuda import missing_cuda
from trt_build.backends.slots import Slot
from trt_build.model_file import ModelFile
from trt_build.profile import PlaneFormat, Profile
from vs_interp import filters
from vs_interp.cli.loops import SOURCES, endless_clip, noise
from vs_interp.files import write_whole
from vs_interp.registry import network_class
from vs_interp.size import Size

YUV420P8 = PlaneFormat(family="yuv", bits=8, floating=False, subsampling=(1, 1), full_range=False)


@dataclass(frozen=True, kw_only=True)
class Kept(Backend):
    """A backend that opens once: the pipeline has the sessions that the bare loop had, and works at other times."""

    name: ClassVar[str] = "kept"
    of: Backend
    sessions: list[Session] = field(default_factory=list)

    @property
    def native_planes(self) -> bool:
        return self.of.native_planes

    @classmethod
    def missing(cls) -> str | None:
        return None

    def open(self, model: ModelFile, profile: Profile, check: Check | None = None) -> Sequence[Session]:
        if not self.sessions:
            self.sessions.extend(self.of.open(model, profile))
        return self.sessions


@dataclass(frozen=True)
class Rate:
    """Frames made a second, and milliseconds of processor time a frame, all threads added up."""

    fps: float
    host: float


@dataclass(frozen=True, kw_only=True)
class Figures:
    """One line of the table; fields that could not be measured are ``None``."""

    network: str
    size: str
    factor: int
    streams: int
    opened: float
    alone: float
    bare: float
    pipeline: float
    ratio: float
    bare_host: float
    pipeline_host: float
    eager: float
    floor: float


def measured(row: Row, size: Size, backend: Backend, device: torch.device, seconds: float) -> Figures:
    """Return the figures of one line; each loop runs for so many seconds."""
    subject = SUBJECTS[row.subject]
    path = subject.model_file()
    model = ModelFile.load(path)
    start = time.perf_counter()
    kept = Kept(of=backend)
    profile = Profile(width=size.width, height=size.height, planes=YUV420P8)
    sessions = kept.open(model, profile)
    opened = time.perf_counter() - start
    times = [index / row.factor for index in range(1, row.factor)] if model.spec.takes_time else model.spec.output.times
    slot = sessions[0]
    assert isinstance(slot, Slot) and times is not None
    alone = graphs_alone(slot, len(times), seconds)
    bare = feed(sessions, model, profile, times, seconds)
    pipeline = play(filtered(row, model, path, size, kept), row, seconds)
    eager = eager_of(row, size, device, seconds)
    return Figures(
        network=row.subject,
        size=str(size),
        factor=row.factor,
        streams=len(sessions),
        opened=opened,
        alone=alone,
        bare=bare.fps,
        pipeline=pipeline.fps,
        ratio=pipeline.fps / bare.fps,
        bare_host=bare.host,
        pipeline_host=pipeline.host,
        eager=eager["fps"],
        floor=eager["floor_fps"],
    )


def graphs_alone(slot: Slot, times: int, seconds: float) -> float:
    """Return the frames a second that the graphs of one slot make of what lies on the GPU."""
    slot.device.activate()
    made, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        if slot._run_state is not None:
            slot._run_state()
        for _ in range(times if slot.bindings.takes_time else 1):
            slot._run_synthesis()
        slot._stream.synchronise()
        made += times
    return made / (time.perf_counter() - start)


def feed(
    sessions: Sequence[Session], model: ModelFile, profile: Profile, times: Sequence[float], seconds: float
) -> Rate:
    """Return what the sessions make of frames in memory, each with a thread and the next window that nobody has."""
    frames, scale = noise(profile), model.spec.output.scale
    out = [
        [[np.empty((height * scale, width * scale), np.uint8) for height, width in profile.plane_sizes] for _ in times]
        for _ in sessions
    ]
    numbers, lock = itertools.count(), threading.Lock()

    def work(index: int) -> None:
        while True:
            with lock:
                number = next(numbers)
            if number >= len(sessions) and time.perf_counter() > deadline:
                return
            keys = [number + offset for offset in model.spec.window.offsets]
            sessions[index].run([frames[key % SOURCES] for key in keys], keys, times, out[index])
            made[index] += len(times)

    made = [0] * len(sessions)
    start, busy = time.perf_counter(), time.process_time()
    deadline = start + seconds
    with ThreadPoolExecutor(len(sessions)) as pool:
        list(pool.map(work, range(len(sessions))))
    return Rate(sum(made) / (time.perf_counter() - start), 1000 * (time.process_time() - busy) / sum(made))


def filtered(row: Row, model: ModelFile, path: Path, size: Size, backend: Backend) -> vs.VideoNode:
    """Return the clip that the user's filter makes of one in memory; the detector of cuts works, and finds none."""
    clip = endless_clip(size)
    if model.spec.output.scale > 1:
        return filters.upscale(clip, scale=model.spec.output.scale, model=path, backend=backend)
    make: Callable[..., vs.VideoNode] = getattr(filters, model.spec.name.replace("-", "_"))
    return make(clip, factor=row.factor, model=path, backend=backend, scene_threshold=1)


def play(clip: vs.VideoNode, row: Row, seconds: float) -> Rate:
    """Return how fast frames of the clip come; source frames that are passed on do not count."""
    share = (row.factor - 1) / row.factor if row.factor > 1 else 1
    frames = clip.frames(close=True)
    for _ in range(4 * row.factor):
        next(frames)
    asked, start, busy = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - start < seconds or asked % row.factor:
        next(frames)
        asked += 1
    taken, used = time.perf_counter() - start, time.process_time() - busy
    frames.close()
    return Rate(asked * share / taken, 1000 * used / (asked * share))


def eager_of(row: Row, size: Size, device: torch.device, seconds: float) -> dict[str, float]:
    """Return what :func:`benchmarks.torch_eager.measure` finds of the network with random weights."""
    subject = SUBJECTS[row.subject]
    network = network_class(subject.network).from_config(dict(subject.config)).eval().to(device)
    return torch_eager.measure(network, size, device, device.type == "cuda", seconds=seconds)


def tests_passed(minutes: float) -> dict[str, Any]:
    """Return what pytest says of the tests that need a GPU."""
    command = [
        sys.executable, "-m", "pytest", "-m", "gpu", "-q", "-p", "no:cacheprovider", "-o", "filterwarnings=default",
        "tests/gpu", "tests/trt_build/backends/test_cuda.py", "tests/trt_build/backends/test_slots.py",
    ]  # fmt: skip
    start = time.perf_counter()
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, encoding="utf-8", check=False, timeout=60 * minutes
        )
        code, lines = done.returncode, (done.stdout + done.stderr).splitlines()
    except subprocess.TimeoutExpired as error:
        code, lines = -1, [*(error.stdout or b"").decode().splitlines(), "stopped: the time was up"]
    print("\n".join(lines[-60:]), flush=True)
    seconds = round(time.perf_counter() - start, 1)
    return {"exit": code, "summary": lines[-1] if lines else "", "seconds": seconds, "last_lines": lines[-60:]}


def machine(backend: Backend) -> dict[str, Any]:
    """Return what figures depend on."""
    about: dict[str, Any] = {"executor": backend.name, "python": platform.python_version(), "cores": os.cpu_count()}
    about |= {
        "torch": torch.__version__,
        "numpy": np.__version__,
        "vapoursynth": str(vs.core.core_version.release_major),
    }
    if torch.cuda.is_available():
        card = torch.cuda.get_device_properties(0)
        about |= {"device": card.name, "memory_gib": round(card.total_memory / 2**30, 1), "cuda": torch.version.cuda}
        about["capability"] = f"{card.major}.{card.minor}"
    return about


HEAD = "network            size      x  streams  alone   bare  pipeline  ratio  host: bare  pipeline  eager   floor"
LINE = (
    "{network:18} {size:9} {factor}  {streams:7} {alone:6.1f} {bare:6.1f} {pipeline:9.1f}  {ratio:5.3f}"
    "  {bare_host:10.2f} {pipeline_host:9.2f} {eager:6.1f} {floor:7.0f}"
)


def main() -> None:
    """Run the tests, then as many lines of the table as the time allows."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=6, help="for all of it (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=1.2, help="of each loop (default: %(default)s)")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    parser.add_argument("--no-tests", action="store_true", help="measure only")
    parser.add_argument("--rows", type=int, default=len(ROWS), help="the first so many lines only")
    given = parser.parse_args()
    end = time.monotonic() + 60 * given.minutes
    torch.backends.cudnn.benchmark = True
    torch.set_grad_enabled(False)
    device, backend = chosen()
    results: dict[str, Any] = {"machine": machine(backend), "rows": []}
    print(json.dumps(results["machine"]), flush=True)

    def keep() -> None:
        if given.json is not None:
            write_whole(given.json, (json.dumps(results, indent=1) + "\n").encode())

    if not given.no_tests:
        results["tests"] = tests_passed(given.minutes / 2)
        keep()
    print(HEAD, flush=True)
    longest = 0.0
    for row in ROWS[: given.rows]:
        start = time.monotonic()
        if start + longest > end:
            print("the time is up", flush=True)
            break
        size = row.size if device.type == "cuda" else Size(64, 64)
        try:
            figures = measured(row, size, backend, device, given.seconds)
            results["rows"].append(asdict(figures))
            print(LINE.format(**asdict(figures)), flush=True)
        except Exception as error:  # noqa: BLE001  one line that fails must not cost the others
            results["rows"].append(
                {"network": row.subject, "size": f"{size}", "factor": row.factor, "error": str(error)}
            )
            print(f"{row.subject} {size} x{row.factor}: {type(error).__name__}: {error}", flush=True)
        keep()
        gc.collect()
        if device.type == "cuda":
            torch.cuda.empty_cache()
        longest = max(longest, time.monotonic() - start)


def chosen() -> tuple[torch.device, Backend]:
    """Return where PyTorch works, and the best backend there."""
    if missing_cuda():
        print(f"{missing_cuda()}: this is a rehearsal on the simulated device, and its figures mean nothing")
        return torch.device("cpu"), TorchBackend(device=SimulatedDevice)
    for kind in (TensorRT, TensorRTRTX):
        if kind.missing() is None:
            return torch.device("cuda"), kind()
    return torch.device("cuda"), TorchBackend()


if __name__ == "__main__":
    main()
