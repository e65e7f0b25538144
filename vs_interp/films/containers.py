"""Containers: which sound and subtitles they hold, and what is made of the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av

from vs_interp.errors import ArgumentError

from .others import OtherStream

PLAIN = "name a .mkv, .mp4, .mov or .webm"

PROGRAM_STREAM = frozenset({"mp1", "mp2", "mp3", "ac3", "dts", "pcm_dvd"})
SOUND = {
    "webm": frozenset({"opus", "vorbis"}),
    "mp4": frozenset({"aac", "ac3", "alac", "dts", "eac3", "flac", "mp1", "mp2", "mp3", "opus", "vorbis"}),
    "mov": frozenset({"aac", "ac3", "alac", "eac3", "mp1", "mp2", "mp3", "pcm"}),
    "avi": frozenset({"aac", "ac3", "dts", "mp1", "mp2", "mp3", "pcm", "wmav1", "wmav2"}),
    "mpegts": frozenset({"aac", "aac_latm", "ac3", "dts", "eac3", "mp1", "mp2", "mp3", "opus", "truehd"}),
    **dict.fromkeys(("vob", "dvd", "svcd", "mpeg"), PROGRAM_STREAM),
}
"""Codecs of sound that a container takes, by libav's names ("pcm" for all kinds of it); Matroska takes all."""

SOUND_ENCODER = {"webm": "libopus", "mp4": "aac", "mov": "aac", "mpegts": "aac"}
"""What other sound becomes; elsewhere AC-3."""

KILOBITS_A_CHANNEL = 96

TEXT = frozenset({"ass", "mov_text", "ssa", "subrip", "text", "webvtt"})
TEXT_ENCODER = {"matroska": "srt", "mp4": "mov_text", "mov": "mov_text", "webm": "webvtt"}
"""What text subtitles become where they are not held as they are; elsewhere they cannot be kept."""

SUBTITLES = {
    "matroska": TEXT - {"mov_text"} | {"dvb_subtitle", "dvd_subtitle", "hdmv_pgs_subtitle", "hdmv_text_subtitle"},
    "mp4": frozenset({"dvd_subtitle", "mov_text"}),
    "mov": frozenset({"mov_text"}),
    "webm": frozenset({"webvtt"}),
    "mpegts": frozenset({"dvb_subtitle", "dvb_teletext"}),
    **dict.fromkeys(("vob", "dvd", "svcd"), frozenset({"dvd_subtitle"})),
}
"""Codecs of subtitles that a container takes; those not named here take none."""


COVER = frozenset({"mp4"})
"""Containers that hold a cover as a stream; Matroska holds it as a file."""

ATTACH = "attach"
"""How a file is carried."""

PICTURES = {
    "mp4": frozenset({"av1", "h264", "hevc", "mpeg4", "vp9"}),
    "mov": frozenset({"h264", "hevc", "mjpeg", "mpeg4", "prores"}),
    "mpegts": frozenset({"h264", "hevc", "mpeg1video", "mpeg2video"}),
}
"""Codecs of further pictures that a container takes; Matroska takes all, those not named here none."""


@dataclass(frozen=True)
class Carried:
    """A stream that goes into the output: copied, or made anew by ``encoder``, with ffmpeg's options for it."""

    stream: OtherStream
    encoder: str = "copy"
    options: tuple[str, ...] = ()


def container_format(path: Path) -> str:
    """Return libav's name of the container that a file's suffix stands for.  Raises :class:`ArgumentError`."""
    try:
        with av.open(f"file:{path}", "w") as container:
            name, takes_video = container.format.name, container.default_video_codec != "none"
    except (ValueError, av.FFmpegError) as error:
        raise ArgumentError(f"no container is known by the suffix of {path.name}: {PLAIN}") from error
    if not takes_video or name in ("image2", "hls", "dash", "segment"):
        raise ArgumentError(f"{path.name} cannot hold a whole video: {PLAIN}")
    return str(name)


def carry(
    container: str, streams: Sequence[OtherStream], sound_arguments: Sequence[str]
) -> tuple[list[Carried], list[str]]:
    """Return the streams that the output gets, and a line on each that does not stay as it is.

    ``sound_arguments`` are ffmpeg's: where any are given, all sound is encoded anew.
    """
    carried, notes = [], []
    for stream in streams:
        is_sound = stream.kind == "sound"
        found = _sound(container, stream, bool(sound_arguments)) if is_sound else _other(container, stream)
        if found is None:
            what = f"{stream.codec or 'unknown'} {'video' if stream.kind == 'picture' else stream.kind}"
            notes.append(f"{container} holds no {what}, stream {stream.index} is left out")
            continue
        if stream.kind == "picture":
            notes.append(f"stream {stream.index}, a further video, is copied as it is")
        if found.encoder not in ("copy", ATTACH) and not (is_sound and sound_arguments):
            notes.append(
                f"{container} holds no {stream.codec} {stream.kind}, stream {stream.index} becomes {found.encoder}"
            )
        carried.append(found)
    return carried, notes


def _sound(container: str, stream: OtherStream, anew: bool) -> Carried:
    family = "pcm" if stream.codec.startswith("pcm_") and stream.codec != "pcm_dvd" else stream.codec
    if not anew and family in SOUND.get(container, {family}):
        return Carried(stream)
    encoder = SOUND_ENCODER.get(container, "ac3")
    return Carried(stream, encoder, ("-b", f"{KILOBITS_A_CHANNEL * max(stream.channels, 1)}k"))


def _other(container: str, stream: OtherStream) -> Carried | None:
    """Return how a cover, a further picture or subtitles are carried; ``None`` where they cannot be."""
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
