"""The ffmpeg command that encodes a clip's frames and takes all else (sound, subtitles, chapters) from the source."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import vapoursynth as vs

from vs_interp.errors import ArgumentError, EncoderError

from .ffmpeg import find_ffmpeg, keep_time_stamps, pixel_formats, version
from .hdr import is_high_dynamic_range, x265_parameters
from .source import Source, Stream

LAYOUTS = {(1, 1): "420", (1, 0): "422", (0, 0): "444", (0, 1): "440", (2, 0): "411", (2, 2): "410"}

ENCODERS = {
    "libx264": ("-preset", "medium", "-crf", "16"),
    "libx265": ("-preset", "medium", "-crf", "17", "-x265-params", "log-level=error"),
    "libvpx-vp9": ("-crf", "20", "-b:v", "0", "-row-mt", "1", "-cpu-used", "3"),
    "ffv1": ("-level", "3", "-g", "1", "-slices", "4"),
}
"""The default video encoders, the one to prefer first: the first that takes the clip's format is used."""

CHOICE = {"webm": ("libvpx-vp9",), "mp4": ("libx264", "libx265", "libvpx-vp9"), "mov": ("libx264", "libx265")}
"""Those among which to choose for a container that does not take all."""

TEXT_SUBTITLES = {"ass", "mov_text", "ssa", "subrip", "text", "webvtt"}
SUBTITLE_CODEC = {"mp4": "mov_text", "mov": "mov_text", "webm": "webvtt"}
"""The only text subtitles that a container takes; Matroska takes all but those of MP4."""

PROPERTIES = {"_Range": "-color_range", "_Matrix": "-colorspace", "_Primaries": "-color_primaries",
              "_Transfer": "-color_trc", "_ChromaLocation": "-chroma_sample_location"}  # fmt: skip
"""Frame property → option of ffmpeg.  Numbers are those of ITU-T H.273; range and location count from 0 here."""

UNSPECIFIED = 2


def pixel_format(video: vs.VideoFormat) -> str:
    """Return ffmpeg's name of a format: 8–16 bits, GRAY, YUV or RGB.  Raises :class:`EncoderError` for others."""
    depth = "" if video.bits_per_sample == 8 else f"{video.bits_per_sample}le"
    family = {vs.GRAY: "gray", vs.RGB: "gbrp"}.get(video.color_family)
    if family is None:
        family = f"yuv{LAYOUTS.get((video.subsampling_w, video.subsampling_h))}p"
    name = family + depth
    if video.sample_type != vs.INTEGER or name not in av.video.format.names:
        raise EncoderError(
            f"the clip's format {video.name} cannot be encoded: convert it to 8, 10, 12 or 16 bits first"
        )
    return name


