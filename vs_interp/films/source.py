"""Open a video file as a VapourSynth clip, with what its container knows about time and the other streams."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import platformdirs
import vapoursynth as vs
from av.audio.stream import AudioStream
from av.stream import Disposition
from av.subtitles.stream import SubtitleStream
from av.video.stream import VideoStream

from vs_interp.errors import SourceError

from .containers import OtherStream

NO_TIME_STAMP = -(1 << 63)
"""libav's mark for a frame without one, as all frames of a bare elementary stream are."""


@dataclass(frozen=True)
class Stream:
    """A clip on its time line.

    tick
        Seconds of which all frame durations are multiples; ``None`` where the clip's frame rate is constant.
    """

    clip: vs.VideoNode
    tick: Fraction | None


@dataclass(frozen=True, kw_only=True)
class Source:
    """A video file.

    start
        Seconds by which its picture begins later than the file itself (than its sound, mostly).
    others
        Its sound and subtitles, in order.
    tags
        Language and title of its video stream, where it has them.
    """

    path: Path
    stream: Stream
    start: Fraction
    others: tuple[OtherStream, ...]
    tags: dict[str, str]


def open_source(path: Path) -> Source:
    """Open a video file.  Raises :class:`SourceError` where it is missing, has no video, or cannot be decoded."""
    if path.is_dir():
        raise SourceError(f"cannot read {path}: it is a folder; give one video file")
    if not path.is_file():
        raise SourceError(f"cannot read {path}: there is no such file")
    try:
        with av.open(f"file:{path}") as container:
            video = _video(container.streams.video)
            if video is None or container.format.name == "tty":
                raise SourceError(f"{path} has no video in it: give a video file")
            begins = Fraction(container.start_time or 0, av.time_base)
            track, tick = video.index, Fraction(str(video.time_base or "1/1000"))
            others = (*map(_sound, container.streams.audio), *map(_subtitles, container.streams.subtitles))
            tags = {name: value for name, value in video.metadata.items() if name in ("language", "title")}
    except (av.FFmpegError, OSError) as error:
        raise SourceError(f"{path} is no video file, or a broken one ({error.strerror})") from error
    clip, stamps = _decode(path, track)
    start = max(stamps[0] * tick - begins, Fraction(0)) if stamps and stamps[0] != NO_TIME_STAMP else Fraction(0)
    if clip.fps and is_constant(stamps, tick, clip.fps):
        clip = clip.std.AssumeFPS(fpsnum=clip.fps.numerator, fpsden=clip.fps.denominator)
        stream = Stream(clip, None)
    else:
        stream = Stream(clip, tick)
    return Source(path=path, stream=stream, start=start, others=others, tags=tags)


def without_rate(clip: vs.VideoNode) -> vs.VideoNode:
    """Return the clip without a frame rate, so that the duration of each frame counts and no filter guesses.

    The rate's own duration goes to frames that have none, as BestSource's last may not.
    """
    from .durations import lasts

    def timed(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        frame, seconds = f.copy(), lasts(f, clip.fps)
        if seconds is not None:
            frame.props["_DurationNum"], frame.props["_DurationDen"] = seconds.numerator, seconds.denominator
        return frame

    rateless = vs.core.std.BlankClip(clip, fpsnum=0, fpsden=1, keep=True)
    return rateless.std.ModifyFrame(clip, timed)


def is_constant(stamps: Sequence[int], tick: Fraction, fps: Fraction) -> bool:
    """Whether time stamps (in ticks of so many seconds) are those of a constant rate, rounded to ticks."""
    if NO_TIME_STAMP in stamps:
        return True
    ideal = np.arange(len(stamps)) * float(1 / (fps * tick))
    strays = np.abs(np.asarray(stamps) - (stamps[0] if stamps else 0) - ideal)
    return bool((strays <= 1.001).all())


def _video(streams: Sequence[VideoStream]) -> VideoStream | None:
    """Return the first that is no cover picture."""
    return next((stream for stream in streams if not stream.disposition & Disposition.attached_pic), None)


def _sound(stream: AudioStream) -> OtherStream:
    codec = stream.codec_context
    return OtherStream(
        index=stream.index,
        kind="sound",
        codec=codec.codec.canonical_name if codec else "",
        channels=codec.channels if codec else 0,
    )


def _subtitles(stream: SubtitleStream) -> OtherStream:
    codec = stream.codec_context
    return OtherStream(index=stream.index, kind="subtitles", codec=codec.codec.canonical_name if codec else "")


def _decode(path: Path, track: int) -> tuple[vs.VideoNode, list[int]]:
    """Return the decoded track and its frames' time stamps; BestSource keeps its index in the user's cache folder."""
    index = platformdirs.user_cache_path("vs-interp", appauthor=False) / "index"
    try:
        with _unannounced():
            found: Any = vs.core.bs.VideoSource(
                str(path.resolve()), track=track, cachepath=str(index), showprogress=False, exporttimestamps=True
            )
    except vs.Error as error:
        raise SourceError(f"{path} cannot be decoded ({str(error).removeprefix('VideoSource: ')})") from error
    clip: vs.VideoNode = found["clip"]
    if clip.format is None or not clip.width:
        raise SourceError(f"{path} changes its size or format on the way: cut it at the changes first")
    return clip, np.atleast_1d(found["timestamps"]).tolist()  # a single one is handed on bare


@contextmanager
def _unannounced() -> Iterator[None]:
    """Keep VapourSynth from warning that BestSource returns time stamps without having declared them."""
    logger = logging.getLogger("vapoursynth")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before
