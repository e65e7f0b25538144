"""Containers: which sound, subtitles and pictures each can hold, and what the others are converted to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av

from vs_interp.errors import ArgumentError

from .codecs import option_value
from .others import OtherStream

ALIKE = {"ipod": "mp4"}
"""libav's name for .m4v, an MP4 that iPods play → the container that is written in its place."""

ADVICE = "name a .mkv, .mp4, .mov or .webm"

PROGRAM_STREAM = frozenset({"mp1", "mp2", "mp3", "ac3", "dts", "pcm_dvd"})
SOUND = {
    "webm": frozenset({"opus", "vorbis"}),
    "mp4": frozenset({"aac", "ac3", "alac", "dts", "eac3", "flac", "mp1", "mp2", "mp3", "opus", "vorbis"}),
    "mov": frozenset({"aac", "ac3", "alac", "eac3", "mp1", "mp2", "mp3", "pcm"}),
    "avi": frozenset({"ac3", "dts", "mp1", "mp2", "mp3", "pcm", "wmav1", "wmav2"}),
    "mpegts": frozenset({"aac", "aac_latm", "ac3", "dts", "eac3", "mp1", "mp2", "mp3", "opus", "truehd"}),
    **dict.fromkeys(("vob", "dvd", "svcd", "mpeg"), PROGRAM_STREAM),
}
"""Audio codecs that a container can hold, by libav's names ("pcm" for all its kinds); Matroska holds all.

AAC in AVI has no standard, and ffmpeg refuses that of broadcasts.
"""

SOUND_ENCODER = {"webm": "libopus", "mp4": "aac", "mov": "aac", "mpegts": "aac"}
"""The encoder for sound that a container cannot hold; AC-3 in containers not listed."""

KILOBITS_PER_CHANNEL = 96

OPUS_LAYOUTS = "mono|stereo|3.0|quad|5.0|5.1|6.1|7.1"
"""Channel layouts that Opus knows; it refuses others, such as the 5.1(side) of AC-3 and DTS."""

MOST_CHANNELS = {"aac": 8, "ac3": 6, "libopus": 8}
"""Encoder → how many channels it has at most."""

REPEATED_HEADERS = "mpegts"
"""The container whose AAC has a header in every packet (ADTS)."""

TEXT = frozenset({"ass", "mov_text", "ssa", "subrip", "text", "webvtt"})
TEXT_ENCODER = {"matroska": "srt", "mp4": "mov_text", "mov": "mov_text", "webm": "webvtt"}
"""The format to which a container's text subtitles are converted; containers not listed have none."""

SUBTITLES = {
    "matroska": TEXT - {"mov_text"} | {"dvb_subtitle", "dvd_subtitle", "hdmv_pgs_subtitle", "hdmv_text_subtitle"},
    "mp4": frozenset({"dvd_subtitle", "mov_text"}),
    "mov": frozenset({"mov_text"}),
    "webm": frozenset({"webvtt"}),
    "mpegts": frozenset({"dvb_subtitle", "dvb_teletext"}),
    **dict.fromkeys(("vob", "dvd", "svcd"), frozenset({"dvd_subtitle"})),
}
"""Subtitle codecs that a container can hold; containers not listed hold none."""


COVER = frozenset({"mp4"})
"""Containers that hold a cover as a stream; Matroska holds it as an attached file."""

ATTACH = "attach"
"""The "encoder" of a stream that is attached as a file."""

PICTURES = {
    "mp4": frozenset({"av1", "h264", "hevc", "mpeg4", "vp9"}),
    "mov": frozenset({"h264", "hevc", "mjpeg", "mpeg4", "prores"}),
    "mpegts": frozenset({"h264", "hevc", "mpeg1video", "mpeg2video"}),
}
"""Codecs of further video streams that a container can hold; Matroska holds all, containers not listed none."""


@dataclass(frozen=True)
class Carried:
    """A stream that goes into the output: copied, or encoded again by ``encoder`` with ffmpeg's ``options``."""

    stream: OtherStream
    encoder: str = "copy"
    options: tuple[str, ...] = ()


