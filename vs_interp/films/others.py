"""What a film holds beside its picture, such as sound, subtitles, a cover; and what opening it loses."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import vapoursynth as vs
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from vs_interp.files import write_whole
from vs_interp.folders import cache_folder

from .alpha import PLANE
from .stereo import TAG, stereo_mode

SUFFIXES = {"mjpeg": "jpeg", "png": "png", "webp": "webp", "gif": "gif", "bmp": "bmp"}
"""libav's name of a picture's codec → suffix, which is the end of its media type, too."""

KEPT_TAGS = ("language", "title", TAG)

Kind = Literal["sound", "subtitles", "cover", "picture", "data"]
KINDS: dict[str, Kind] = {"audio": "sound", "subtitle": "subtitles", "video": "picture", "data": "data"}
"""libav's kind of a stream → ours; attachments are none of these."""


@dataclass(frozen=True, kw_only=True)
class OtherStream:
    """A stream of a source beside its picture.

    index
        Its place in the file.
    codec
        libav's name, such as "aac"; empty where that knows none.
    file
        A cover by itself, for containers that hold files.
    """

    index: int
    kind: Kind
    codec: str
    channels: int = 0
    file: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Labels:
    """What a film says of its picture.

    tags
        Language, title and how two views lie in a frame, where it has them.
    roles
        ffmpeg's names of the flags that are set: "default" and the like.
    timecode, rate
        Of the first frame, such as "01:00:00:00", by so many frames a second; empty where it has none.
    files
        How many are attached to the film.
    size
        Width and height.
    alpha, alpha_beside
        Whether it can be seen through in places; and whether a second stream of its codec says where.
    """

    tags: dict[str, str]
    roles: tuple[str, ...]
    timecode: str
    rate: Fraction
    files: int
    size: tuple[int, int]
    alpha: bool
    alpha_beside: bool


def main_picture(container: InputContainer) -> VideoStream | None:
    """Return the first video stream that is no cover."""
    return next((stream for stream in container.streams.video if not _is_cover(stream)), None)


def other_streams(container: InputContainer, picture: VideoStream) -> Iterator[OtherStream]:
    """Yield all streams but the picture and attachments, sound first, in the order of the file."""
    streams = sorted(
        container.streams, key=lambda stream: list(KINDS).index(stream.type) if stream.type in KINDS else 9
    )
    for stream in streams:
        if stream.index == picture.index or stream.type not in KINDS or _is_timecode(stream):
            continue
        codec: Any = stream.codec_context
        name = codec.codec.canonical_name if codec else ""
        if _is_cover(stream):
            yield OtherStream(index=stream.index, kind="cover", codec=name, file=_cover_file(container, stream))
        else:
            channels = codec.channels if codec and stream.type == "audio" else 0
            yield OtherStream(index=stream.index, kind=KINDS[stream.type], codec=name, channels=channels)


def labels(container: InputContainer, picture: VideoStream) -> Labels:
    """Return what an open film says of its picture."""
    tags = {name: value for name, value in picture.metadata.items() if name in KEPT_TAGS}
    if TAG not in tags and (mode := stereo_mode(container, picture)):
        tags[TAG] = mode
    timecodes = (value for tags in (picture.metadata, container.metadata) for name, value in tags.items()
                 if name.lower() == "timecode")  # fmt: skip
    return Labels(
        tags=tags,
        roles=tuple(role.name for role in Disposition if role & picture.disposition and role.name),
        timecode=next(timecodes, ""),
        rate=Fraction(str(picture.guessed_rate or 0)),
        files=sum(stream.type == "attachment" for stream in container.streams),
        size=(picture.codec_context.width, picture.codec_context.height),
        alpha=_coded_with_alpha(picture) or _alpha_beside(picture),
        alpha_beside=_alpha_beside(picture),
    )


def losses(said: Labels, clip: vs.VideoNode) -> Iterator[str]:
    """Yield a line on each thing that is in a film's frames and not in the clip."""
    with clip.get_frame(0) as frame:
        has_alpha = PLANE in frame.props
    if said.alpha and not has_alpha:
        yield "the picture's alpha cannot be read and is left out: some frames have none"
    (width, height), seen = said.size, (clip.width, clip.height)
    if seen not in ((width, height), (height, width)):
        yield f"the picture of {width}x{height} becomes {seen[0]}x{seen[1]}: {clip.format.name} has no odd sizes"


def _coded_with_alpha(picture: VideoStream) -> bool:
    form = picture.codec_context.format
    return form is not None and any(component.is_alpha for component in form.components)


def _alpha_beside(picture: VideoStream) -> bool:
    """Whether it is VP8 or VP9 with alpha."""
    return picture.metadata.get("alpha_mode") == "1"


def _cover_file(container: InputContainer, stream: Stream) -> Path | None:
    """Return a file with a cover's content, kept in the user's cache; ``None`` where there is none, or no room."""
    packet = next((packet for packet in container.demux(stream) if packet.size), None)
    if packet is None or stream.codec_context is None:
        return None
    content = bytes(packet)
    kind = SUFFIXES.get(stream.codec_context.codec.canonical_name, "img")
    path = cache_folder("links") / f"{hashlib.sha256(content).hexdigest()[:32]}.{kind}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
    except OSError:
        return None
    return path


def _is_cover(stream: Stream) -> bool:
    return bool(stream.disposition & Disposition.attached_pic)


def _is_timecode(stream: Stream) -> bool:
    """Whether it is QuickTime's track of time codes: muxers write it anew from the tag."""
    return stream.type == "data" and "timecode" in stream.metadata
