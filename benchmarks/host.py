"""Measure the work of the host for each made frame, with a device that does nothing.  This needs no GPU.

    python -m benchmarks.host
    python -m benchmarks.host --sizes 1920x1080 --factors 2,8 --sessions 3 --seconds 5
    python -m benchmarks.host --parts

Each row is one clip through ``super_slomo``: the frames made per second (the device takes no time), the milliseconds of
processor time for each, and the latter for sessions that get frames from memory, without VapourSynth.  Then, for each
made frame, the number of Python callbacks, of frames allocated, and of MiB copied; these are counted in a separate run,
since counting takes time.  Go by processor time: other programs disturb it less.

``--parts`` measures the parts of the work for a made frame separately.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from itertools import product
from pathlib import Path
from types import CodeType, FunctionType

import numpy as np
import vapoursynth as vs
from vs_interp.filters import layout
from vs_interp.filters.scenes import DEFAULT_THRESHOLD, is_cut, is_repeat
from vs_interp.filters.timeline import by_factor

from tests.null_device import NullBackend
from trt_build.model_file import ModelFile
from trt_build.profile import PlaneFormat, Profile
from vs_interp import super_slomo
from vs_interp.cli.loops import feed
from vs_interp.host import cores
from vs_interp.memory import restart_with_tuned_malloc
from vs_interp.weights.catalogue import resolve

core = vs.core

YUV420P8 = PlaneFormat(family="yuv", bits=8, floating=False, subsampling=(1, 1), full_range=False)
FORMATS = {
    "YUV420P8": (vs.YUV420P8, YUV420P8),
    "YUV420P10": (vs.YUV420P10, replace(YUV420P8, bits=10)),
    "RGB24": (vs.RGB24, PlaneFormat(family="rgb", bits=8, floating=False)),
}
MIB = 2**20

ROUNDS = 4
"""Measurements with the cut detector and without it, alternately; their median counts."""


def source(size: tuple[int, int], form: int, frames: int = 1 << 20) -> vs.VideoNode:
    """Return a clip that repeats eight different frames, which cost neither Python calls nor copies; it has no cuts."""
    values = [[64 + index] * core.get_video_format(form).num_planes for index in range(8)]
    shown = [core.std.BlankClip(None, *size, form, length=1, color=color, keep=True) for color in values]
    return core.std.Loop(core.std.Splice(shown), frames // 8)


class Player:
    """Plays a clip from its first frame on, one measurement after the other."""

    def __init__(self, clip: vs.VideoNode) -> None:
        self._frames = clip.frames(close=True)
        for _ in range(max(64, 4 * core.num_threads)):  # VapourSynth has filled its caches by then
            next(self._frames)

    def play(self, seconds: float) -> tuple[float, float]:
        """Return the frames per second that the clip delivers from here on, and the processor time of each in ms."""
        count, start, busy = 0, time.perf_counter(), time.process_time()
        while (passed := time.perf_counter() - start) < seconds:
            next(self._frames)
            count += 1
        return count / passed, 1000 * (time.process_time() - busy) / count

    def close(self) -> None:
        """Cancel the frames that are still requested."""
        self._frames.close()


def played(clip: vs.VideoNode, seconds: float) -> tuple[float, float]:
    """Return the frames per second that a clip delivers, and the milliseconds of processor time for each."""
    player = Player(clip)
    try:
        return player.play(seconds)
    finally:
        player.close()


@contextmanager
def counted(calls: Counter[str]) -> Iterator[None]:
    """Count Python callbacks, frames allocated and bytes copied, in all threads."""
    monitoring, tool, folder = sys.monitoring, sys.monitoring.PROFILER_ID, str(Path(layout.__file__).parent)

    def start(code: CodeType, offset: int) -> None:
        if code.co_filename.startswith(folder) and sys._getframe(1).f_back is None:
            calls["callbacks"] += 1

    def call(code: CodeType, offset: int, function: object, first: object) -> None:
        if function is np.copyto and isinstance(first, np.ndarray):
            calls["copied"] += first.nbytes
        elif not isinstance(function, FunctionType) and getattr(function, "__name__", "") == "create_video_frame":
            calls["frames"] += 1

    monitoring.use_tool_id(tool, "host")
    monitoring.register_callback(tool, monitoring.events.PY_START, start)
    monitoring.register_callback(tool, monitoring.events.CALL, call)
    monitoring.set_events(tool, monitoring.events.PY_START | monitoring.events.CALL)
    try:
        yield
    finally:
        monitoring.set_events(tool, 0)
        monitoring.free_tool_id(tool)


def row(size: tuple[int, int], name: str, factor: Fraction, sessions: int, seconds: float) -> str:
    """Measure one clip, and return its row of the table."""
    core.num_threads = cores()  # a filter with several sessions raises it, for all clips that follow
    path = resolve(None, network="super-slomo")
    model, backend, (form, planes) = ModelFile.load(path), NullBackend(streams=sessions), FORMATS[name]
    profile = Profile(width=size[0], height=size[1], planes=planes)
    shapes = [(plane, planes.dtype) for plane in profile.plane_sizes]
    bare = feed(
        backend.open(model, profile), model.spec.window.offsets, profile, times=[0.5], planes=shapes, seconds=seconds
    )
    share = 1 - 1 / factor.numerator  # of the frames that are made by the network
    clips = [
        super_slomo(source(size, form), factor=factor, model=path, backend=backend, scene_threshold=threshold)
        for threshold in (DEFAULT_THRESHOLD, None)
    ]
    players = [Player(clip) for clip in clips]
    rounds = [[player.play(seconds / ROUNDS) for player in players] for _ in range(ROUNDS)]
    (fps, host), (_, plain) = (map(statistics.median, zip(*side, strict=True)) for side in zip(*rounds, strict=True))
    fps, host, plain = fps * share, host / share, plain / share
    for player in players:
        player.close()
    made = clips[0]
    calls, count = Counter(callbacks=0, frames=0, copied=0), 120
    middle = len(made) // 2 // factor.numerator * factor.numerator
    with counted(calls):
        for _ in made[middle : middle + count].frames(close=True):  # frames that have not been requested before
            pass
    gc.collect()
    each = {what: number / (count * share) for what, number in calls.items()}
    return (
        f"| {size[0]}x{size[1]} | {name} | {factor} | {sessions} | {fps:.0f} | {host:.2f} | {plain:.2f} | "
        f"{bare.host:.2f} | {each['callbacks']:.2f} | {each['frames']:.2f} | {each['copied'] / MIB:.1f} |"
    )


def parts(size: tuple[int, int], name: str, seconds: float) -> Iterator[tuple[str, float]]:
    """Yield the parts of the work for a made frame, and the processor time of each in ms."""
    clip = source(size, FORMATS[name][0])
    blank, following, form = core.std.BlankClip(clip, keep=True), clip[1:], clip.format
    first, second = clip.get_frame(0), clip.get_frame(1)

    def write(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        frame = core.create_video_frame(form, *size)
        for plane in range(3):
            np.asarray(frame[plane])[...] = 0
        return frame

    laid = layout.lay_out(clip, [blank], by_factor(len(clip), Fraction(2)), clip.fps * 2, constant=False)
    yield "a source frame", played(clip, seconds)[1]
    yield "two frames on the time line, source and made", 2 * played(laid, seconds)[1]
    yield "a callback that gets two frames", played(blank.std.ModifyFrame([clip, following], _pass), seconds)[1]
    yield "a callback that allocates and fills a frame", played(blank.std.ModifyFrame(clip, write), seconds)[1]
    yield "cut detection", called(lambda: is_cut(first, second, DEFAULT_THRESHOLD), seconds)
    yield "detection of a repeated frame", called(lambda: is_repeat(first, second), seconds)


def _pass(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:
    return f[0]


def called(function: Callable[[], object], seconds: float) -> float:
    """Return the processor time of a call in milliseconds."""
    start, busy, count = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - start < seconds:
        function()
        count += 1
    return 1000 * (time.process_time() - busy) / count


def main() -> None:
    """Print the table, or the parts."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", default="1280x720,1920x1080,3840x2160")
    parser.add_argument("--formats", default=",".join(FORMATS))
    parser.add_argument("--factors", default="2,5/2,8")
    parser.add_argument("--sessions", default="1,2,3,4")
    parser.add_argument("--seconds", type=float, default=2, help="how long each figure is measured")
    parser.add_argument("--parts", action="store_true", help="measure the parts of a made frame instead")
    arguments = parser.parse_args()
    sizes = [(int(width), int(height)) for width, height in (size.split("x") for size in arguments.sizes.split(","))]
    if arguments.parts:
        for size, form in product(sizes, arguments.formats.split(",")):
            for what, milliseconds in parts(size, form, arguments.seconds):
                print(f"{size[0]}x{size[1]} {form}: {what}: {milliseconds:.3f} ms", flush=True)
        return
    print(
        "| size | format | factor | sessions | made a second | ms each | without detector | bare sessions | "
        "callbacks | frames | MiB copied |\n" + "|---" * 11 + "|"
    )
    for size, form, factor, sessions in product(
        sizes, arguments.formats.split(","), arguments.factors.split(","), arguments.sessions.split(",")
    ):
        print(row(size, form, Fraction(factor), int(sessions), arguments.seconds), flush=True)


if __name__ == "__main__":
    restart_with_tuned_malloc()  # as the command line does: else every made frame's pages are new
    main()
