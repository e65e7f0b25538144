"""The one frame-serving node: windows of a clip through a network, by whichever session is idle.

A callback is run once a window.  It leaves the first picture that it makes as its frame, and the others hang on that
frame as properties, from which VapourSynth's own filters take them without a copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import vapoursynth as vs
from numpy.typing import NDArray

from trt_build.backends.pool import SessionPool
from vs_interp.errors import ArgumentError
from vs_interp.host import cores
from vs_interp.memory import give_back_freed_memory
from vs_interp.spec import NetworkSpec

from .planes import INTERLACED
from .routes import Route
from .scenes import is_cut, is_repeat
from .windows import near_side, window_clips, window_numbers

core = vs.core

REPEAT = "VsInterpRepeat"
"""Property of a picture that no network made: 0 where it is the window's frame 0, 1 where it is the next."""

PICTURE = "VsInterpPicture"
"""Properties of a window's frame, with a number from 1 up, that hold its other pictures."""

MOST_FRAMES = 2**31 - 1
"""What a clip of VapourSynth can have."""


def serve(
    route: Route,
    spec: NetworkSpec,
    pool: SessionPool,
    *,
    times: Sequence[Sequence[float]],
    most: int,
    threshold: float | None,
    first_key: int = 0,
) -> list[vs.VideoNode]:
    """Return ``most`` clips: frame n of each is a picture made in the window of frame n, for one of its times.

    ``times`` are those of the first windows, over and over again; a window may have fewer than ``most``, and its frame
    in the other clips must not be asked for.  A frame beyond a cut is replaced by its neighbour on the near side.
    Where pictures are to lie between frame 0 and the next, and there is a cut or no change, the nearer of the two is
    the picture, and carries :data:`REPEAT`.  Pictures that are no frames (flow, labels, masks) are GRAYS.

    Sessions know frames by their numbers: several clips that share a pool need a ``first_key`` each, far from others.
    """
    give_back_freed_memory()
    served, lanes = route.served, _lanes(pool.size)
    height, width = spec.made_size(served.height, served.width)
    kind = served.format.id if spec.output.kind == "frame" else vs.GRAYS
    if len(served) * max(lanes, most + 1) > MOST_FRAMES:
        raise ArgumentError(f"the clip has {len(served)} frames, more than VapourSynth can lay out: cut it into parts")
    blank = core.std.BlankClip(served, width=width, height=height, format=kind, keep=True)
    clips = window_clips(served, spec.window)
    if route.source is not served:
        clips += window_clips(route.source, spec.window)
    make = _Windows(spec, pool, times=times, threshold=threshold, like=blank, first_key=first_key)
    windows = _in_parallel([blank.std.ModifyFrame(clips, make) for _ in range(lanes)])
    if most == 1:
        return [windows]
    together = _together(windows, pool.size)
    for node in (windows, together):  # by itself VapourSynth keeps 20 and more, of many pictures each
        core.std.SetVideoCache(node, mode=1, fixedsize=True, maxsize=2 + 2 * pool.size)
    return _pictures(together, blank, most)


def _lanes(sessions: int) -> int:
    """Return how many nodes, whose callbacks VapourSynth runs one at a time each, keep so many sessions at work.

    A prime above the number of sessions: drawings that are held for two, three or four frames leave work to every
    second, third or fourth window, and that must not be one node's.  Callbacks that wait for a device hold no core, but
    threads of VapourSynth: it is given as many more.
    """
    if sessions == 1:
        return 1
    lanes = next(n for n in range(max(5, sessions + 1), 2 * sessions + 5) if all(n % k for k in range(2, n)))
    core.num_threads = max(core.num_threads, lanes + cores())
    return lanes


def _in_parallel(nodes: Sequence[vs.VideoNode]) -> vs.VideoNode:
    """Return a clip that has frame n of one of the nodes, which are all alike: of each in turn."""
    count = len(nodes)
    if count == 1:
        return nodes[0]
    turns = [place * count + place for place in range(count)]
    woven = core.std.Interleave(nodes, modify_duration=False)
    return core.std.SelectEvery(woven, count * count, turns, modify_duration=False)


