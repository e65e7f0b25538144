"""Sequential decoding by libav, which goes on after errors."""

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
"""How many pictures stay decoded, for frames requested out of order."""

LEAD_IN = 3.0
"""Seconds before a requested frame to seek to; decoding starts at the key frame before."""

type State = Literal["good", "broken", "missing"]
type Found = tuple[int, av.VideoFrame | None, State]


class LinearReader:
    """Reads frames, identified by their time stamps, into VapourSynth frames.  Not thread-safe."""

    def __init__(self, path: Path, track: int, stamps: Stamps, video: vs.VideoFormat) -> None:
        self._path, self._track, self._stamps = path, track, stamps
        self._format, self._is_rgb = pixel_format(video), video.color_family == vs.RGB
        self._kept: deque[Found] = deque(maxlen=KEPT)
        self._pictures: Iterator[av.VideoFrame] = iter(())
        self._ahead: av.VideoFrame | None = None

    def read(self, number: int, into: vs.VideoFrame, alpha: vs.VideoFrame | None = None) -> State:
        """Copy the picture of a frame into ``into``, and its alpha into ``alpha`` if given; return its state.

        A frame that cannot be decoded gets the picture of the one before, or black.
        """
        if not self._kept or number < self._kept[0][0] or number > self._kept[-1][0] + 4 * KEPT:
            self._begin_at(number)
        while self._kept[-1][0] < number:
            self._kept.append(self._next(self._kept[-1][0] + 1))
        _, picture, state = next(found for found in self._kept if found[0] == number)
        if picture is None or not self._copy(picture, into, alpha):
            for plane in range(into.format.num_planes):
                is_chroma = plane > 0 and not self._is_rgb
                np.asarray(into[plane])[:] = 1 << into.format.bits_per_sample - 1 if is_chroma else 0
            return "missing"
        return state

    def _begin_at(self, number: int) -> None:
        """Start decoding shortly before a frame; at the film's beginning if frames have no time stamps."""
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
        """Return the picture of a frame; those before it must have been read."""
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
            stream.thread_type = "SLICE"  # with frame threads, an error also loses the frames being decoded
            if stamp is not None and stream.time_base:
                with suppress(av.FFmpegError):
                    container.seek(stamp - round(LEAD_IN / stream.time_base), stream=stream)
            packets = container.demux(stream)
            while True:
                try:
                    packet = next(packets)
                except StopIteration:
                    return
                except av.FFmpegError:
                    return  # the rest of the file cannot be read
                with suppress(av.FFmpegError):
                    yield from packet.decode()

    def _copy(self, picture: av.VideoFrame, into: vs.VideoFrame, alpha: vs.VideoFrame | None) -> bool:
        """Copy the planes; return ``False``, and copy nothing, if the picture is smaller than the film."""
        if picture.width < into.width or picture.height < into.height:
            return False
        wanted = self._format if alpha is None else format_with_alpha(self._format)
        if picture.format.name.replace("yuvj", "yuv") != wanted:
            picture = picture.reformat(format=wanted)
        sources = [2, 0, 1] if self._is_rgb else list(range(into.format.num_planes))  # libav has green first
        targets = [np.asarray(into[plane]) for plane in range(into.format.num_planes)]
        if alpha is not None:
            sources, targets = [*sources, 3], [*targets, np.asarray(alpha[0])]
        for target, source in zip(targets, sources, strict=True):
            plane = picture.planes[source]
            lines = np.frombuffer(plane, target.dtype).reshape(-1, plane.line_size // target.itemsize)
            np.copyto(target, lines[: target.shape[0], : target.shape[1]])
        return True
