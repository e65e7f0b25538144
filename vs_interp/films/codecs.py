"""Video codecs: which of ffmpeg's encoders writes them, and what that calls quality and speed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import vapoursynth as vs

from vs_interp.errors import ArgumentError, EncoderError
from vs_interp.host import split_words

from .ffmpeg import pixel_formats
from .hdr import is_high_dynamic_range, x265_parameters
from .pixels import converted, nearest_format, pixel_format, played_format


@dataclass(frozen=True, kw_only=True)
class Encoder:
    """One encoder of ffmpeg.

    quality
        Its option for a constant quality, the default, and the range of what can be given, best end first.
    preset
        Its option for how much time to take, the default, and what can be given.
    """

    name: str
    quality: tuple[str, int, tuple[int, int]] | None = None
    preset: tuple[str, str | None, tuple[str, ...]] | None = None
    fixed: tuple[str, ...] = ()


X26_PRESETS = (
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
    "placebo",
)
PRORES_PROFILES = ("proxy", "lt", "standard", "hq", "4444", "4444xq")

CODECS = {
    "h264": (Encoder(name="libx264", quality=("-crf", 16, (0, 51)), preset=("-preset", "medium", X26_PRESETS)),),
    "h265": (
        Encoder(
            name="libx265", quality=("-crf", 17, (0, 51)), preset=("-preset", "medium", X26_PRESETS),
            fixed=("-x265-params", "log-level=error"),
        ),
    ),
    "av1": (
        Encoder(
            name="libsvtav1", quality=("-crf", 22, (1, 63)), preset=("-preset", "6", tuple(map(str, range(14)))),
        ),
        Encoder(
            name="libaom-av1", quality=("-crf", 20, (0, 63)), preset=("-cpu-used", "4", tuple(map(str, range(9)))),
            fixed=("-row-mt", "1"),
        ),
    ),
    "vp9": (
        Encoder(
            name="libvpx-vp9", quality=("-crf", 20, (0, 63)), preset=("-cpu-used", "3", tuple(map(str, range(9)))),
            fixed=("-b:v", "0", "-row-mt", "1"),
        ),
    ),
    "prores": (Encoder(name="prores_ks", quality=("-q:v", 4, (1, 31)), preset=("-profile:v", None, PRORES_PROFILES)),),
    "ffv1": (Encoder(name="ffv1", fixed=("-level", "3", "-g", "1", "-slices", "4")),),
}  # fmt: skip
"""What people type → the encoders that write it, the one to prefer first."""

HOLDS = {
    "mp4": ("h264", "h265", "av1", "vp9"), "mov": ("h264", "h265", "prores"), "webm": ("vp9", "av1"),
    "avi": ("h264", "ffv1"), "mpegts": ("h264", "h265"),
}  # fmt: skip
"""What a container takes, by libav's name of it; Matroska takes all."""

PLAYED = ("h264", "h265", "vp9", "ffv1")
"""Codecs for those who name none, the one to prefer first."""

APPLE_TAG = {"libx265": "hvc1"}
"""What Apple's players want H.265 to be called in MP4 and MOV."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What a person says of the encoding; ``None`` for what is left open.

    codec
        A name of :data:`CODECS`; the clip's format then stays as near to the source's as the codec can.
    quality, preset
        In the encoder's own numbers and words.
    arguments
        ffmpeg's options, added to all others, such as ``-tune animation``; with ``-c:v`` another encoder.
    sound_arguments
        ffmpeg's options for the sound; where there are any, no sound is copied.
    """

    codec: str | None = None
    quality: float | None = None
    preset: str | None = None
    arguments: tuple[str, ...] = ()
    sound_arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Chosen:
    """A clip in the format to encode, ffmpeg's options for that, and what a person should know of it."""

    clip: vs.VideoNode
    arguments: tuple[str, ...]
    notes: tuple[str, ...] = ()


def split_arguments(arguments: str, option: str) -> tuple[str, ...]:
    """Return the words of arguments written as in a shell.  Raises :class:`ArgumentError`."""
    try:
        return tuple(split_words(arguments))
    except ValueError as error:
        raise ArgumentError(f"{option} {arguments!r} cannot be split into words: {error}") from error


def choose_codec(ffmpeg: str, container: str, clip: vs.VideoNode, choice: Choice) -> Chosen:
    """Return how to encode a clip: as players play it, or in the codec asked for.

    With no codec named, the clip becomes 4:2:0 of 8 bits in H.264 or of 10 in H.265 (VP9 in WebM).  Raises
    :class:`ArgumentError` for what an encoder does not have, :class:`EncoderError` where this ffmpeg has none.
    """
    pixel_format(clip.format)
    first = clip.get_frame(0)
    own = _value(choice.arguments, "-c:v", "-codec:v", "-vcodec", "-c:v:0")
    if own is not None and choice.codec is not None:
        raise ArgumentError(f"--codec {choice.codec} and {own} in --encoder-args are both given: give one of them")
    if own is not None:
        encoder = _by_name(own)
        if own == "copy":
            raise ArgumentError("the video cannot be copied, its frames are new: give an encoder instead of copy")
        fitting = nearest_format(clip, pixel_formats(ffmpeg, own))
    elif choice.codec is not None:
        encoder, fitting = _asked(ffmpeg, container, clip, choice.codec)
    else:
        encoder, fitting = _played(ffmpeg, container, clip, is_high_dynamic_range(first))
    if fitting is None or _value(choice.arguments, "-pix_fmt", "-pix_fmt:v") is not None:
        fitting = clip.format  # ffmpeg converts, or says why it cannot
    options = [*encoder.fixed, *_quality(encoder, choice.quality), *_preset(encoder, choice.preset)]
    if container in ("mp4", "mov") and encoder.name in APPLE_TAG:
        options += ["-tag:v", APPLE_TAG[encoder.name]]
    made = ("-c:v", encoder.name, *options, *choice.arguments)
    if encoder.name == "libx265":
        made = _with_x265_parameters(made, x265_parameters(first))
    note = _note(clip.format, fitting, choice.codec or own)
    return Chosen(converted(clip, fitting), made, (note,) if note else ())


