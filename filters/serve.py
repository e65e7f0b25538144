"""The one frame-serving node: windows of a clip through a network, the pictures of a window stacked in a tall frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import vapoursynth as vs
from numpy.typing import NDArray

from trt_build.backends.base import Session
from vs_interp.spec import NetworkSpec

from .routes import Route
from .scenes import is_cut, pairs

core = vs.core

REPEAT = "VsInterpRepeat"
"""Property of a tall frame that holds no pictures, since the nearer source frame is to be repeated."""


@dataclass(frozen=True)
class Batch:
    """How the frames made in a window leave: in ``parts`` tall frames of ``pictures`` each."""

    pictures: int
    parts: int


TimesOf = Callable[[int], Sequence[float]]
"""The times asked for in the window of a source frame."""


def serve(
    route: Route,
    spec: NetworkSpec,
    sessions: Sequence[Session],
    *,
    times_of: TimesOf,
    batch: Batch,
    threshold: float | None,
) -> vs.VideoNode:
    """Return a clip with ``batch.parts`` tall frames a window, each of ``batch.pictures`` pictures.

    Concurrent windows go to the sessions in turn, so that no session is ever entered twice.  A frame beyond a cut is
    replaced by its neighbour on the near side.  Where pictures are to lie between frame 0 and the next, and there is a
    cut or no change, the tall frame is blank and carries :data:`REPEAT`.
    """
    served, slots, offsets, scale = route.served, len(sessions), spec.window.offsets, spec.output.scale
    clips = [shift(served, offset, partial(reflect, edge=spec.window.edge)) for offset in offsets]
    told = pairs(route.source)
    clips += [shift(told, offset, partial(reflect_pair, edge=spec.window.edge)) for offset in offsets[:-1]]
    clips = [_weave([clip] * batch.parts) for clip in clips]
    jobs = len(clips[0])
    padding = -jobs % slots
    clips = [clip + clip[-1] * padding if padding else clip for clip in clips]
    width, height = served.width * scale, served.height * scale * batch.pictures
    tall = core.std.BlankClip(served, width=width, height=height, length=len(clips[0]) // slots, keep=True)
    nodes = []
    for slot, session in enumerate(sessions):
        dealt = [deal(clip, slots, slot) for clip in clips]
        work = _Worker(
            spec,
            session,
            times_of=times_of,
            batch=batch,
            threshold=threshold,
            turn=(slots, slot),
            length=len(served),
            tall=tall,
        )
        nodes.append(core.std.ModifyFrame(tall, clips=dealt, selector=work))
    alone = batch.pictures * batch.parts == 1
    return (_weave(nodes) if alone or slots == 1 else _together(nodes))[:jobs]


def _together(nodes: Sequence[vs.VideoNode]) -> vs.VideoNode:
    """Return the nodes' frames in turn, where asking for one sets all nodes to work on their frames of that number.

    A window with many times is asked for many times over, and those who ask for a few frames at once (a preview,
    vspipe) would never reach the next window while one is worked on: all slots but one would stand idle.
    """
    count = len(nodes)
    return core.std.ModifyFrame(_weave(nodes), clips=[_weave([n] * count) for n in nodes], selector=_pick(count))


def _pick(count: int) -> Callable[[int, list[vs.VideoFrame]], vs.VideoFrame]:
    return lambda n, f: f[n % count]


def deal(clip: vs.VideoNode, hands: int, hand: int) -> vs.VideoNode:
    """Return every ``hands``-th frame of the clip, from ``hand`` on."""
    return clip if hands == 1 else core.std.SelectEvery(clip, hands, [hand], modify_duration=False)


def _weave(clips: Sequence[vs.VideoNode]) -> vs.VideoNode:
    return clips[0] if len(clips) == 1 else core.std.Interleave(clips, modify_duration=False)


def shift(clip: vs.VideoNode, offset: int, stands_for: Callable[[int, int], int]) -> vs.VideoNode:
    """Return the clip whose frame n is frame n + ``offset``.

    Beyond its ends it is what ``stands_for`` says of that number and the clip's length.
    """
    length = len(clip)
    if offset == 0:
        return clip
    beyond = range(length, length + offset) if offset > 0 else range(offset, 0)
    added = [clip[stands_for(number, length)] for number in beyond]
    if abs(offset) >= length:
        return core.std.Splice(added[-length:] if offset > 0 else added[:length])
    return core.std.Splice([clip[offset:], *added] if offset > 0 else [*added, clip[:offset]])


def reflect(number: int, length: int, edge: str) -> int:
    """Return the frame that stands for ``number``, which may lie before or beyond the clip."""
    if edge == "mirror" and length > 1:
        number = abs(number) % (2 * length - 2)
        return min(number, 2 * length - 2 - number)
    return min(max(number, 0), length - 1)


def reflect_pair(number: int, length: int, edge: str) -> int:
    """Return the frame whose pair with the next stands for that of ``number`` and ``number`` + 1."""
    return min(reflect(number, length, edge), reflect(number + 1, length, edge))


class _Worker:
    """The callback of one slot: a window's frames in, one tall frame out."""

    def __init__(
        self,
        spec: NetworkSpec,
        session: Session,
        *,
        times_of: TimesOf,
        batch: Batch,
        threshold: float | None,
        turn: tuple[int, int],
        length: int,
        tall: vs.VideoNode,
    ) -> None:
        self.window, self.between, self.session = spec.window, spec.between, session
        self.times_of, self.batch, self.threshold, self.length = times_of, batch, threshold, length
        self.slots, self.slot = turn
        self.centre = self.window.offsets.index(0)
        self.format, self.width, self.height = tall.format, tall.width, tall.height

    def __call__(self, n: int, f: list[vs.VideoFrame] | vs.VideoFrame) -> vs.VideoFrame:
        given = f if isinstance(f, list) else [f]
        job = min(n * self.slots + self.slot, self.length * self.batch.parts - 1)
        number, part = divmod(job, self.batch.parts)
        count = len(self.window.offsets)
        frames, told = given[:count], [frame.props for frame in given[count:]]
        tall = core.create_video_frame(self.format, self.width, self.height)
        pictures = self.batch.pictures
        times = self.times_of(number)[part * pictures : (part + 1) * pictures]
        chosen = self._near_side(told)
        if not times or (self.between and self._is_still(number, frames, told, chosen)):
            tall.props[REPEAT] = 1
            return tall
        keys = [reflect(number + self.window.offsets[index], self.length, self.window.edge) for index in chosen]
        out = _stacked(tall, pictures)[: len(times)]
        self.session.run([_planes(frames[index]) for index in chosen], keys, times, out)
        return tall

    def _is_still(
        self,
        number: int,
        frames: Sequence[vs.VideoFrame],
        told: Sequence[Mapping[str, Any]],
        chosen: Sequence[int],
    ) -> bool:
        """Return whether nothing is to be made between frame 0 and the next: a cut, the clip's end, or no change."""
        centre, after = self.centre, self.centre + 1
        if number == self.length - 1 or chosen[after] == centre:
            return True
        return told[centre]["PlaneStatsDiff"] == 0 and _equal(frames[centre], frames[after])

    def _near_side(self, told: Sequence[Mapping[str, Any]]) -> list[int]:
        """Return, for every place in the window, the frame to put there: none from beyond a cut."""
        chosen = list(range(len(told) + 1))
        cuts = [is_cut(pair, self.threshold) for pair in told]
        for index in range(self.centre + 1, len(chosen)):
            chosen[index] = chosen[index - 1] if cuts[index - 1] or chosen[index - 1] != index - 1 else index
        for index in range(self.centre - 1, -1, -1):
            chosen[index] = chosen[index + 1] if cuts[index] or chosen[index + 1] != index + 1 else index
        return chosen


def _planes(frame: vs.VideoFrame) -> list[NDArray[Any]]:
    return [np.asarray(frame[plane]) for plane in range(frame.format.num_planes)]


def _stacked(tall: vs.VideoFrame, pictures: int) -> list[list[NDArray[Any]]]:
    """Return the planes of every picture of a tall frame."""
    planes = _planes(tall)
    lines = [plane.shape[0] // pictures for plane in planes]
    return [[p[index * n : (index + 1) * n] for p, n in zip(planes, lines, strict=True)] for index in range(pictures)]


def _equal(first: vs.VideoFrame, second: vs.VideoFrame) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(_planes(first), _planes(second), strict=True))
