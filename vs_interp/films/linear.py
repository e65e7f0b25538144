"""Decode a film by libav one frame after another, whatever its state."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal

import av
import numpy as np
import vapoursynth as vs

from .alpha import format_with_alpha
from .pixels import pixel_format
from .times import Stamps

KEPT = 48
"""Pictures that stay decoded, for frames that are asked for out of order."""

BEFORE = 3.0
"""Seconds before a frame at which decoding begins: the key frame before that is looked for."""

type State = Literal["good", "broken", "missing"]
type Found = tuple[int, av.VideoFrame | None, State]


class LinearReader:
    """Reads frames, known by their time stamps, into frames of VapourSynth.  Not for several threads at once."""

    def __init__(self, path: Path, track: int, stamps: Stamps, video: vs.VideoFormat) -> None:
        self._path, self._track, self._stamps = path, track, stamps
        self._format, self._swapped = pixel_format(video), video.color_family == vs.RGB
        self._kept: deque[Found] = deque(maxlen=KEPT)
        self._pictures: Iterator[av.VideoFrame] = iter(())
        self._ahead: av.VideoFrame | None = None

    def read(self, number: int, into: vs.VideoFrame, alpha: vs.VideoFrame | None = None) -> State:
        """Copy a frame's picture, and its alpha where there is room for it.

        Where it cannot be decoded it is that of the frame before, or black.  Return which it was.
        """
        if not self._kept or number < self._kept[0][0] or number > self._kept[-1][0] + 4 * KEPT:
            self._begin_at(number)
        while self._kept[-1][0] < number:
            self._kept.append(self._next(self._kept[-1][0] + 1))
        _, picture, state = next(found for found in self._kept if found[0] == number)
        if picture is None or not self._copy(picture, into, alpha):
            for plane in range(into.format.num_planes):
                np.asarray(into[plane])[:] = 0 if plane == 0 or self._swapped else 1 << into.format.bits_per_sample - 1
            return "missing"
        return state

    def _begin_at(self, number: int) -> None:
        """Begin to decode before a frame; where frames have no time stamps, at the film's beginning."""
        stamp = None if None in self._stamps else self._stamps[number]
        self._pictures = self._decoded(stamp)
        self._ahead = next(self._pictures, None)
        self._kept.clear()
        first = number
        if stamp is None or self._ahead is None or self._ahead.pts is None:
            first = 0
        else:
            while first > 0 and (self._stamps[first - 1] or 0) >= self._ahead.pts:
                first -= 1
        self._kept.append(self._next(first))

    def _next(self, number: int) -> Found:
        """Return the picture of a frame, those before it having been read."""
        before = self._kept[-1][1] if self._kept else None
        stamp = self._stamps[number]
        while self._ahead is not None and stamp is not None and self._ahead.pts is not None and self._ahead.pts < stamp:
            before, self._ahead = self._ahead, next(self._pictures, None)
        if self._ahead is None or (stamp is not None and self._ahead.pts is not None and self._ahead.pts > stamp):
            return number, before, "missing"
        picture, self._ahead = self._ahead, next(self._pictures, None)
        return number, picture, "broken" if picture.is_corrupt else "good"

    def _decoded(self, stamp: int | None) -> Iterator[av.VideoFrame]:
        with av.open(f"file:{self._path}") as container:
            stream = container.streams[self._track]
            if not isinstance(stream, av.VideoStream):
                return
            stream.thread_type = "SLICE"  # threads that work on a frame each give up those in work at an error
            if stamp is not None and stream.time_base:
                with suppress(av.FFmpegError):
                    container.seek(stamp - round(BEFORE / stream.time_base), stream=stream)
            packets = container.demux(stream)
            while True:
                try:
                    packet = next(packets)
                except StopIteration:
                    return
                except av.FFmpegError:
                    return  # what follows cannot be read
                with suppress(av.FFmpegError):
                    yield from packet.decode()

    def _copy(self, picture: av.VideoFrame, into: vs.VideoFrame, alpha: vs.VideoFrame | None) -> bool:
        """Copy the planes; return whether the picture is as large as the film's are."""
        if picture.width < into.width or picture.height < into.height:
            return False
        wanted = self._format if alpha is None else format_with_alpha(self._format)
        if picture.format.name.replace("yuvj", "yuv") != wanted:
            picture = picture.reformat(format=wanted)
        order = [2, 0, 1] if self._swapped else list(range(into.format.num_planes))
        rooms = [np.asarray(into[plane]) for plane in range(into.format.num_planes)]
        if alpha is not None:
            order, rooms = [*order, 3], [*rooms, np.asarray(alpha[0])]
        for room, source in zip(rooms, order, strict=True):
            plane = picture.planes[source]
            rows = np.frombuffer(plane, room.dtype).reshape(-1, plane.line_size // room.itemsize)
            np.copyto(room, rows[: room.shape[0], : room.shape[1]])
        return True
