"""Open a video file as a VapourSynth clip on its true time line, with its other streams and metadata."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import vapoursynth as vs
from av.container import InputContainer
from av.video.stream import VideoStream

from vs_interp.arguments import Rate, as_rate
from vs_interp.errors import SourceError

from .alpha import alpha_of, alpha_stream, with_alpha
from .caches import passing
from .damage import Damage, guarded
from .durations import with_durations
from .fields import Fields, deinterlaced
from .index import decode
from .inputs import check_pictures, is_sequence, openable
from .joins import may_jump
from .missing import cut_off, gaps, lacks_index, may_lack_packets, read_packets, stated_duration
from .others import Labels, OtherStream, labels, losses, main_picture, other_streams
from .stamps import Progress, Track, last_duration, true_stamps
from .times import Stamps, TimeLine, constant, time_line


@dataclass(frozen=True)
class Stream:
    """A clip on its time line.

    tick
        Seconds of which all frame durations are multiples; ``None`` if the frame rate is constant.
    seconds, last
        At a variable rate, the duration of all frames together, and that of the source's last frame.
    alpha
        Its alpha (GRAY, full range), if it has any.
    """

    clip: vs.VideoNode
    tick: Fraction | None
    seconds: Fraction | None = None
    last: Fraction | None = None
    alpha: vs.VideoNode | None = None


@dataclass(frozen=True, kw_only=True)
class Source:
    """A video file.

    track
        The number of the picture among the file's streams.
    start
        Seconds by which the picture starts after the file itself (mostly, after its sound); negative if before.
    line
        The time line of its frames.
    others
        All streams besides the picture, sound first.
    first, window
        Of an excerpt: the number of its first frame in the film; its start, in seconds after the start of the file,
        and its duration in seconds.
    labels
        The metadata of the picture.
    damage
        Frames that could not be decoded.
    notes
        A line on each thing in which the clip differs from the file, or the file from what it states.
    fields
        How many frames of the clip each frame of the film became: 2 if every field is a frame, else 1.
    """

    path: Path
    track: int
    stream: Stream
    line: TimeLine
    start: Fraction
    others: tuple[OtherStream, ...]
    labels: Labels
    damage: Damage
    notes: tuple[str, ...]
    first: int = 0
    window: tuple[Fraction, Fraction] | None = None
    fields: int = 1


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a film is to be read.

    rate
        Frames per second, in place of the film's time stamps; required for pictures, which have none.
    fields
        How to deinterlace; ``None`` leaves interlaced frames as they are, and the filters refuse them.
    progressive
        Treat all frames as progressive, whatever they are marked as.
    strict
        Whether a frame that cannot be decoded is an error; otherwise the frame before is repeated.
    """

    rate: Fraction | None = None
    fields: Fields | None = None
    progressive: bool = False
    strict: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the settings as values for JSON."""
        return {**asdict(self), "rate": None if self.rate is None else str(self.rate)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Reading:
        """Return the settings from the values of :meth:`to_json`."""
        rate = values["rate"]
        return cls(**{**values, "rate": None if rate is None else Fraction(rate)})


def open_source(given: Path, reading: Reading | None = None, progress: Progress | None = None) -> Source:
    """Open a video file, or a folder or pattern of pictures.

    ``progress`` is called while the film is indexed.  Raises :class:`SourceError` if the source is missing, has no
    video, or cannot be decoded.
    """
    reading, path = reading or Reading(), openable(given)
    if is_sequence(path) and reading.rate is None:
        raise SourceError(f"the pictures of {given} have no frame rate: give --source-fps (in a script fps=)")
    try:
        with av.open(f"file:{path}") as container:
            video = main_picture(container)
            if video is None or container.format.name == "tty":
                raise SourceError(f"{given} has no video in it: give a video file")
            begins = _begins(container, video)
            stated = stated_duration(container, video)
            track, pixels = Track.of(path, video), video.width * video.height
            others, metadata = tuple(other_streams(container, video)), labels(container, video)
    except (av.FFmpegError, OSError) as error:
        if lacks_index(path):
            raise SourceError(
                f"{given} was cut off before its index (moov) was written: repair it first, for instance with untrunc"
            ) from error
        raise SourceError(f"{given} is not a video file, or a broken one ({error.strerror})") from error
    clip, decoded = decode(path, track.index, pixels, progress)
    if is_sequence(path):
        check_pictures(path, len(decoded))
    packets = read_packets(track) if may_lack_packets(track, decoded, stated) else None
    clip, damage = guarded(clip, track, decoded, packets, strict=reading.strict or is_sequence(path))
    line = _time_line(track, clip, damage.stamps, reading.rate, progress)
    damage.gaps = gaps(line)
    if metadata.alpha_beside:
        clip = _with_alpha_stream(clip, path, track.index)
    if reading.progressive:
        clip = clip.std.SetFieldBased(0)
    elif reading.fields is not None:
        clip = deinterlaced(clip, reading.fields)
        line = line.doubled() if reading.fields == "double" else line
    start = Fraction(0) if line.first is None or begins is None else line.first * line.tick - begins
    if reading.rate is not None:
        stated = None  # by the time stamps that this rate replaces
    return Source(
        path=path, track=track.index, stream=on_time_line(clip, line), line=line, start=start, others=others,
        labels=metadata, damage=damage,
        notes=(*losses(metadata, clip), *cut_off(stated, start + line.seconds, packets)),
        fields=2 if reading.fields == "double" else 1,
    )  # fmt: skip


def open_film(
    path: str | os.PathLike[str],
    *,
    fps: Rate | None = None,
    deinterlace: Fields | None = None,
    assume_progressive: bool = False,
) -> vs.VideoNode:
    """Return a film as a clip on its true time line, the clip that ``vs-interp convert`` works on.

    path
        A video file, a folder of pictures, or a pattern such as ``frames/%05d.png``.
    fps
        Frames per second, in place of the film's time stamps; required for pictures, which have none.  23.976, 29.97
        and 59.94 mean 24000/1001, 30000/1001 and 60000/1001.
    deinterlace
        Deinterlace with bwdif: ``"double"`` makes a frame of each field, ``"keep"`` one of two fields.
    assume_progressive
        Treat all frames as progressive, whatever they are marked as.

    If the film's time stamps are those of a constant frame rate, the clip has that rate.  Otherwise its rate is 0 and
    every frame has a duration; the first frame carries the durations of all, so that filters need not decode the film
    to know them.  Raises :class:`SourceError`, or :class:`ArgumentError` for a rate that is none.
    """
    rate = None if fps is None else as_rate(fps)
    reading = Reading(rate=rate, fields=deinterlace, progressive=assume_progressive)
    return open_source(Path(path), reading).stream.clip


def _time_line(
    track: Track, clip: vs.VideoNode, decoded: Stamps, rate: Fraction | None, progress: Progress | None
) -> TimeLine:
    """Return the time line of the film's time stamps, or one of a given rate that starts with them."""
    if rate is not None:
        first = next((stamp for stamp in decoded if stamp is not None), None)
        return replace(constant(len(clip), track.tick, rate), first=first)
    stamps = true_stamps(track, decoded, progress)
    line = time_line(stamps, track.tick, [*track.rates, *([clip.fps] if clip.fps else [])])
    last = None if line.rate is not None else last_duration(track)
    return line if last is None else line.ending_after(last)