def container_format(path: Path) -> str:
    """Return libav's name of the container that a file's suffix stands for.  Raises :class:`ArgumentError`."""
    try:
        with av.open(f"file:{path}", "w") as container:
            name, takes_video = container.format.name, container.default_video_codec != "none"
    except (ValueError, av.FFmpegError) as error:
        raise ArgumentError(
            f"no container is known by the suffix of {path.name}: name a .mkv, .mp4, .mov or .webm"
        ) from error
    if not takes_video or name in ("image2", "hls", "dash", "segment"):
        raise ArgumentError(f"{path.name} cannot hold a whole video: name a .mkv, .mp4, .mov or .webm")
    return name


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """How one clip becomes one file.

    arguments
        ffmpeg's options for the output, such as ``-c:v libx265 -crf 18``.
    """

    ffmpeg: str
    source: Source
    stream: Stream
    container: str
    arguments: tuple[str, ...]

    @classmethod
    def prepare(cls, source: Source, stream: Stream, output: Path, arguments: str | None) -> Encoding:
        """Check everything that can be checked before the first frame; ``None`` stands for arguments that fit the clip.

        With these, RGB becomes the YUV that players play where the container is one for players (not Matroska).
        Raises :class:`ArgumentError` or :class:`EncoderError`.
        """
        container = container_format(output)
        ffmpeg = find_ffmpeg()
        version(ffmpeg)
        try:
            given = None if arguments is None else tuple(shlex.split(arguments))
        except ValueError as error:
            raise ArgumentError(f"the encoder arguments {arguments!r} cannot be split into words: {error}") from error
        if given is None and container in CHOICE and _is_whole_rgb(stream.clip.format):
            stream = Stream(_playable(stream.clip), stream.tick)
        pixels = pixel_format(stream.clip.format)
        chosen = _default_arguments(ffmpeg, container, pixels, output, source) if given is None else given
        return cls(ffmpeg=ffmpeg, source=source, stream=stream, container=container, arguments=chosen)

    @property
    def pipe_format(self) -> str:
        """What ffmpeg reads: bare frames at a constant rate, which then stays known, or NUT with time stamps."""
        return "rawvideo" if self.stream.tick is None else "nut"

    @property
    def tick(self) -> Fraction:
        """Seconds of which the output's time stamps are multiples."""
        return self.stream.tick or 1 / self.stream.clip.fps

    def command(self, first: vs.VideoFrame, output: Path) -> list[str]:
        """Return the command; ``first`` is the first frame, whose properties say how to read the colours."""
        clip, path = self.stream.clip, f"file:{self.source.path}"
        tags = _tags(first)
        shape = ["-pixel_format", pixel_format(clip.format), "-video_size", f"{clip.width}x{clip.height}"]
        shape += ["-framerate", f"{clip.fps.numerator}/{clip.fps.denominator}"]
        return [
            self.ffmpeg, "-v", "error", "-nostdin", "-y",
            *tags, *(shape if self.pipe_format == "rawvideo" else ()),
            "-itsoffset", f"{float(self.source.start):.6f}", "-f", self.pipe_format, "-i", "pipe:0",
            "-i", path,
            "-map", "0:v", "-map", "1:a?", "-map", "1:s?", *(("-map", "1:t?") if self.container == "matroska" else ()),
            "-map_chapters", "1", "-map_metadata", "1",
            *(word for name, value in self.source.tags.items() for word in ("-metadata:s:v:0", f"{name}={value}")),
            "-c:a", "copy", "-c:s", "copy", "-c:t", "copy", *self._subtitles(),
            *tags, *_aspect(first), "-field_order", "progressive",
            *keep_time_stamps(self.ffmpeg), "-enc_time_base", f"{self.tick.numerator}/{self.tick.denominator}",
            *self.arguments,
            f"file:{output}",
        ]  # fmt: skip

    def _subtitles(self) -> list[str]:
        """Convert text subtitles that the container does not take; all else is copied, or ffmpeg says why not."""
        options = []
        for index, codec in enumerate(self.source.subtitles):
            wanted = SUBTITLE_CODEC.get(self.container, "srt" if codec == "mov_text" else codec)
            if codec in TEXT_SUBTITLES and codec != wanted:
                options += [f"-c:s:{index}", wanted]
        return options


def _is_whole_rgb(video: vs.VideoFormat) -> bool:
    return bool(video.color_family == vs.RGB and video.sample_type == vs.INTEGER)


def _playable(clip: vs.VideoNode) -> vs.VideoNode:
    """Return an RGB clip in YUV of 8 or 10 bits, with halved colour planes where the size can be halved."""
    halved = int(clip.width % 2 == clip.height % 2 == 0)
    bits = 8 if clip.format.bits_per_sample == 8 else 10
    target = vs.core.query_video_format(vs.YUV, vs.INTEGER, bits, halved, halved)
    return clip.resize.Bicubic(format=target.id, matrix_s="709", range_s="limited")


def _default_arguments(ffmpeg: str, container: str, pixels: str, output: Path, source: Source) -> tuple[str, ...]:
    """Return the first encoder that takes the clip's format; for high dynamic range H.265, which tells all of it."""
    encoders, first = CHOICE.get(container, tuple(ENCODERS)), source.stream.clip.get_frame(0)
    if is_high_dynamic_range(first):
        encoders = tuple(sorted(encoders, key=lambda encoder: encoder != "libx265"))
    for encoder in encoders:
        if pixels in pixel_formats(ffmpeg, encoder):
            options = ENCODERS[encoder]
            if encoder == "libx265" and (parameters := x265_parameters(first)):
                options = (*options[:-1], f"{options[-1]}:{parameters}")  # its -x265-params, which ffmpeg takes once
            return ("-c:v", encoder, *options)
    raise EncoderError(
        f"no encoder of {ffmpeg} writes {pixels} into {output.name}: name a .mkv, or choose one with --encoder-args"
    )


def _tags(frame: vs.VideoFrame) -> list[str]:
    """Return the colour options that a frame's properties stand for; nothing for what they leave open."""
    options = []
    for name, option in PROPERTIES.items():
        if name not in frame.props:
            continue
        value = int(frame.props[name])
        if name in ("_Range", "_ChromaLocation"):
            value += 1
        elif value == UNSPECIFIED:
            continue
        if name != "_ChromaLocation" or frame.format.subsampling_h == 1:
            options += [option, str(value)]
    return options


def _aspect(frame: vs.VideoFrame) -> list[str]:
    """Return the option for the picture's shape where its pixels are not square."""
    pixel = Fraction(max(int(frame.props.get("_SARNum", 1)), 0) or 1, max(int(frame.props.get("_SARDen", 1)), 0) or 1)
    shape = pixel * Fraction(frame.width, frame.height)
    return [] if pixel == 1 else ["-aspect", f"{shape.numerator}:{shape.denominator}"]
