"""The node that serves every network: it takes each window of a clip to whichever session is idle.

The callback runs once a window.  It returns the first picture it makes and attaches the others to it as frame
properties; VapourSynth's own filters take them from there without a copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import vapoursynth as vs
from numpy.typing import NDArray

from trt_build.backends.pool import SessionPool
from vs_interp.errors import ArgumentError
from vs_interp.films.caches import kept, passing
from vs_interp.films.durations import UNTIMED, frame_duration
from vs_interp.host import cores
from vs_interp.memory import hold_memory
from vs_interp.spec import NetworkSpec

from .planes import INTERLACED
from .routes import Route
from .scenes import is_cut, is_repeat
from .windows import near_side, window_clips, window_numbers

core = vs.core

REPEAT = "VsInterpRepeat"
"""Property of a picture that is a copy of a source frame: 0 for the window's frame 0, 1 for the next frame."""

PICTURE = "VsInterpPicture"
"""Name, before a number from 1 up, of the properties that carry a window's further pictures."""

NO_RATE = Fraction(0)

MOST_FRAMES = 2**31 - 1
"""The longest clip that VapourSynth can hold."""


def serve(
    route: Route,
    spec: NetworkSpec,
    pool: SessionPool,
    *,
    times: Sequence[Sequence[float]],
    most: int,
    threshold: float | None,
    first_key: int = 0,
    timed: bool = False,
) -> list[vs.VideoNode]:
    """Return ``most`` clips: frame n of clip i is the picture that the window of frame n gives for its i-th time.

    ``times`` lists the times of each of the first windows; the list then starts again.  Where a window has fewer times
    than ``most``, the clips beyond have no picture for it and must not be asked for that frame.  Frames beyond a cut
    are replaced by their neighbour on this side of it.  If a picture is to lie between frame 0 and the next, and there
    is a cut or no change between them, the nearer of the two is copied and marked with :data:`REPEAT`; flow is 0 there.
    Pictures that are not frames (flow, labels, masks) are GRAYS.

    Sessions tell frames apart by their numbers, counted from ``first_key``: clips that share a pool need ranges of
    their own.  Raises :class:`ArgumentError` for clips too long for VapourSynth.
    """
    hold_memory()
    served, lanes = route.served, _lanes(pool.size)
    height, width = spec.made_size(served.height, served.width)
    kind = served.format.id if spec.output.kind == "frame" else vs.GRAYS
    if len(served) * max(lanes, most + 1) > MOST_FRAMES:
        raise ArgumentError(f"the clip has {len(served)} frames, more than VapourSynth can lay out: cut it into parts")
    blank = core.std.BlankClip(served, width=width, height=height, format=kind, keep=True)
    clips = window_clips(served, spec.window)
    if route.source is not served:
        clips += window_clips(route.source, spec.window)
    make = _Windows(spec, pool, times=times, threshold=threshold, like=blank, first_key=first_key, timed=timed)
    windows = _in_parallel([passing(blank.std.ModifyFrame(clips, make)) for _ in range(lanes)])
    if most == 1:
        return [kept(windows)]
    together = _together(windows, pool.size)
    for node in (windows, together):  # by itself VapourSynth keeps 20 and more, of many pictures each
        core.std.SetVideoCache(node, mode=1, fixedsize=True, maxsize=2 + 2 * pool.size)
    return _pictures(together, blank, most)


def _lanes(sessions: int) -> int:
    """Return how many nodes it takes to keep the sessions busy: VapourSynth runs one callback of a node at a time.

    A prime above the number of sessions.  In drawn film every second, third or fourth window has work to do, and with
    a multiple of that number all of it would fall to one node.  A callback that waits for a device needs no core but
    occupies a thread of VapourSynth, so that many threads are added.
    """
    if sessions == 1:
        return 1
    lanes = next(n for n in range(max(5, sessions + 1), 2 * sessions + 5) if all(n % k for k in range(2, n)))
    core.num_threads = max(core.num_threads, lanes + cores())
    return lanes


def _in_parallel(nodes: Sequence[vs.VideoNode]) -> vs.VideoNode:
    """Return a clip that takes its frames from the nodes, which are all alike, in turn."""
    count = len(nodes)
    if count == 1:
        return nodes[0]
    turns = [place * count + place for place in range(count)]
    woven = passing(core.std.Interleave(nodes, modify_duration=False))
    return core.std.SelectEvery(woven, count * count, turns, modify_duration=False)


