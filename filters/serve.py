"""The one frame-serving node: windows of a clip through a network, the pictures of a window stacked in a tall frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import vapoursynth as vs
from numpy.typing import NDArray

from trt_build.backends.base import Session
from vs_interp.spec import Window

from .scenes import differences, is_cut

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


@dataclass(frozen=True)
class Planes:
    """The clip as it comes (``source``), and in the planes that sessions take (``served``)."""

    source: vs.VideoNode
    served: vs.VideoNode


def serve(
    planes: Planes,
    window: Window,
    sessions: Sequence[Session],
    *,
    times_of: TimesOf,
    batch: Batch,
    threshold: float | None,
) -> vs.VideoNode:
    """Return a clip with ``batch.parts`` tall frames a window, each of ``batch.pictures`` pictures.

    Concurrent windows go to the sessions in turn, so that no session is ever entered twice.  Where a cut lies right
    after the window's frame 0, or nothing changes, the tall frame is blank and carries :data:`REPEAT`.
    """
    served, slots = planes.served, len(sessions)
    clips = [shift(served, offset, window.edge) for offset in window.offsets]
    clips += [shift(differences(planes.source), offset, window.edge) for offset in window.offsets[:-1]]
    clips = [_weave([clip] * batch.parts) for clip in clips]
    jobs = len(clips[0])
    padding = -jobs % slots
    clips = [clip + clip[-1] * padding if padding else clip for clip in clips]
    tall = core.std.BlankClip(served, height=served.height * batch.pictures, length=len(clips[0]) // slots, keep=True)
    nodes = []
    for slot, session in enumerate(sessions):
        dealt = [deal(clip, slots, slot) for clip in clips]
        work = _Worker(
            window,
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


def shift(clip: vs.VideoNode, offset: int, edge: str) -> vs.VideoNode:
    """Return the clip whose frame n is frame n + ``offset``; beyond its ends it repeats, or is mirrored."""
    length = len(clip)
    if offset == 0:
        return clip
    beyond = range(length, length + offset) if offset > 0 else range(offset, 0)
    added = [clip[reflect(number, length, edge)] for number in beyond]
    if abs(offset) >= length:
        return core.std.Splice(added[-length:] if offset > 0 else added[:length])
    return core.std.Splice([clip[offset:], *added] if offset > 0 else [*added, clip[:offset]])


def reflect(number: int, length: int, edge: str) -> int:
    """Return the frame that stands for ``number``, which may lie before or beyond the clip."""
    if edge == "mirror" and length > 1:
        number = abs(number) % (2 * length - 2)
        return min(number, 2 * length - 2 - number)
    return min(max(number, 0), length - 1)


class _Worker:
    """The callback of one slot: a window's frames in, one tall frame out."""

    def __init__(
        self,
        window: Window,
        session: Session,
        *,
        times_of: TimesOf,
        batch: Batch,
        threshold: float | None,
        turn: tuple[int, int],
        length: int,
        tall: vs.VideoNode,
    ) -> None:
        self.window, self.session, self.times_of = window, session, times_of
        self.batch, self.threshold, self.length = batch, threshold, length
        self.slots, self.slot = turn
        self.format, self.width, self.height = tall.format, tall.width, tall.height

    def __call__(self, n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:
        job = min(n * self.slots + self.slot, self.length * self.batch.parts - 1)
        number, part = divmod(job, self.batch.parts)
        count = len(self.window.offsets)
        frames, changes = f[:count], [float(frame.props["PlaneStatsDiff"]) for frame in f[count:]]
        tall = core.create_video_frame(self.format, self.width, self.height)
        pictures = self.batch.pictures
        times = self.times_of(number)[part * pictures : (part + 1) * pictures]
        chosen = self._near_side([frame.props for frame in frames], changes)
        first = self.window.offsets.index(0)
        alone = count > 1 and (number == self.length - 1 or chosen[first + 1] == first)
        if not times or alone or (count > 1 and changes[first] == 0 and _equal(frames[first], frames[first + 1])):
            tall.props[REPEAT] = 1
            return tall
        keys = [reflect(number + self.window.offsets[index], self.length, self.window.edge) for index in chosen]
        out = _stacked(tall, pictures)[: len(times)]
        self.session.run([_planes(frames[index]) for index in chosen], keys, times, out)
        return tall

    def _near_side(self, props: Sequence[Mapping[str, Any]], changes: Sequence[float]) -> list[int]:
        """Return, for every place in the window, the frame to put there: none from beyond a cut."""
        chosen = list(range(len(props)))
        centre = self.window.offsets.index(0)
        cuts = [is_cut(props[i], props[i + 1], changes[i], self.threshold) for i in range(len(changes))]
        for index in range(centre + 1, len(props)):
            chosen[index] = chosen[index - 1] if cuts[index - 1] or chosen[index - 1] != index - 1 else index
        for index in range(centre - 1, -1, -1):
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
