"""Test and measure the filters on an NVIDIA GPU in a few minutes: ``python -m benchmarks.gpu --minutes 3 --json F``.

First the tests that need a GPU are run; then, for each network, size and factor, the most informative first:

alone           frames per second made by the graphs of one stream, without copies to and from the GPU
bare            by the sessions, with frames from memory
pipeline        by the VapourSynth filter with default options, on a clip in memory
ratio           pipeline over bare
host            milliseconds of processor time for each made frame: bare, pipeline
eager           frames per second of the network in PyTorch, in half precision (autocast)
floor           frames per second if the GPU did nothing but the network's multiplications

Engines are those of TensorRT or TensorRT-RTX if they work here.  Otherwise PyTorch runs the same graphs
(``tests/gpu/torch_executor.py``), and only the ratios and host times say something about this project.  Every result is
printed and written at once, so that a run that is cut off leaves its results.  Without a GPU everything is rehearsed at
a small size on a simulated device.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
import vapoursynth as vs

from benchmarks.gpu_figures import measured
from benchmarks.subjects import ROWS
from tests.gpu.torch_executor import TorchBackend
from tests.simulated_device import SimulatedDevice
from trt_build.backends import Backend, TensorRT, TensorRTRTX
from trt_build.backends.cuda import missing_cuda
from vs_interp.files import write_whole
from vs_interp.memory import restart_with_tuned_malloc
from vs_interp.size import Size


def tests_passed(minutes: float) -> dict[str, Any]:
    """Run the tests that need a GPU, and return the result."""
    command = [
        sys.executable, "-m", "pytest", "-m", "gpu", "--published", "-q", "-p", "no:cacheprovider",
        "-o", "filterwarnings=default",
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
    """Return the hardware and software that the figures depend on."""
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
    """Run the tests, and then as many rows of the table as there is time for."""
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
        except Exception as error:  # noqa: BLE001  a row that fails must not cost the others
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
    """Return the device for PyTorch, and the best backend on it."""
    if missing_cuda():
        print(f"{missing_cuda()}: this is a rehearsal on the simulated device, and its figures mean nothing")
        return torch.device("cpu"), TorchBackend(device=SimulatedDevice)
    for kind in (TensorRT, TensorRTRTX):
        if kind.missing() is None:
            return torch.device("cuda"), kind()
    return torch.device("cuda"), TorchBackend()


if __name__ == "__main__":
    restart_with_tuned_malloc()  # as the command line does: else every made frame's pages are new
    main()