def _together(windows: vs.VideoNode, count: int) -> vs.VideoNode:
    """Return the windows in groups of ``count``: asking for one of a group requests all of it.

    One window gives many output frames, so a player or vspipe that requests a few frames ahead would stay within one
    window, and all sessions but one would stand idle.  Nothing is copied: CopyFrameProps waits for both of its clips,
    and is asked for a property that no frame has.
    """
    waiting, count = windows, min(count, len(windows))
    for place in range(count if count > 1 else 0):
        other = core.std.SelectEvery(windows, count, [place] * count, modify_duration=False)
        waiting = core.std.CopyFrameProps(waiting, other, props=["VsInterpNothing"])
    return waiting


def _pictures(windows: vs.VideoNode, blank: vs.VideoNode, count: int) -> list[vs.VideoNode]:
    """Return the pictures attached to the windows, as clips.

    PropToClip reads its first frame when it is created, so a blank one stands there and the network need not run.
    """
    clips, first = [windows], blank[0]
    for index in range(1, count):
        name = f"{PICTURE}{index}"
        held = core.std.Splice([core.std.ClipToProp(first, first, prop=name), windows])
        clips.append(kept(core.std.PropToClip(held, prop=name)[1:]))
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
        timed: bool,
    ) -> None:
        self._window, self._pool = spec.window, pool
        self._between, self._is_flow = spec.between, spec.output.kind == "flow"
        self._centre = spec.window.offsets.index(0)
        self._times, self._threshold, self._like, self._first_key = times, threshold, like, first_key
        self._timed = timed

    def __call__(self, n: int, f: list[vs.VideoFrame] | vs.VideoFrame) -> vs.VideoFrame:
        given, count, centre = f if isinstance(f, list) else [f], len(self._window.offsets), self._centre
        frames, sources = given[:count], given[-count:]
        times = self._times[n % len(self._times)]
        if sources[centre].props.get("_FieldBased", 0):
            raise ArgumentError(f"frame {n} {INTERLACED}")
        if self._timed and n < len(self._like) - 1 and frame_duration(sources[centre], NO_RATE) is None:
            raise ArgumentError(f"frame {n} {UNTIMED}")  # of the very last frame BestSource does not know it
        if not times:
            return frames[centre]
        numbers = window_numbers(n, len(self._like), self._window)

        def cut(first: int, second: int) -> bool:
            return is_cut(sources[first], sources[second], self._threshold)

        chosen = near_side(numbers, centre, cut)
        if (self._between or self._is_flow) and self._is_still(n, sources, chosen):
            pictures = self._unmoved(n, frames[centre:], times)
        else:
            keys = [self._first_key + numbers[place] for place in chosen]
            pictures = self._run([frames[place] for place in chosen], keys, times)
        for index, picture in enumerate(pictures[1:], 1):
            pictures[0].props[f"{PICTURE}{index}"] = picture
        return pictures[0]

    def _is_still(self, n: int, sources: Sequence[vs.VideoFrame], chosen: Sequence[int]) -> bool:
        """Return whether nothing moves between frame 0 and the next: a cut, the clip's end, or no change."""
        centre, after = self._centre, self._centre + 1
        if n == len(self._like) - 1 or chosen[after] == centre:
            return True
        return is_repeat(sources[centre], sources[after])

    def _unmoved(self, n: int, frames: Sequence[vs.VideoFrame], times: Sequence[float]) -> list[vs.VideoFrame]:
        """Return what stands for pictures between frames of which nothing is made: the nearer one, or no flow."""
        if not self._is_flow:
            is_last = n == len(self._like) - 1
            return [_repeated(frames, 0 if is_last or time <= 1 / 2 else 1) for time in times]
        pictures = self._created(len(times))
        for picture in pictures:
            np.asarray(picture[0])[...] = 0
        return pictures

    def _run(self, frames: Sequence[vs.VideoFrame], keys: Sequence[int], times: Sequence[float]) -> list[vs.VideoFrame]:
        pictures = self._created(len(times))
        window, out = [_planes(frame) for frame in frames], [_planes(picture) for picture in pictures]
        self._pool.run(window, keys, times, out)
        return pictures

    def _created(self, count: int) -> list[vs.VideoFrame]:
        """Return frames that nothing has been written to."""
        like = self._like
        return [core.create_video_frame(like.format, like.width, like.height) for _ in range(count)]


def _planes(frame: vs.VideoFrame) -> list[NDArray[Any]]:
    return [np.asarray(frame[plane]) for plane in range(frame.format.num_planes)]


def _repeated(frames: Sequence[vs.VideoFrame], place: int) -> vs.VideoFrame:
    picture = frames[place].copy()
    picture.props[REPEAT] = place
    return picture