def container_format(path: Path) -> str:
    """Return libav's name of the container for a file's suffix.  Raises :class:`ArgumentError` for an unknown one."""
    try:
        with av.open(f"file:{path}", "w") as container:
            name, takes_video = container.format.name, container.default_video_codec != "none"
    except (ValueError, av.FFmpegError) as error:
        raise ArgumentError(f"the suffix of {path.name} is not that of a video container: {ADVICE}") from error
    if not takes_video or name in ("image2", "hls", "dash", "segment"):
        raise ArgumentError(f"{path.name} cannot hold a whole video: {ADVICE}")
    return ALIKE.get(name, str(name))


def carry(
    container: str, streams: Sequence[OtherStream], sound_arguments: Sequence[str]
) -> tuple[list[Carried], list[str]]:
    """Return the streams that go into the output, and a line on each that is left out or converted.

    If there are ``sound_arguments`` (ffmpeg's options for sound), all sound is encoded again, as they say.
    """
    carried, notes = [], []
    for stream in streams:
        is_sound = stream.kind == "sound"
        found = _sound(container, stream, sound_arguments) if is_sound else _other(container, stream)
        if found is None:
            what = f"{stream.codec or 'unknown'} {'video' if stream.kind == 'picture' else stream.kind}"
            notes.append(f"{container} holds no {what}, stream {stream.index} is left out")
            continue
        if stream.kind == "picture":
            notes.append(f"stream {stream.index}, a second video, is copied as it is")
        if found.encoder not in ("copy", ATTACH) and not (is_sound and sound_arguments):
            most = MOST_CHANNELS.get(found.encoder, stream.channels)
            mixed = f", its {stream.channels} channels are mixed down to {most}" if stream.channels > most else ""
            becomes = f"stream {stream.index} becomes {found.encoder}{mixed}"
            notes.append(f"{container} holds no {stream.codec} {stream.kind}, {becomes}")
        carried.append(found)
    return carried, notes


def _sound(container: str, stream: OtherStream, arguments: Sequence[str]) -> Carried:
    """Return a sound stream, copied unless there are ``arguments`` for it or the container cannot hold its codec.

    Where AAC loses the headers of its packets, ffmpeg ends at a damaged one, unless it was told to remove them.
    """
    family = "pcm" if stream.codec.startswith("pcm_") and stream.codec != "pcm_dvd" else stream.codec
    if not arguments and family in SOUND.get(container, {family}):
        loses_headers = stream.codec == "aac" and container != REPEATED_HEADERS
        return Carried(stream, options=("-bsf", "aac_adtstoasc") if loses_headers else ())
    encoder = option_value(arguments, "-c:a", "-codec:a", "-acodec") or SOUND_ENCODER.get(container, "ac3")
    asked = option_value(arguments, "-ac", "-ac:a") or ""
    wanted = int(asked) if asked.isdecimal() else stream.channels
    channels = min(max(wanted, 1), MOST_CHANNELS.get(encoder, wanted))
    return Carried(stream, encoder, ("-b", f"{KILOBITS_PER_CHANNEL * channels}k", *_layout(encoder, stream.channels)))


def _layout(encoder: str, channels: int) -> tuple[str, ...]:
    """Return ffmpeg's options for the channels of an encoder that refuses some; for AC-3 ffmpeg mixes by itself."""
    if channels > MOST_CHANNELS.get(encoder, channels) and encoder != "ac3":
        return "-filter", "aformat=channel_layouts=7.1"
    return ("-filter", f"aformat=channel_layouts={OPUS_LAYOUTS}") if encoder == "libopus" else ()


def _other(container: str, stream: OtherStream) -> Carried | None:
    """Return how a cover, a further video or subtitles are carried over; ``None`` if they cannot be."""
    if stream.kind == "cover":
        return _cover(container, stream)
    if stream.kind == "picture":
        held = container == "matroska" or stream.codec in PICTURES.get(container, frozenset())
        return Carried(stream) if held else None
    if stream.codec in SUBTITLES.get(container, frozenset()):
        return Carried(stream)
    return Carried(stream, TEXT_ENCODER[container]) if stream.codec in TEXT and container in TEXT_ENCODER else None


def _cover(container: str, stream: OtherStream) -> Carried | None:
    if container == "matroska" and stream.file is not None:
        return Carried(stream, ATTACH)
    return Carried(stream, options=("-disposition", "attached_pic")) if container in COVER else None
