"""Open a video file as a VapourSynth clip, with what its container knows about time and the other streams."""

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

from vs_interp.errors import SourceError

from .alpha import alpha_of, beside, with_alpha
from .damage import Damage, guarded
from .durations import with_durations
from .fields import Fields, deinterlaced
from .index import decode
from .inputs import is_sequence, openable
from .joins import may_jump
from .missing import cut_off, gaps, lacks_index, may_lack_packets, read_packets, stated_duration
from .others import Labels, OtherStream, labels, losses, main_picture, other_streams
from .stamps import Progress, Track, last_duration, true_stamps
from .times import Stamps, TimeLine, constant, time_line


@dataclass(frozen=True)
class Stream:
    """A clip on its time line.

    tick
        Seconds of which all frame durations are multiples; ``None`` where the clip's frame rate is constant.
    seconds, last
        Where it varies: how long all frames last, and the source's last frame.
    alpha
        Its alpha, GRAY of full range, where it has any.
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
        The place of its picture among its streams.
    start
        Seconds by which its picture begins later than the file itself (than its sound, mostly); earlier where below 0.
    line
        The time line of its frames.
    others
        All that it holds beside its picture, sound first.
    first, window
        Where a part is taken: the film's frame with which it begins; when that is shown, in seconds after the file's
        beginning, and for how many.
    labels
        What it says of its picture.
    damage
        What of it could not be decoded.
    notes
        A line on each thing that is not as the file says, or that is in its picture and not in the clip.
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


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a film is to be read.

    rate
        Its frames a second, whatever its time stamps say; pictures have none.
    fields
        What becomes of interlaced frames; ``None``: they stay, and no network takes them.
    progressive
        Take all frames for progressive, whatever they say.
    strict
        A frame that cannot be decoded ends the work; otherwise the picture before it stands in.
    """

    rate: Fraction | None = None
    fields: Fields | None = None
    progressive: bool = False
    strict: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return what :meth:`from_json` reads."""
        return {**asdict(self), "rate": None if self.rate is None else str(self.rate)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Reading:
        """Return the reading that :meth:`to_json` wrote down."""
        rate = values["rate"]
        return cls(**{**values, "rate": None if rate is None else Fraction(rate)})


def open_source(given: Path, reading: Reading | None = None, progress: Progress | None = None) -> Source:
    """Open a video file, or a folder or pattern of pictures.

    Raises :class:`SourceError` where it is missing, has no video, or cannot be decoded.
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
            others, said = tuple(other_streams(container, video)), labels(container, video)
    except (av.FFmpegError, OSError) as error:
        if lacks_index(path):
            raise SourceError(
                f"{given} was cut off before its index (moov) was written: repair it first, for instance with untrunc"
            ) from error
        raise SourceError(f"{given} is no video file, or a broken one ({error.strerror})") from error
    clip, decoded = decode(path, track.index, pixels, progress)
    packets = read_packets(track) if may_lack_packets(track, decoded, stated) else None
    clip, damage = guarded(clip, track, decoded, packets, strict=reading.strict or is_sequence(path))
    line = _time_line(track, clip, damage.stamps, reading.rate, progress)
    damage.gaps = gaps(line)
    if said.alpha_beside:
        clip = _with_alpha_beside(clip, path, track.index)
    if reading.progressive:
        clip = clip.std.SetFieldBased(0)
    elif reading.fields is not None:
        clip = deinterlaced(clip, reading.fields)
        line = line.doubled() if reading.fields == "double" else line
    start = Fraction(0) if line.first is None or begins is None else line.first * line.tick - begins
    return Source(
        path=path, track=track.index, stream=on_time_line(clip, line), line=line, start=start, others=others,
        labels=said, damage=damage, notes=(*losses(said, clip), *cut_off(stated, start + line.seconds, packets)),
    )  # fmt: skip


def open_film(
    path: str | os.PathLike[str],
    *,
    fps: int | float | Fraction | None = None,
    deinterlace: Fields | None = None,
    assume_progressive: bool = False,
) -> vs.VideoNode:
    """Return a film as a clip on its true time line, the same that ``vs-interp convert`` works on.

    path
        A video file, a folder of pictures, or a pattern such as ``frames/%05d.png``.
    fps
        Its frames a second, whatever its time stamps say; pictures have none.
    deinterlace
        Make interlaced frames progressive by bwdif: ``"double"`` makes a frame of each field, ``"keep"`` of two.
    assume_progressive
        Take all frames for progressive, whatever they say.

    Its rate is constant where the film's time stamps are those of one, and else 0 with a duration on every frame; the
    filters read these from its first frame, and not from the whole film.  Raises :class:`SourceError`.
    """
    rate = None if fps is None else Fraction(fps)
    reading = Reading(rate=rate, fields=deinterlace, progressive=assume_progressive)
    return open_source(Path(path), reading).stream.clip


def _time_line(
    track: Track, clip: vs.VideoNode, decoded: Stamps, rate: Fraction | None, progress: Progress | None
) -> TimeLine:
    """Return the time line that the stamps say, or one of a given rate that begins where they do."""
    if rate is not None:
        first = next((stamp for stamp in decoded if stamp is not None), None)
        return replace(constant(len(clip), track.tick, rate), first=first)
    stamps = true_stamps(track, decoded, progress)
    line = time_line(stamps, track.tick, [*track.rates, *([clip.fps] if clip.fps else [])])
    last = None if line.rate is not None else last_duration(track)
    return line if last is None else line.ending_after(last)


def on_time_line(clip: vs.VideoNode, line: TimeLine) -> Stream:
    """Return the clip with the rate or the durations of its time line."""
    if line.rate is not None:
        timed = clip.std.AssumeFPS(fpsnum=line.rate.numerator, fpsden=line.rate.denominator)
        return Stream(timed, None, alpha=alpha_of(timed))
    timed = with_durations(clip, line)
    return Stream(timed, line.tick, line.seconds, int(line.durations[-1]) * line.tick, alpha_of(timed))


def _with_alpha_beside(clip: vs.VideoNode, path: Path, track: int) -> vs.VideoNode:
    """Return the clip with its alpha on its frames, where a second stream has that for all of them."""
    film = beside(path, track)
    if film is None:
        return clip
    luma, _ = decode(film, 0, clip.width * clip.height)
    if len(luma) != len(clip) or (luma.width, luma.height) != (clip.width, clip.height):
        return clip
    alpha = luma.std.ShufflePlanes(0, vs.GRAY).std.SetFrameProps(_Range=vs.RANGE_FULL)
    return with_alpha(clip, alpha)


def _begins(container: InputContainer, video: VideoStream) -> Fraction | None:
    """Return the time in seconds that ffmpeg takes for the file's beginning; ``None`` where a bare stream has none.

    Of discs and broadcasts it is the earliest of the streams that are used, of all others what the container says.
    """
    used = [video, *container.streams.audio]
    starts = [stream.start_time * Fraction(str(stream.time_base)) for stream in used if stream.start_time is not None]
    if may_jump(container.format) and starts:
        return min(starts)
    return None if container.start_time is None else Fraction(container.start_time, av.time_base)
