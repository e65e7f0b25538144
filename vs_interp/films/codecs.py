"""Choose how a clip is encoded: with the codec the user asks for, or in a format that most players can play."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import vapoursynth as vs

from vs_interp.errors import ArgumentError, EncoderError
from vs_interp.host import split_words

from . import hdr
from .alpha import PLANE, formats_with_alpha
from .encoders import APPLE_TAG, CODECS, DEFAULT_CODECS, HOLDS, IN_ORDER, PRORES_ALPHA, REORDERING, Encoder
from .ffmpeg import pixel_formats
from .pixels import converted, nearest_format, pixel_format, playable_format

ALPHA_FORMATS = ("yuva", "gbrap", "rgba", "argb", "bgra", "ya")
"""Prefixes of ffmpeg's names of pixel formats with alpha."""

HDR_LOST = (
    "HDR10's mastering display and light levels are left out, {encoder} does not write them: --codec {other} does"
)
"""What is reported if an encoder does not keep HDR metadata."""

HDR_KEPT = ("h265", "av1", "h264")
"""Codecs whose encoders keep HDR metadata, the usual one first."""

ALPHA_LOST = (
    "the picture's alpha is left out, {encoder} in {container} has none: --codec ffv1 or vp9 in .mkv, or prores in "
    ".mov, keeps it"
)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The user's options for the encoding; ``None`` for those not given.

    codec
        A name of :data:`CODECS`; the pixel format then stays as close to the source's as the codec allows.
    quality, preset
        In the encoder's own scale and names.
    arguments
        ffmpeg options added after all others, such as ``-tune animation``; ``-c:v`` chooses another encoder.
    sound_arguments
        ffmpeg options for the sound; if there are any, all sound is encoded again.
    """

    codec: str | None = None
    quality: float | None = None
    preset: str | None = None
    arguments: tuple[str, ...] = ()
    sound_arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Chosen:
    """The chosen encoding.

    clip
        The clip, converted to the pixel format to encode.
    arguments
        ffmpeg's options for the encoder.
    notes
        A line on each loss that the user should know about.
    alpha
        Whether alpha is kept.
    """

    clip: vs.VideoNode
    arguments: tuple[str, ...]
    notes: tuple[str, ...] = ()
    alpha: bool = False


def split_arguments(arguments: str, option: str) -> tuple[str, ...]:
    """Split ``arguments`` into words as a shell does.  Raises :class:`ArgumentError` that names ``option``."""
    try:
        return tuple(split_words(arguments))
    except ValueError as error:
        raise ArgumentError(f"{option} {arguments!r} cannot be split into words: {error}") from error


def option_value(arguments: Sequence[str], *options: str) -> str | None:
    """Return the value of the last of these options; ``None`` if none is given."""
    given = [value for option, value in pairwise(arguments) if option in options]
    return given[-1] if given else None


def choose_codec(ffmpeg: str, container: str, clip: vs.VideoNode, choice: Choice) -> Chosen:
    """Return how to encode a clip into a container (by libav's name).

    Unless the user chooses a codec, the clip becomes 4:2:0, in H.264 with 8 bits or H.265 with 10 (VP9 in WebM).
    Raises :class:`ArgumentError` for options that the encoder does not have, :class:`EncoderError` if this ffmpeg
    lacks the encoder.
    """
    pixel_format(clip.format)
    first = clip.get_frame(0)
    own = option_value(choice.arguments, "-c:v", "-codec:v", "-vcodec", "-c:v:0")
    if own is not None and choice.codec is not None:
        raise ArgumentError(f"--codec {choice.codec} and {own} in --encoder-args are both given: give one of them")
    if own is None and not HOLDS.get(container, CODECS):
        raise ArgumentError("program streams hold MPEG-2, which is no --codec: name a .mkv, .mp4, .mov or .webm, or "
                            "give --encoder-args '-c:v mpeg2video -q:v 2'")  # fmt: skip
    if own is not None:
        encoder = _encoder_named(own)
        if own == "copy":
            raise ArgumentError("the video cannot be copied, its frames are new: give an encoder instead of copy")
        fitting = nearest_format(clip, pixel_formats(ffmpeg, own))
    elif choice.codec is not None:
        encoder, fitting = _for_codec(ffmpeg, container, clip, choice.codec)
    else:
        encoder, fitting = _for_players(ffmpeg, container, clip, hdr.is_high_dynamic_range(first))
    asked = option_value(choice.arguments, "-pix_fmt", "-pix_fmt:v")
    if fitting is None or asked is not None:
        fitting = clip.format  # ffmpeg converts, or says why it cannot
    alpha = None
    if PLANE in first.props and (asked is None or asked.startswith(ALPHA_FORMATS)):
        if encoder.name != "prores_ks" or choice.preset in (None, *PRORES_ALPHA):
            kept = formats_with_alpha(encoder.name, container, pixel_formats(ffmpeg, encoder.name))
            is_played = own is None and choice.codec is None
            alpha = _fitting_with_alpha(clip, fitting, kept, is_played=is_played)
        fitting = alpha or fitting
    options = [*encoder.fixed, *_quality(encoder, choice.quality), *_preset(encoder, choice.preset)]
    if container in ("mp4", "mov") and encoder.name in APPLE_TAG:
        options += ["-tag:v", APPLE_TAG[encoder.name]]
    if container in IN_ORDER and encoder.name in REORDERING:
        options += ["-bf", "0"]
    made = _with_hdr(("-c:v", encoder.name, *options, *choice.arguments), encoder.name, first)
    note = _format_note(clip.format, fitting, choice.codec or own)
    lost = _losses(first, encoder.name, container, alpha=alpha is not None)
    return Chosen(converted(clip, fitting), made, (*([note] if note else []), *lost), alpha is not None)


def _losses(first: vs.VideoFrame, encoder: str, container: str, *, alpha: bool) -> Iterator[str]:
    """Yield a line on what lies beside the picture's planes and is lost."""
    if PLANE in first.props and not alpha:
        yield ALPHA_LOST.format(encoder=encoder, container=container)
    if hdr.has_metadata(first) and encoder not in hdr.PARAMETERS:
        holds = HOLDS.get(container, HDR_KEPT)
        other = next((codec for codec in HDR_KEPT if codec in holds), f"{HDR_KEPT[0]} in .mkv")
        yield HDR_LOST.format(encoder=encoder, other=other)
    yield from (f"the film's {kind} metadata is left out" for name, kind in hdr.CHANGING.items() if name in first.props)


def _fitting_with_alpha(
    clip: vs.VideoNode, fitting: vs.VideoFormat, kept: frozenset[str], *, is_played: bool
) -> vs.VideoFormat | None:
    """Return the format in which to encode a clip with alpha, one of those in ``kept``; ``None`` if alpha is lost.

    That is ``fitting`` if possible.  A format chosen because players can play it is not given up for alpha.
    """
    if pixel_format(fitting) in kept:
        return fitting
    return None if is_played else nearest_format(clip, kept)


def _for_codec(ffmpeg: str, container: str, clip: vs.VideoNode, codec: str) -> tuple[Encoder, vs.VideoFormat]:
    """Return the encoder and pixel format for the codec that the user asked for."""
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


def _for_players(ffmpeg: str, container: str, clip: vs.VideoNode, hdr: bool) -> tuple[Encoder, vs.VideoFormat]:
    """Return the encoder and pixel format that most players can play."""
    fitting = playable_format(clip)
    codecs = [codec for codec in DEFAULT_CODECS if codec in HOLDS.get(container, CODECS)]
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


def _with_hdr(arguments: Sequence[str], encoder: str, first: vs.VideoFrame) -> tuple[str, ...]:
    """Return ffmpeg's options with a frame's HDR metadata among the encoder's own parameters, if it takes them there.

    All of those are merged into one option, since ffmpeg uses only the last; later ones keep precedence.
    """
    if encoder not in hdr.PARAMETERS:
        return tuple(arguments)
    option = hdr.PARAMETERS[encoder][0]
    joined, rest = [hdr.parameters(first, encoder)], []
    words = iter(arguments)
    for word in words:
        if word.partition(":")[0] == option:  # as in -x264-params:v
            joined.append(next(words, ""))
        else:
            rest.append(word)
    merged = ":".join(filter(None, joined))
    return (*rest, option, merged) if merged else tuple(rest)


def _encoder_named(name: str) -> Encoder:
    """Return ffmpeg's encoder of that name, with our defaults if it is one of :data:`CODECS`."""
    known = (encoder for encoders in CODECS.values() for encoder in encoders)
    return next((encoder for encoder in known if encoder.name == name), Encoder(name=name))


def _format_note(before: vs.VideoFormat, after: vs.VideoFormat, asked: str | None) -> str:
    """Return a line on the bits or colour resolution that a change of format loses; empty if none."""
    bits = after.bits_per_sample < before.bits_per_sample
    colour = before.color_family != vs.GRAY and (after.subsampling_w, after.subsampling_h) > (
        before.subsampling_w, before.subsampling_h
    )  # fmt: skip
    if not bits and not colour:
        return ""
    reason = f"the closest that {asked} can encode" if asked else "which most players can play; --codec keeps more"
    return f"the clip's {before.name} becomes {after.name}, {reason}"
