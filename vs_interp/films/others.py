"""What a film holds besides its picture: sound, subtitles, covers and metadata; and what is lost on opening it."""

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
"""libav's name of a picture codec → file suffix, which is also the subtype of its media type."""

KEPT_TAGS = ("language", "title", TAG)

Kind = Literal["sound", "subtitles", "cover", "picture", "data"]
KINDS: dict[str, Kind] = {"audio": "sound", "subtitle": "subtitles", "video": "picture", "data": "data"}
"""libav's type of a stream → ours.  Attachments are handled apart."""


@dataclass(frozen=True, kw_only=True)
class OtherStream:
    """A stream of a source other than its picture.

    index
        Its number in the file.
    codec
        libav's name of its codec, such as "aac"; empty if libav does not know it.
    file
        A cover as a file of its own, for containers that attach files.
    """

    index: int
    kind: Kind
    codec: str
    channels: int = 0
    file: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Labels:
    """The metadata of a film's picture.

    tags
        Language, title and stereo mode, as far as the film has them.
    roles
        ffmpeg's names of its disposition flags, such as "default".
    timecode, rate
        The time code of the first frame, such as "01:00:00:00" (empty if there is none), and its frames per second.
    files
        The number of files attached to the film.
    size
        Width and height.
    alpha, alpha_beside
        Whether the picture has alpha; and whether that is a second stream, as for VP8 and VP9.
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
    """Return the first video stream that is not a cover."""
    return next((stream for stream in container.streams.video if not _is_cover(stream)), None)


def other_streams(container: InputContainer, picture: VideoStream) -> Iterator[OtherStream]:
    """Yield all streams except the picture and attachments: sound first, each kind in the order of the file."""
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
    """Return the metadata of an open film's picture."""
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


def losses(film: Labels, clip: vs.VideoNode) -> Iterator[str]:
    """Yield a line on each thing that a film's frames have and the clip lacks."""
    with clip.get_frame(0) as frame:
        has_alpha = PLANE in frame.props
    if film.alpha and not has_alpha:
        yield "the picture's alpha cannot be read and is left out: some frames have none"
    (width, height), decoded = film.size, (clip.width, clip.height)
    if decoded not in ((width, height), (height, width)):
        yield f"the picture of {width}x{height} becomes {decoded[0]}x{decoded[1]}: {clip.format.name} has no odd sizes"


def _coded_with_alpha(picture: VideoStream) -> bool:
    form = picture.codec_context.format
    return form is not None and any(component.is_alpha for component in form.components)


def _alpha_beside(picture: VideoStream) -> bool:
    """Whether the picture is VP8 or VP9 with alpha, which is a stream of its own."""
    return picture.metadata.get("alpha_mode") == "1"


def _cover_file(container: InputContainer, stream: Stream) -> Path | None:
    """Save a cover to a file in the user's cache; return ``None`` if it is empty or cannot be written."""
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
    """Whether a stream is QuickTime's time code track, which muxers write again from the tag."""
    return stream.type == "data" and "timecode" in stream.metadata
