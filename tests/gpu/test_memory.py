"""The memory of a GPU: what filters take, what they give back, and what is said where it ends."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import pytest
import vapoursynth as vs

from tests.simulated_device import SimulatedDevice
from trt_build.backends.device import Device
from vs_interp import super_slomo, upscale

from .cases import CASES, source
from .conftest import Runtime
from .test_filters import check

MIB = 2**20


def free_memory(runtime: Runtime) -> int:
    """Return what is free once all that nobody holds is given back."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return runtime.device().free_memory()


@pytest.mark.slow
def test_a_filter_opened_ten_times_leaves_no_memory_behind(runtime: Runtime) -> None:
    """The runtimes' own memory is taken once: what counts is growth after the first times."""
    held: list[int] = []
    for _ in range(4 if simulated(runtime) else 10):  # what it opens there is worked out by one core
        check(CASES["super-slomo, factor 2"], "super-slomo, factor 2", runtime, streams=2)
        held.append(free_memory(runtime))
    assert held[-1] >= held[2] - 16 * MIB, [free // MIB for free in held]


def limited(runtime: Runtime, limit: int) -> Device:
    if runtime.limited is None:
        pytest.skip("this runtime takes a device by its number")
    return runtime.limited(limit)


def used_by_one(runtime: Runtime, make: Callable[..., vs.VideoNode]) -> int:
    """Return the bytes that a stream of a filter takes on a device."""
    device = limited(runtime, 1 << 30)
    before = device.free_memory()
    clip = make(runtime, device=lambda: device, streams=1)
    used = before - device.free_memory()
    del clip
    gc.collect()
    return used


def enlarged(runtime: Runtime, **options: Any) -> vs.VideoNode:
    return upscale(source("YUV420P8")[:2], scale=2, backend=runtime.backend(**options))


def test_memory_that_ends_lowers_the_streams_and_says_so(runtime: Runtime, capsys: pytest.CaptureFixture[str]) -> None:
    enlarged(runtime, streams=1)  # what PyTorch takes for itself is taken
    device = limited(runtime, int(2.5 * used_by_one(runtime, enlarged)) + (0 if simulated(runtime) else 16 * MIB))
    check(CASES["fsrcnn"], "fsrcnn", runtime, streams=64, device=lambda: device)
    said = capsys.readouterr().err
    assert "of 64 streams" in said and "memory for" in said


def test_memory_for_no_stream_is_an_error_and_the_next_filter_opens(runtime: Runtime) -> None:
    small = limited(runtime, 100_000)
    with pytest.raises(vs.Error, match=r"upscale: GPU 0 has .* too little for one stream"):
        enlarged(runtime, streams=1, device=lambda: small)
    check(CASES["fsrcnn"], "fsrcnn", runtime, streams=1)


def slow_motion(runtime: Runtime, **options: Any) -> vs.VideoNode:
    return super_slomo(source("YUV420P8")[:2], factor=2, backend=runtime.backend(**options))


@pytest.mark.slow
def test_a_second_filter_opens_beside_a_first_that_took_what_it_liked(runtime: Runtime) -> None:
    """There is room for one stream of each; both make their frames."""
    room = used_by_one(runtime, enlarged) + used_by_one(runtime, slow_motion)
    device = limited(runtime, int(1.1 * room) + (0 if simulated(runtime) else 64 * MIB))
    clips = [make(runtime, device=lambda: device) for make in (enlarged, slow_motion)]
    assert [frame.width for clip in clips for frame in clip.frames(close=True)] == [320] * 2 + [160] * 4


def simulated(runtime: Runtime) -> bool:
    return isinstance(runtime.device(), SimulatedDevice)
