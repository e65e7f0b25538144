"""The serving node: work in equal parts, pictures without copies, and what the clip's frames say of themselves."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import pytest
import vapoursynth as vs
from vs_interp.filters import layout, super_slomo
from vs_interp.filters.planes import check_clip
from vs_interp.filters.routes import find_route
from vs_interp.filters.scenes import difference, is_repeat
from vs_interp.filters.windows import window_clips

from tests.clips import clip_of, durations_of, lasting, moving, picture, pictures, same, with_props
from tests.stand_in_backend import StandInBackend
from trt_build.backends import Picture, Session
from trt_build.backends.base import Check
from trt_build.backends.openvino import OpenVINO
from trt_build.backends.pool import SessionPool
from trt_build.model_file import ModelFile
from trt_build.profile import Profile
from vs_interp.errors import BackendError
from vs_interp.films.caches import passing
from vs_interp.spec import NetworkSpec, Output, Window

core = vs.core


@dataclass
class Blending:
    """A session that blends frames 0 and 1 by the time, in whatever planes; it notes who worked, and for how many."""

    number: int
    worked: list[tuple[int, tuple[float, ...]]]
    entered: threading.Lock = field(default_factory=threading.Lock)

    def run(
        self, window: Sequence[Picture], keys: Sequence[int], times: Sequence[float], out: Sequence[Picture]
    ) -> None:
        assert self.entered.acquire(blocking=False), "two threads use one session"
        time.sleep(0.003)  # a device that works, and does not hold the interpreter
        for moment, made in zip(times, out, strict=True):
            for target, first, second in zip(made, window[0], window[-1], strict=True):
                target[...] = np.rint((1 - moment) * first.astype(float) + moment * second).astype(target.dtype)
        self.worked.append((self.number, tuple(times)))
        self.entered.release()


@dataclass(frozen=True, kw_only=True)
class Blender(StandInBackend):
    """As a GPU does it: in the clip's own planes, by several sessions."""

    name = "blender"
    streams: int = 3
    worked: list[tuple[int, tuple[float, ...]]] = field(default_factory=list)

    def open(self, model: ModelFile, profile: Profile, check: Check | None = None) -> Sequence[Session]:
        return [Blending(number, self.worked) for number in range(self.streams)]


@pytest.mark.parametrize("held", [1, 2, 3, 4])
def test_drawings_held_for_some_frames_leave_all_sessions_equal_parts_of_the_work(held: int) -> None:
    """A window in three, say, has anything to do in it: by a fixed turn it would be one session's each time."""
    drawings = moving(vs.GRAY8, range(31), width=32, height=32)
    clip = core.std.Interleave([drawings] * held)
    blender = Blender()
    assert len(pictures(super_slomo(clip, factor=2, backend=blender))) == 62 * held
    shares = Counter(number for number, _ in blender.worked)
    assert sum(shares.values()) == 30
    assert len(shares) == 3 and min(shares.values()) >= 5  # 10 each, unless another program holds one up


@pytest.mark.parametrize("factor", [2, 3, Fraction(5, 2)])
@pytest.mark.parametrize("form", [vs.YUV420P8, vs.RGB24])
def test_pictures_lie_where_their_times_are(factor: int | Fraction, form: int) -> None:
    """In the clip's own planes, whatever hangs on a window's frame: each is the blend of its own time, in float64."""
    clip = moving(form, range(6))
    source = pictures(clip)
    made = super_slomo(clip, factor=factor, backend=Blender())
    assert (made.format.id, len(made)) == (form, int(6 * factor))
    for number, got in enumerate(pictures(made)):
        at, moment = divmod(number / Fraction(factor), 1)
        after = source[min(at + 1, 5)]
        for plane, first, second in zip(got, source[at], after, strict=True):
            wanted = (1 - float(moment)) * first.astype(float) + float(moment) * second
            assert np.abs(plane - wanted).max() <= 0.5 + 1e-6


def test_a_frame_made_says_what_its_source_frame_says() -> None:
    own = {"_Matrix": 1, "_Range": 1, "_SARNum": 4, "_SARDen": 3, "Word": 7}
    clip = with_props(moving(vs.YUV420P8), lambda n: {**own, "Number": n, "_AbsoluteTime": n / 24, "_Combed": 0})
    for factor in (2, 4, Fraction(5, 2)):
        for number, frame in enumerate(super_slomo(clip, factor=factor, backend=Blender()).frames(close=True)):
            at, moment = divmod(number / Fraction(factor), 1)
            assert {name: frame.props[name] for name in (*own, "Number")} == {**own, "Number": at}
            assert ("_AbsoluteTime" in frame.props) == (moment == 0)
            assert not any(name.startswith("VsInterp") for name in frame.props)


def test_frames_at_the_end_of_a_variable_rate_fill_its_duration() -> None:
    """At 3/2 the last output frame is the last source frame itself, and lasts as long as that."""
    lasts = [Fraction(1, 10), Fraction(1, 20), Fraction(1, 5)]
    made = super_slomo(lasting(moving(vs.GRAY8, range(3)), lasts), factor=Fraction(3, 2), backend=Blender())
    assert durations_of(made) == [Fraction(2, 30), Fraction(1, 30) + Fraction(1, 60), Fraction(1, 30), Fraction(1, 5)]


