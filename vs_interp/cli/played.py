"""Play a whole script as ``vspipe`` does, and measure its speed."""

from __future__ import annotations

import runpy
import time
from dataclasses import dataclass
from pathlib import Path

from vs_interp.errors import ArgumentError
from vs_interp.host import cores, peak_memory, processor

MIB = 2**20


@dataclass(frozen=True, kw_only=True)
class ScriptReport:
    """The result of playing a script.

    frames, seconds
        The number of frames requested after the first, and how long they took.
    opened, first
        Seconds until the script had run, and until its first frame was ready.
    fps, host_ms
        Frames per second, and processor time per frame in milliseconds, all threads together.
    host_mib
        Peak memory of the process; ``None`` on Windows.
    """

    script: str
    machine: str
    size: str
    opened: float
    first: float
    frames: int
    seconds: float
    fps: float
    host_ms: float
    host_mib: float | None


def play_script(path: Path, seconds: float) -> ScriptReport:
    """Play output 0 of a script to its end, or for so many seconds.

    The script runs in this process, unrestricted.  Raises :class:`ArgumentError` if it fails or has no such output.
    """
    import vapoursynth as vs

    if not path.is_file():
        raise ArgumentError(f"there is no script {path}")
    vs.clear_outputs()
    began = time.perf_counter()
    try:
        runpy.run_path(str(path), run_name="__vapoursynth__")
    except (Exception, SystemExit) as error:
        raise ArgumentError(f"{path} stops with {type(error).__name__}: {error}") from error
    if 0 not in vs.get_outputs():
        raise ArgumentError(f"{path} has no output: end it with clip.set_output()")
    output = vs.get_output(0)
    clip = getattr(output, "clip", output)
    if not isinstance(clip, vs.VideoNode) or len(clip) < 2:
        raise ArgumentError(f"the output of {path} is not a clip of two frames or more: set one")
    opened = time.perf_counter() - began
    try:
        frames = clip.frames(close=True)
        next(frames)
        first = time.perf_counter() - began
        start, busy, count = time.perf_counter(), time.process_time(), 0
        for _ in frames:
            count += 1
            if time.perf_counter() - start >= seconds:
                break
        frames.close()
    except vs.Error as error:
        raise ArgumentError(f"{path}: {error}") from error
    took, busy = time.perf_counter() - start, time.process_time() - busy
    peak = peak_memory()
    return ScriptReport(
        script=path.name,
        machine=f"{processor()}, {cores()} cores",
        size=f"{clip.width}x{clip.height}",
        opened=round(opened, 3),
        first=round(first, 3),
        frames=count,
        seconds=round(took, 3),
        fps=count / took,
        host_ms=1000 * busy / count,
        host_mib=None if peak is None else peak / MIB,
    )
