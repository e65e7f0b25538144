"""Small clips to interpolate, what is in their frames, and a backend that notes what it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import vapoursynth as vs
from numpy.typing import NDArray

from trt_build.backends import OpenVINO, Picture, Session
from trt_build.backends.base import Check
from trt_build.model_file import ModelFile
from trt_build.profile import Profile

core = vs.core

CPU = OpenVINO(threads=2)


def wave(moment: float, width: int, height: int) -> list[NDArray[np.float32]]:
    """Return red, green and blue of a soft pattern, in 0.25 … 0.75, that moves by 2 pixels from moment to moment."""
    y, x = np.mgrid[:height, :width].astype(np.float64)
    x -= 2 * moment
    colours = [np.sin(x / 7 + y / 11), np.sin(x / 9 - y / 13 + 1), np.cos(x / 11 + y / 8)]
    return [(0.5 + 0.25 * colour).astype(np.float32) for colour in colours]


def moving(
    form: int, moments: Sequence[float] = (0, 1, 2, 3), width: int = 96, height: int = 64, rate: Fraction = Fraction(24)
) -> vs.VideoNode:
    """Return a clip of the moving pattern in a format, BT.709 in limited range where that is YUV or GRAY."""
    clip = clip_of([wave(moment, width, height) for moment in moments], vs.RGBS, rate)
    matrix = {} if core.get_video_format(form).color_family == vs.RGB else {"matrix": vs.MATRIX_BT709}
    return core.resize.Bicubic(clip, format=form, **matrix)


def clip_of(pictures: Sequence[Picture], form: int, rate: Fraction = Fraction(24)) -> vs.VideoNode:
    """Return a clip that shows these pictures."""
    height, width = pictures[0][0].shape
    blank = core.std.BlankClip(
        format=form, width=width, height=height, length=len(pictures), fpsnum=rate.numerator, fpsden=rate.denominator
    )

    def fill(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        frame = f.copy()
        for index, plane in enumerate(pictures[n]):
            np.asarray(frame[index])[...] = plane
        return frame

    return blank.std.ModifyFrame(blank, fill)


def with_props(clip: vs.VideoNode, props_of: Callable[[int], Mapping[str, Any]]) -> vs.VideoNode:
    """Return the clip with properties that depend on the number of the frame."""

    def note(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        frame = f.copy()
        frame.props.update(props_of(n))
        return frame

    return clip.std.ModifyFrame(clip, note)


def lasting(clip: vs.VideoNode, durations: Sequence[Fraction]) -> vs.VideoNode:
    """Return the clip at a variable rate: frame n lasts ``durations[n]`` seconds."""
    noted = with_props(
        clip, lambda n: {"_DurationNum": durations[n].numerator, "_DurationDen": durations[n].denominator}
    )
    rateless = core.std.BlankClip(clip, fpsnum=0, fpsden=1)
    return rateless.std.ModifyFrame(noted, lambda n, f: f)


def picture(frame: vs.VideoFrame) -> list[NDArray[Any]]:
    """Return copies of a frame's planes."""
    return [np.asarray(frame[plane]).copy() for plane in range(frame.format.num_planes)]


def pictures(clip: vs.VideoNode) -> list[list[NDArray[Any]]]:
    """Return the planes of every frame, asked for in order."""
    return [picture(frame) for frame in clip.frames(close=True)]


def same(first: Picture, second: Picture) -> bool:
    """Return whether two pictures are equal bit by bit."""
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def durations_of(clip: vs.VideoNode) -> list[Fraction]:
    """Return the seconds for which every frame is shown, as its properties say."""
    return [
        Fraction(int(frame.props["_DurationNum"]), int(frame.props["_DurationDen"]))
        for frame in clip.frames(close=True)
    ]


@dataclass(frozen=True, kw_only=True)
class Noting(OpenVINO):
    """OpenVINO, with a note of every run: the numbers of the window's frames, and the times asked for."""

    threads: int = 2
    runs: list[tuple[tuple[int, ...], tuple[float, ...]]] = field(default_factory=list)

    def open(self, model: ModelFile, profile: Profile, check: Check | None = None) -> Sequence[Session]:
        return [_NotingSession(session, self.runs) for session in super().open(model, profile, check)]


@dataclass
class _NotingSession:
    inner: Session
    runs: list[tuple[tuple[int, ...], tuple[float, ...]]]

    def run(
        self, window: Sequence[Picture], keys: Sequence[int], times: Sequence[float], out: Sequence[Picture]
    ) -> None:
        self.runs.append((tuple(keys), tuple(times)))
        self.inner.run(window, keys, times, out)
