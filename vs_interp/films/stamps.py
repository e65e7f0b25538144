"""Time stamps of a film's frames: the decoder's, or libav's best guess if those are missing or wrong."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.stream import VideoStream

from vs_interp.files import write_whole

from .inputs import index_folder
from .joins import has_jumps, may_jump, without_jumps
from .times import Stamps, ascending, fits

type Progress = Callable[[float], None]
"""Called with the share of the file that has been read, from 0 to 1."""

NO_TIME_STAMP = -(1 << 63)
"""libav's value for a frame without a time stamp, as in a raw H.264 stream."""

SAMPLED = 64
"""How many packets at the beginning or end of a film are looked at."""

DECODING_ORDER_ONLY = "avi"
"""The container that has only decoding times, not the times at which frames are shown."""


@dataclass(frozen=True, kw_only=True)
class Track:
    """The video track of a film, and what its container states about time.

    tick
        Seconds per tick of its time stamps.
    rates
        The frame rates that the container states or suggests, the most reliable first.
    jumps
        Whether its time stamps may jump where parts were joined, as on discs and in broadcasts.
    """

    path: Path
    index: int
    tick: Fraction
    rates: tuple[Fraction, ...]
    container: str
    jumps: bool

    @classmethod
    def of(cls, path: Path, stream: VideoStream) -> Track:
        """Return the track for a video stream of an open file."""
        stated = (stream.guessed_rate, stream.average_rate, stream.base_rate)
        rates = [Fraction(rate.numerator, rate.denominator) for rate in stated if rate]
        container = stream.container.format
        return cls(
            path=path, index=stream.index, tick=Fraction(str(stream.time_base or "1/1000")),
            rates=tuple(dict.fromkeys(rate for rate in rates if rate > 0)) or (Fraction(25),), container=container.name,
            jumps=may_jump(container),
        )  # fmt: skip

    def packets(self) -> Iterator[av.Packet[Any]]:
        """Yield the track's packets in decoding order, as they are in the file."""
        with av.open(f"file:{self.path}") as container:
            yield from (packet for packet in container.demux(container.streams[self.index]) if packet.size)


def true_stamps(track: Track, decoded: Stamps, progress: Progress | None = None) -> Stamps:
    """Return the time stamps of the frames in ticks, in the order in which they are shown.

    ``decoded`` are those of BestSource's frames.  If they contradict each other, or too many are missing to be filled
    in, libav decodes the film once more for its best guess.
    """
    stamps = decoded
    if not (_are_consistent(track, decoded) or _has_none(track)):
        guessed = libav_stamps(track, progress)
        if len(guessed) == len(decoded):
            stamps = guessed
        if track.container == DECODING_ORDER_ONLY and len(ascending(stamps)) < len(stamps):
            stamps = from_decoding_times(
                _cached(track, _decoding_times, "decoding times"), len(decoded), _reordering_delay(track)
            )
    return without_jumps(track.path, track.index, stamps) if track.jumps and has_jumps(stamps, track.tick) else stamps


def last_duration(track: Track) -> int | None:
    """Return the duration of the last frame in ticks, if the container states it and is right for the frames before."""
    with av.open(f"file:{track.path}") as container:
        stream = container.streams[track.index]
        with suppress(av.FFmpegError):
            container.seek(1 << 62, stream=stream)
        found = sorted(
            (packet.pts, packet.duration or 0) for packet in container.demux(stream) if packet.pts is not None
        )
    tail = found[-SAMPLED:]
    right = [start + lasts == following for (start, lasts), (following, _) in pairwise(tail)]
    return tail[-1][1] if right and all(right) else None


def libav_stamps(track: Track, progress: Progress | None = None) -> Stamps:
    """Return libav's best guess, from the user's cache if the film was decoded before."""
    return _cached(track, partial(best_guess, progress=progress), "best guess")


def best_guess(track: Track, progress: Progress | None = None) -> Stamps:
    """Return libav's best-effort time stamp of every frame that it decodes, ``None`` for frames without one."""
    stamps: list[int | None] = []
    with av.open(f"file:{track.path}") as container:
        stream = container.streams[track.index]
        assert isinstance(stream, VideoStream)
        stream.thread_type = "SLICE"  # with frame threads, an error also loses the frames being decoded
        for packet in container.demux(stream):
            if progress is not None and packet.pos and container.size:
                progress(packet.pos / container.size)
            try:
                stamps += [frame.pts for frame in packet.decode()]
            except av.FFmpegError:
                continue  # reported when the frames themselves are decoded
    return stamps


def from_decoding_times(times: Stamps, frames: int, delay: int) -> Stamps:
    """Return the time stamps of ``frames`` frames whose packets have only decoding times, in ticks of one frame.

    A decoder that holds back ``delay`` pictures to put them in order shows each when it reads the packet that is
    ``delay`` later.
    """
    known = sorted(time for time in times if time is not None)
    shown: list[int | None] = [time - delay for time in known[delay:]]
    return [*shown, *[None] * frames][:frames]


def _are_consistent(track: Track, stamps: Stamps) -> bool:
    """Whether time stamps ascend, and missing ones can be filled in."""
    if track.container == DECODING_ORDER_ONLY:
        times = [time for time in _cached(track, _decoding_times, "decoding times") if time is not None]
        return bool(times) and times == list(range(times[0], times[0] + len(stamps)))
    known = [number for number, stamp in enumerate(stamps) if stamp is not None]
    if not known:
        return False
    values = [stamps[number] for number in known]
    steps = np.diff(np.array(values, dtype=np.int64))
    return bool((steps > 0).all() or track.jumps) and fits(stamps, known, float(1 / (track.rates[0] * track.tick)))


def _has_none(track: Track) -> bool:
    """Whether not even the packets have time stamps, as in a raw H.264 stream."""
    packets = (packet for packet, _ in zip(track.packets(), range(SAMPLED), strict=False))
    return all(packet.pts is None and packet.dts is None for packet in packets)


def _reordering_delay(track: Track) -> int:
    """Return how many pictures the decoder holds back to put them in order."""
    most = shown = 0
    with av.open(f"file:{track.path}") as container:
        stream = container.streams[track.index]
        assert isinstance(stream, VideoStream)
        stream.thread_type = "NONE"  # threads would hold back more
        packets = (packet for packet in container.demux(stream) if packet.size)
        for taken, packet in zip(range(1, SAMPLED), packets, strict=False):
            with suppress(av.FFmpegError):
                shown += len(packet.decode())
            most = max(most, taken - shown)
    return most


def _decoding_times(track: Track) -> Stamps:
    return [packet.dts for packet in track.packets()]


def _cached(track: Track, read: Callable[[Track], Stamps], what: str) -> Stamps:
    """Return the result of ``read``, named ``what``, from the user's cache if the same file was read before."""
    state = track.path.stat()
    key = f"{what} {track.path.absolute()} {track.index} {state.st_size} {state.st_mtime_ns}"
    file = index_folder(track.path) / f"{hashlib.sha256(os.fsencode(key)).hexdigest()[:32]}.stamps"
    try:
        found = np.frombuffer(file.read_bytes(), np.int64).tolist()
    except (OSError, ValueError):
        stamps = read(track)
        values = np.array([NO_TIME_STAMP if stamp is None else stamp for stamp in stamps], dtype=np.int64)
        with suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(file, values.tobytes())
        return stamps
    return known_stamps(found)


def known_stamps(values: Sequence[int]) -> Stamps:
    """Return libav's time stamps with ``None`` for :data:`NO_TIME_STAMP`."""
    return [None if stamp == NO_TIME_STAMP else stamp for stamp in values]