def on_time_line(clip: vs.VideoNode, line: TimeLine) -> Stream:
    """Return the clip with the frame rate or the durations of a time line."""
    if line.rate is not None:
        timed = passing(clip.std.AssumeFPS(fpsnum=line.rate.numerator, fpsden=line.rate.denominator))
        return Stream(timed, None, alpha=alpha_of(timed))
    timed = with_durations(clip, line)
    return Stream(timed, line.tick, line.seconds, int(line.durations[-1]) * line.tick, alpha_of(timed))


def _with_alpha_stream(clip: vs.VideoNode, path: Path, track: int) -> vs.VideoNode:
    """Return the clip with alpha from a second stream, if that has it for all frames; else the clip as it is."""
    film = alpha_stream(path, track)
    if film is None:
        return clip
    luma, _ = decode(film, 0, clip.width * clip.height)
    if len(luma) != len(clip) or (luma.width, luma.height) != (clip.width, clip.height):
        return clip
    alpha = luma.std.ShufflePlanes(0, vs.GRAY).std.SetFrameProps(_Range=vs.RANGE_FULL)
    return with_alpha(clip, alpha)


def _begins(container: InputContainer, video: VideoStream) -> Fraction | None:
    """Return the time in seconds that ffmpeg takes as the start of the file; ``None`` for a raw stream without times.

    For discs and broadcasts that is the earliest start of the streams in use, otherwise what the container states.
    """
    used = [video, *container.streams.audio]
    starts = [stream.start_time * Fraction(str(stream.time_base)) for stream in used if stream.start_time is not None]
    if may_jump(container.format) and starts:
        return min(starts)
    return None if container.start_time is None else Fraction(container.start_time, av.time_base)