def _together(windows: vs.VideoNode, count: int) -> vs.VideoNode:
    """Return the windows, where asking for one sets ``count`` sessions to work on the group that it belongs to.

    A window with many times is asked for many times over, and those who ask for a few frames at once (a preview,
    vspipe) would never reach the next window while one is worked on: all sessions but one would stand idle.  Nothing is
    copied: CopyFrameProps is to take a property that no frame has, and waits for both of its clips.
    """
    waiting, count = windows, min(count, len(windows))
    for place in range(count if count > 1 else 0):
        other = core.std.SelectEvery(windows, count, [place] * count, modify_duration=False)
        waiting = core.std.CopyFrameProps(waiting, other, props=["VsInterpNothing"])
    return waiting


def _pictures(windows: vs.VideoNode, blank: vs.VideoNode, count: int) -> list[vs.VideoNode]:
    """Return the pictures that hang on windows, as clips.

    PropToClip looks at its first frame as soon as it is made: that one must not be worth a run of the network.
    """
    clips, first = [windows], blank[0]
    for index in range(1, count):
        name = f"{PICTURE}{index}"
        held = core.std.Splice([core.std.ClipToProp(first, first, prop=name), windows])
        clips.append(core.std.PropToClip(held, prop=name)[1:])
    return clips


class _Windows:
    """The callback: a window's frames in, its pictures out."""

    def __init__(
        self,
        spec: NetworkSpec,
        pool: SessionPool,
        *,
        times: Sequence[Sequence[float]],
        threshold: float | None,
        like: vs.VideoNode,
        first_key: int,
    ) -> None:
        self._window, self._between, self._pool = spec.window, spec.between, pool
        self._centre = spec.window.offsets.index(0)
        self._times, self._threshold, self._like, self._first_key = times, threshold, like, first_key

    def __call__(self, n: int, f: list[vs.VideoFrame] | vs.VideoFrame) -> vs.VideoFrame:
        given, count, centre = f if isinstance(f, list) else [f], len(self._window.offsets), self._centre
        frames, sources = given[:count], given[-count:]
        times = self._times[n % len(self._times)]
        if sources[centre].props.get("_FieldBased", 0):
            raise ArgumentError(f"frame {n} {INTERLACED}")
        if not times:
            return frames[centre]
        numbers = window_numbers(n, len(self._like), self._window)

        def cut(first: int, second: int) -> bool:
            return is_cut(sources[first], sources[second], self._threshold)

        chosen = near_side(numbers, centre, cut)
        if self._between and self._is_still(n, sources, chosen):
            is_last = n == len(self._like) - 1
            pictures = [_repeated(frames[centre:], 0 if is_last or time <= 1 / 2 else 1) for time in times]
        else:
            keys = [self._first_key + numbers[place] for place in chosen]
            pictures = self._run([frames[place] for place in chosen], keys, times)
        for index, picture in enumerate(pictures[1:], 1):
            pictures[0].props[f"{PICTURE}{index}"] = picture
        return pictures[0]

    def _is_still(self, n: int, sources: Sequence[vs.VideoFrame], chosen: Sequence[int]) -> bool:
        """Return whether nothing is to be made between frame 0 and the next: a cut, the clip's end, or no change."""
        centre, after = self._centre, self._centre + 1
        if n == len(self._like) - 1 or chosen[after] == centre:
            return True
        return is_repeat(sources[centre], sources[after])

    def _run(self, frames: Sequence[vs.VideoFrame], keys: Sequence[int], times: Sequence[float]) -> list[vs.VideoFrame]:
        like = self._like
        pictures = [core.create_video_frame(like.format, like.width, like.height) for _ in times]
        window, out = [_planes(frame) for frame in frames], [_planes(picture) for picture in pictures]
        self._pool.run(window, keys, times, out)
        return pictures


def _planes(frame: vs.VideoFrame) -> list[NDArray[Any]]:
    return [np.asarray(frame[plane]) for plane in range(frame.format.num_planes)]


def _repeated(frames: Sequence[vs.VideoFrame], place: int) -> vs.VideoFrame:
    picture = frames[place].copy()
    picture.props[REPEAT] = place
    return picture