def test_a_long_variable_time_line_is_laid_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it takes to make one SelectEvery grows with the square of its length: several give the same clip."""
    lasts = [Fraction(1 + n % 3, 60) for n in range(20)]
    clip = lasting(moving(vs.GRAY8, range(20), width=32, height=32), lasts)
    whole = pictures(super_slomo(clip, fps=90, backend=Blender()))
    monkeypatch.setattr(layout, "LONGEST", 3)
    assert all(map(same, pictures(super_slomo(clip, fps=90, backend=Blender())), whole))


def test_a_pool_gives_a_session_back_after_an_error_and_lets_no_two_use_one() -> None:
    class Failing(Blending):
        def run(
            self, window: Sequence[Picture], keys: Sequence[int], times: Sequence[float], out: Sequence[Picture]
        ) -> None:
            if keys == [3]:
                raise BackendError("no")
            super().run(window, keys, times, out)

    worked: list[tuple[int, tuple[float, ...]]] = []
    pool = SessionPool([Failing(number, worked) for number in range(2)])
    failed: list[int] = []

    def work(key: int) -> None:
        try:
            pool.run([[np.zeros((2, 2))]], [key], [0.5], [[np.zeros((2, 2))]])
        except BackendError:
            failed.append(key)

    threads = [threading.Thread(target=work, args=(key,)) for key in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert failed == [3] and len(worked) == 8


@pytest.mark.parametrize("form", [vs.GRAY8, vs.YUV420P10, vs.RGB48, vs.RGBS, vs.GRAYH])
def test_the_detector_sees_the_mean_difference_of_luma(form: int) -> None:
    """On a smooth picture its grid gives what all samples give, within 2 % of the difference."""
    clip = moving(form, (0, 5), width=640, height=400)
    first, second = clip.get_frame(0), clip.get_frame(1)
    plane = 1 if clip.format.color_family == vs.RGB else 0
    top = 1 if clip.format.sample_type == vs.FLOAT else 2**clip.format.bits_per_sample - 1
    a, b = (picture(frame)[plane].astype(np.float64) / top for frame in (first, second))
    assert difference(first, second) == pytest.approx(np.abs(a - b).mean(), rel=0.02)


def test_a_repeated_frame_is_one_that_differs_nowhere() -> None:
    still = pictures(moving(vs.YUV420P8, (0,), width=96, height=300))[0]
    for plane, line in ((0, 0), (0, 299), (1, 77), (2, 149)):
        other = [values.copy() for values in still]
        other[plane][line, 5] ^= 1
        clip = clip_of([still, other, still], vs.YUV420P8)
        frames = [clip.get_frame(number) for number in range(3)]
        assert is_repeat(frames[0], frames[2]) and not is_repeat(frames[0], frames[1])


@pytest.mark.parametrize("streams", [1, 3])
def test_no_window_is_worked_on_twice_however_many_frames_are_asked_for_at_once(streams: int) -> None:
    """Few windows are kept, since each holds many pictures; those still to be asked for are among them."""
    clip = moving(vs.GRAY8, range(40), width=32, height=32)
    blender = Blender(streams=streams)
    for _ in super_slomo(clip, factor=8, backend=blender).frames(prefetch=60, backlog=60, close=True):
        pass
    assert len(blender.worked) == 39


@pytest.mark.parametrize("offsets", [(0, 1), (-1, 0, 1, 2)])
def test_a_frame_is_converted_once_for_all_windows_that_see_it(offsets: tuple[int, ...]) -> None:
    asked: Counter[int] = Counter()

    def note(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        asked[n] += 1
        return f

    clip = moving(vs.YUV420P8, range(40))
    spec = NetworkSpec(name="stand-in", window=Window(offsets=offsets), output=Output(times=None))
    served = find_route(passing(clip.std.ModifyFrame(clip, note)), check_clip(clip), OpenVINO(), spec).served
    windows = window_clips(served, spec.window)
    for _ in windows[0].std.ModifyFrame(windows, lambda n, f: f[0]).frames(prefetch=8):
        pass
    assert set(asked) == set(range(40))
    assert asked.total() <= 40 + len(offsets)  # the ends are repeated


def test_few_frames_are_kept_and_those_that_are_asked_for_again_are() -> None:
    """By itself VapourSynth keeps twenty of every output; a filter that looks at five at once must not cost windows."""
    clip, blender = moving(vs.GRAY8, range(60), width=512, height=512), Blender()
    made = super_slomo(clip, factor=2, backend=blender, scene_threshold=None)
    before = core.used_cache_size
    for _ in made.frames(close=True):
        pass
    assert core.used_cache_size - before < 28 * 512 * 512  # twenty of the source among them
    blender.worked.clear()
    again = super_slomo(clip, factor=2, backend=blender, scene_threshold=None)
    for _ in core.std.AverageFrames(again, [1] * 5).frames(close=True):
        pass
    assert 59 <= len(blender.worked) <= 59 + 6
