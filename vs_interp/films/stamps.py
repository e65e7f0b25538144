"""Time stamps of a film's frames: its decoder's, and libav's best guess where these are missing or wrong."""

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

from .inputs import kept_in
from .joins import has_jumps, joined, may_jump
from .times import Stamps, ascending, fits

type Progress = Callable[[float], None]
"""Called with the part of the file, of 1, that has been read."""

NO_TIME_STAMP = -(1 << 63)
"""libav's mark for a frame without one, as all frames of a bare elementary stream are."""

LOOKED_AT = 64
"""Packets at the beginning of a film that tell whether its container has any time stamps."""

DECODING_ORDER_ONLY = "avi"
"""The container whose time stamps say when a packet is decoded, and not when its picture is shown."""


@dataclass(frozen=True, kw_only=True)
class Track:
    """What a container says about the time of its picture.

    tick
        Seconds a tick of its time stamps.
    rates
        The frame rates that it states or suggests, best first.
    jumps
        Whether its time stamps may jump where parts were joined, as those of discs and broadcasts.
    """

    path: Path
    index: int
    tick: Fraction
    rates: tuple[Fraction, ...]
    container: str
    jumps: bool

    @classmethod
    def of(cls, path: Path, stream: VideoStream) -> Track:
        """Return what an open file's video stream says."""
        stated = (stream.guessed_rate, stream.average_rate, stream.base_rate)
        rates = [Fraction(rate.numerator, rate.denominator) for rate in stated if rate]
        container = stream.container.format
        return cls(
            path=path, index=stream.index, tick=Fraction(str(stream.time_base or "1/1000")),
            rates=tuple(dict.fromkeys(rate for rate in rates if rate > 0)) or (Fraction(25),), container=container.name,
            jumps=may_jump(container),
        )  # fmt: skip

    def packets(self) -> Iterator[av.Packet[Any]]:
        """Yield the picture's packets in the file's order, which is that of decoding."""
        with av.open(f"file:{self.path}") as container:
            yield from (packet for packet in container.demux(container.streams[self.index]) if packet.size)


def true_stamps(track: Track, decoded: Stamps, progress: Progress | None = None) -> Stamps:
    """Return the frames' time stamps in ticks, in the order in which they are shown.

    ``decoded`` are those that came with the decoded frames.  Where they contradict each other, or lack more than
    arithmetic can fill in, libav decodes the film once more: it knows better.
    """
    stamps = decoded
    if not (_hold_together(track, decoded) or _none_at_all(track)):
        guessed = libav_stamps(track, progress)
        if len(guessed) == len(decoded):
            stamps = guessed
        if track.container == DECODING_ORDER_ONLY and len(ascending(stamps)) < len(stamps):
            stamps = as_decoded(_kept(track, _decoding_times, "decoding times"), len(decoded), _held_back(track))
    return joined(track.path, track.index, stamps) if track.jumps and has_jumps(stamps, track.tick) else stamps


def last_duration(track: Track) -> int | None:
    """Return how many ticks the last frame lasts, where the container says so and is right about the frames before."""
    with av.open(f"file:{track.path}") as container:
        stream = container.streams[track.index]
        with suppress(av.FFmpegError):
            container.seek(1 << 62, stream=stream)
        found = sorted(
            (packet.pts, packet.duration or 0) for packet in container.demux(stream) if packet.pts is not None
        )
    tail = found[-LOOKED_AT:]
    right = [start + lasts == following for (start, lasts), (following, _) in pairwise(tail)]
    return tail[-1][1] if right and all(right) else None


def libav_stamps(track: Track, progress: Progress | None = None) -> Stamps:
    """Return libav's best guess, from the user's cache where the film was decoded before."""
    return _kept(track, partial(best_guess, progress=progress), "best guess")


def best_guess(track: Track, progress: Progress | None = None) -> Stamps:
    """Return libav's best-effort stamps: one for every frame that it decodes, ``None`` where it knows none."""
    stamps: list[int | None] = []
    with av.open(f"file:{track.path}") as container:
        stream = container.streams[track.index]
        assert isinstance(stream, VideoStream)
        stream.thread_type = "SLICE"  # threads that work on a frame each give up those in work at an error
        for packet in container.demux(stream):
            if progress is not None and packet.pos and container.size:
                progress(packet.pos / container.size)
            try:
                stamps += [frame.pts for frame in packet.decode()]
            except av.FFmpegError:
                continue  # who decodes the pictures says so
    return stamps


def as_decoded(times: Stamps, frames: int, delay: int) -> Stamps:
    """Return when frames are shown whose packets say only when they are decoded.

    A decoder that holds ``delay`` pictures back, to put them in order, shows one when it takes in the packet so many
    later.
    """
    known = sorted(time for time in times if time is not None)
    shown: list[int | None] = [time - delay for time in known[delay:]]
    return [*shown, *[None] * frames][:frames]


def _hold_together(track: Track, stamps: Stamps) -> bool:
    """Whether nothing is missing that is not easily filled in, and time goes on from frame to frame."""
    if track.container == DECODING_ORDER_ONLY:
        times = [time for time in _kept(track, _decoding_times, "decoding times") if time is not None]
        return bool(times) and times == list(range(times[0], times[0] + len(stamps)))
    known = [number for number, stamp in enumerate(stamps) if stamp is not None]
    if not known:
        return False
    values = [stamps[number] for number in known]
    steps = np.diff(np.array(values, dtype=np.int64))
    return bool((steps > 0).all() or track.jumps) and fits(stamps, known, float(1 / (track.rates[0] * track.tick)))


def _none_at_all(track: Track) -> bool:
    """Whether not even packets have time stamps, as in a bare stream of H.264."""
    packets = (packet for packet, _ in zip(track.packets(), range(LOOKED_AT), strict=False))
    return all(packet.pts is None and packet.dts is None for packet in packets)


def _held_back(track: Track) -> int:
    """Return how many pictures the decoder holds back."""
    most = shown = 0
    with av.open(f"file:{track.path}") as container:
        stream = container.streams[track.index]
        assert isinstance(stream, VideoStream)
        stream.thread_type = "NONE"  # several threads hold more
        packets = (packet for packet in container.demux(stream) if packet.size)
        for taken, packet in zip(range(1, LOOKED_AT), packets, strict=False):
            with suppress(av.FFmpegError):
                shown += len(packet.decode())
            most = max(most, taken - shown)
    return most


def _decoding_times(track: Track) -> Stamps:
    return [packet.dts for packet in track.packets()]


def _kept(track: Track, read: Callable[[Track], Stamps], what: str) -> Stamps:
    """Return what ``read`` reads, which ``what`` names, from the user's cache where the same file was read before."""
    state = track.path.stat()
    key = f"{what} {track.path.absolute()} {track.index} {state.st_size} {state.st_mtime_ns}"
    kept = kept_in(track.path) / f"{hashlib.sha256(os.fsencode(key)).hexdigest()[:32]}.stamps"
    try:
        found = np.frombuffer(kept.read_bytes(), np.int64).tolist()
    except (OSError, ValueError):
        stamps = read(track)
        marked = np.array([NO_TIME_STAMP if stamp is None else stamp for stamp in stamps], dtype=np.int64)
        with suppress(OSError):
            kept.parent.mkdir(parents=True, exist_ok=True)
            write_whole(kept, marked.tobytes())
        return stamps
    return known_stamps(found)


def known_stamps(marked: Sequence[int]) -> Stamps:
    """Return time stamps with ``None`` in place of libav's mark."""
    return [None if stamp == NO_TIME_STAMP else stamp for stamp in marked]