def _asked(ffmpeg: str, container: str, clip: vs.VideoNode, codec: str) -> tuple[Encoder, vs.VideoFormat | None]:
    if codec not in CODECS:
        raise ArgumentError(f"no codec is called {codec!r}: give one of {', '.join(CODECS)}")
    if codec not in HOLDS.get(container, CODECS):
        raise ArgumentError(f"{codec} does not go into {container}, which holds {', '.join(HOLDS[container])}: "
                            f"name a .mkv{' or .mov' if codec == 'prores' else ''}, or another --codec")  # fmt: skip
    for encoder in CODECS[codec]:
        fitting = nearest_format(clip, pixel_formats(ffmpeg, encoder.name))
        if fitting is not None:
            return encoder, fitting
    names = " or ".join(encoder.name for encoder in CODECS[codec])
    raise EncoderError(f"{ffmpeg} has no {names}: install an ffmpeg that has it, or give another --codec")


def _played(ffmpeg: str, container: str, clip: vs.VideoNode, hdr: bool) -> tuple[Encoder, vs.VideoFormat]:
    fitting = played_format(clip)
    codecs = [codec for codec in PLAYED if codec in HOLDS.get(container, CODECS)]
    if fitting.bits_per_sample > 8 or hdr:
        codecs.sort(key=lambda codec: codec != "h265")
    for codec in codecs:
        for encoder in CODECS[codec]:
            if pixel_format(fitting) in pixel_formats(ffmpeg, encoder.name):
                return encoder, fitting
    raise EncoderError(f"{ffmpeg} encodes none of {', '.join(codecs)}: install another, or choose one with --codec")


def _quality(encoder: Encoder, wanted: float | None) -> list[str]:
    if encoder.quality is None:
        if wanted is not None:
            raise ArgumentError(f"--quality is {wanted:g}, and {encoder.name} has no quality to choose: leave it out")
        return []
    option, usual, (lowest, highest) = encoder.quality
    if wanted is not None and not lowest <= wanted <= highest:
        raise ArgumentError(
            f"--quality is {wanted:g}: {encoder.name} takes {lowest} (best) to {highest}, and {usual} by default"
        )
    return [option, f"{usual if wanted is None else wanted:g}"]


def _preset(encoder: Encoder, wanted: str | None) -> list[str]:
    if encoder.preset is None:
        if wanted is not None:
            raise ArgumentError(f"--preset is {wanted}, and {encoder.name} has no presets: leave it out")
        return []
    option, usual, known = encoder.preset
    if wanted is not None and wanted not in known:
        raise ArgumentError(f"--preset is {wanted}: {encoder.name} has {', '.join(known)}")
    return [] if (chosen := wanted or usual) is None else [option, chosen]


def _with_x265_parameters(arguments: Sequence[str], added: str) -> tuple[str, ...]:
    """Join all ``-x265-params``, of which ffmpeg takes the last alone, those that come later last."""
    joined, rest = [], []
    words = iter(arguments)
    for word in words:
        if word == "-x265-params":
            joined.append(next(words, ""))
        else:
            rest.append(word)
    joined.insert(1, added)
    return (*rest, "-x265-params", ":".join(filter(None, joined)))


def _by_name(name: str) -> Encoder:
    """Return the encoder that ffmpeg calls so, with defaults where it is one of ours."""
    known = (encoder for encoders in CODECS.values() for encoder in encoders)
    return next((encoder for encoder in known if encoder.name == name), Encoder(name=name))


def _value(arguments: Sequence[str], *options: str) -> str | None:
    """Return what the last of some options is given."""
    given = [value for option, value in pairwise(arguments) if option in options]
    return given[-1] if given else None


def _note(before: vs.VideoFormat, after: vs.VideoFormat, asked: str | None) -> str:
    """Return a line on what a change of format loses; empty where it loses nothing."""
    bits = after.bits_per_sample < before.bits_per_sample
    colour = before.color_family != vs.GRAY and (after.subsampling_w, after.subsampling_h) > (
        before.subsampling_w, before.subsampling_h
    )  # fmt: skip
    if not bits and not colour:
        return ""
    way = f"which is the nearest that {asked} writes" if asked else "which players play; --codec keeps more"
    return f"the clip's {before.name} becomes {after.name}, {way}"
